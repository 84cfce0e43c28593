import json
import socket
from http.client import IncompleteRead
from pathlib import Path
from threading import Timer
from urllib.parse import urlsplit

import pytest
from fakes.wire import Wire

from containerid.errors import UsageError
from containerid.kaggle.emulator import EmbeddedKaggle, Fault

QUOTA = "/api/v1/kernels.KernelsApiService/GetAcceleratorQuotaStatistics"


@pytest.fixture
def user(recorder: EmbeddedKaggle) -> Wire:
    return Wire(recorder.url)


def raw(url: str, request: str) -> str:
    """Send bytes as they are; the whole answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_both_paths_of_the_api_answer(user: Wire, prefix: str) -> None:
    path = f"{prefix}/kernels.KernelsApiService/ListKernels"
    assert user.ask("POST", path, b"{}", Authorization=user.auth).status == 200


def test_a_request_through_a_proxy_setting_is_understood(user: Wire) -> None:
    answer = raw(
        user.url,
        f"POST http://localhost{QUOTA} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {user.auth}\r\n"
        "Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    )
    assert answer.startswith("HTTP/1.1 200 ")


def test_header_names_are_read_in_any_case(user: Wire) -> None:
    answer = raw(
        user.url,
        f"POST {QUOTA} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {user.auth}\r\nconnection: close\r\n"
        "content-length: 2\r\n\r\n{}",
    )
    assert answer.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!!", "Basic Og==", "Bearer ", "Digest x"])
def test_a_request_without_credentials_is_refused(user: Wire, value: str) -> None:
    reply = user.ask("POST", QUOTA, b"{}", **({"Authorization": value} if value else {}))
    assert (reply.status, reply.document["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert user.ask("GET", "/api/v1/kernels/logs/stream/alice/my-kernel").status == 401


def test_what_a_web_page_could_send_is_refused(user: Wire) -> None:
    assert user.ask("POST", QUOTA, b"{}", Authorization=user.auth, Origin="https://example.com").status == 403
    assert user.ask("POST", QUOTA, b"{}", Authorization=user.auth, Host="evil.example.com").status == 403
    rest = f"HTTP/1.1\r\nAuthorization: {user.auth}\r\nConnection: close\r\n"
    assert raw(user.url, f"POST http://evil.example.com{QUOTA} {rest}\r\n").startswith("HTTP/1.1 403 ")
    assert raw(user.url, f"POST http://localhost{QUOTA} {rest}Host: evil.example.com\r\n\r\n").startswith(
        "HTTP/1.1 403 "
    )


def test_what_nothing_answers_is_said(user: Wire) -> None:
    assert user.ask("GET", "/", Authorization=user.auth).status == 404
    path = "/api/v1/kernels.KernelsApiService/CreateKernelSession"
    assert user.ask("POST", path, b"{}", Authorization=user.auth).status == 501
    assert user.ask("POST", QUOTA, b"[]", Authorization=user.auth).status == 400
    assert user.ask("POST", QUOTA, b"{", Authorization=user.auth).status == 400


def test_a_body_that_is_far_too_large_is_refused_unread(user: Wire) -> None:
    head = f"POST {QUOTA} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n"
    with socket.create_connection((urlsplit(user.url).hostname, urlsplit(user.url).port), timeout=10) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_defect_of_the_server_is_a_500_and_the_next_request_is_answered(user: Wire) -> None:
    broken = user.rpc("ListKernels", pageSize="many")
    assert (broken.status, broken.document["error"]["status"]) == (500, "INTERNAL")
    assert user.rpc("ListKernels").status == 200


def test_a_client_that_goes_away_harms_nobody(
    recorder: EmbeddedKaggle, user: Wire, capfd: pytest.CaptureFixture[str]
) -> None:
    user.push("my-kernel")
    head = f"GET /api/v1/kernels/logs/stream/alice/my-kernel HTTP/1.1\r\nHost: localhost\r\nAuthorization: {user.auth}"
    with socket.create_connection((urlsplit(user.url).hostname, urlsplit(user.url).port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        connection.recv(10)
    assert user.rpc("ListKernels").status == 200
    recorder.stop()
    assert capfd.readouterr().err == ""


def test_any_key_is_good_and_names_its_user(user: Wire) -> None:
    user.push("my-kernel")
    assert user.rpc("ListKernels", group="PROFILE").document["kernels"][0]["author"] == "alice"


def test_a_token_stands_for_one_user(user: Wire) -> None:
    token = "KGAT_" + "7" * 32
    name = user.rpc("IntrospectToken", token=token).document["username"]
    user.auth, user.user = f"Bearer {token}", name
    user.push("my-kernel")
    assert user.rpc("ListKernels", group="PROFILE").document["kernels"][0]["ref"] == f"{name}/my-kernel"
    assert user.rpc("IntrospectToken").document == {"active": False}


def test_the_user_behind_tokens_can_be_named(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False, user="carol") as server:
        assert Wire(server.url).rpc("IntrospectToken", token="any").document["username"] == "carol"


def test_a_refresh_token_becomes_an_access_token_of_the_same_user(user: Wire) -> None:
    answer = user.ask(
        "POST", "/api/v1/users.AccountService/GenerateAccessToken", json.dumps({"refreshToken": "r1"}).encode()
    ).document
    assert answer["userName"] == user.rpc("IntrospectToken", token=answer["token"]).document["username"]


def test_errors_come_in_the_envelope_that_was_chosen(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False, envelope="flat") as server:
        reply = Wire(server.url).rpc("GetKernel", userName="alice", kernelSlug="nothing")
        assert reply.document == {"code": 403, "message": "Permission 'kernels.get' was denied"}


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False), pytest.raises(UsageError, match="another embedded Kaggle"):
        EmbeddedKaggle(tmp_path, run=False).start()


def test_a_port_that_is_taken_is_said(tmp_path: Path, recorder: EmbeddedKaggle) -> None:
    with pytest.raises(UsageError, match="cannot be had"):
        EmbeddedKaggle(tmp_path / "other", port=recorder.port).start()


def test_a_port_that_is_taken_is_said_before_anything_about_the_folder(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False) as server, pytest.raises(UsageError, match="cannot be had"):
        EmbeddedKaggle(tmp_path, port=server.port, run=False).start()
    with EmbeddedKaggle(tmp_path / "other", run=False) as later:
        assert later.port


def test_a_dropped_answer_leaves_the_push_done(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.drop_answer("SaveKernel")
    with pytest.raises(ConnectionError):
        user.push("my-kernel")
    assert user.status("my-kernel")["status"] == "QUEUED"
    assert (recorder.calls[0].rpc, recorder.calls[0].status) == ("SaveKernel", None)
    assert recorder.faults.left == ()


def test_a_fixed_answer_keeps_the_push_from_happening(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("SaveKernel", "answer", status=429, headers={"Retry-After": "7"}, body="<html>slow down</html>")
    reply = user.rpc("SaveKernel", slug="alice/my-kernel", newTitle="my-kernel", text="")
    assert (reply.status, reply.headers["Retry-After"], reply.body) == (429, "7", b"<html>slow down</html>")
    assert reply.headers["Content-Type"].startswith("text/html")
    assert user.rpc("GetKernel", userName="alice", kernelSlug="my-kernel").status == 403


def test_a_gateway_may_fail_after_the_push_was_done(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("SaveKernel", "answer", status=502, commit=True, body={"code": 502, "message": "Bad gateway"})
    assert user.push("my-kernel") == {"code": 502, "message": "Bad gateway"}
    assert user.status("my-kernel")["status"] == "QUEUED"


def test_a_reset_connection_did_nothing(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("SaveKernel", "reset")
    with pytest.raises(ConnectionResetError) as broken:
        user.push("my-kernel")
    assert type(broken.value) is ConnectionResetError, "closed in good order instead"
    assert user.push("my-kernel")["versionNumber"] == 1


def test_an_answer_breaks_off_where_it_was_planned(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("ListKernels", "truncate", keep=5)
    answer = raw(
        user.url,
        "POST /api/v1/kernels.KernelsApiService/ListKernels HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: {user.auth}\r\nContent-Length: 2\r\n\r\n{{}}",
    )
    head, _, body = answer.partition("\r\n\r\n")
    assert body == '{"ker'
    assert "Content-Length: 36" in head


def test_a_delayed_answer_comes_in_the_end_and_a_stalled_one_never(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("ListKernels", "delay", seconds=0.05)
    assert user.rpc("ListKernels").status == 200
    recorder.plan("ListKernels", "stall", seconds=60)
    Timer(0.1, recorder.stop).start()
    with pytest.raises(IncompleteRead):
        user.rpc("ListKernels")


def test_faults_choose_their_calls(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.faults.add(Fault(rpc="*", effect="answer", status=500, match={"kernelSlug": "chosen"}))
    recorder.plan("GetKernel", "answer", status=503, skip=1, times=2)
    statuses = [user.rpc("GetKernel", kernelSlug="other").status for _ in range(4)]
    assert statuses == [403, 503, 503, 403]
    assert user.rpc("GetKernel", kernelSlug="chosen").status == 500
    assert recorder.faults.left == ()


def test_a_fault_for_ever_need_not_be_used_up(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("GetKernel", "answer", status=503, times=0)
    recorder.plan("SaveKernel", "drop")
    assert {user.rpc("GetKernel", kernelSlug="other").status for _ in range(3)} == {503}
    assert [fault.rpc for fault in recorder.faults.left] == ["SaveKernel"]


def test_an_unknown_effect_is_refused(recorder: EmbeddedKaggle) -> None:
    with pytest.raises(UsageError, match="no such fault"):
        recorder.plan("GetKernel", "explode")


def test_a_live_log_can_break_off_and_is_replayed(kaggle: EmbeddedKaggle, alice: Wire) -> None:
    alice.push("my-kernel", "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.2)")
    kaggle.plan("GetKernelSessionLogsStream", "truncate", keep=100)
    with pytest.raises(IncompleteRead) as broken:
        alice.follow("my-kernel")
    assert len(broken.value.partial) == 100
    assert alice.follow("my-kernel").body.startswith(broken.value.partial[:50])


def test_many_requests_share_a_connection(user: Wire) -> None:
    request = f"POST {QUOTA} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {user.auth}\r\nContent-Length: 2\r\n"
    answers = raw(user.url, f"{request}\r\n{{}}" * 2 + f"{request}Connection: close\r\n\r\n{{}}")
    assert answers.count("HTTP/1.1 200 ") == 3
