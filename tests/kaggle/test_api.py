import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stamina
from fakes.kaggle_server import Fault, KaggleServer, Kept, google

from containerid.errors import CidError, CredentialsError, NotFound, Refused, Unreachable, UsageError
from containerid.job import State
from containerid.kaggle import api as module
from containerid.kaggle import transport
from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.origin import at

KEY = "k" * 32
TOKEN = "KGAT_" + "1" * 32
HTML = "<html><head><title>Service Unavailable</title></head></html>"
METADATA = {
    "id": "ada/cid-run",
    "title": "cid-run",
    "code_file": "kernel.py",
    "language": "python",
    "kernel_type": "script",
}
PUSH = {"slug": "ada/cid-run", "newTitle": "cid-run", "text": "print()", "isPrivate": True, "enableGpu": True}


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=5):
        yield


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        server.kernels["ada/cid-run"] = Kept(pushes=[PUSH], status={"status": "COMPLETE"})
        yield server


def key() -> Credentials:
    return Credentials(kind="key", username="ada", secret=Secret(KEY), source="KAGGLE_KEY")


def token(value: str = TOKEN) -> Credentials:
    return Credentials(kind="token", secret=Secret(value), source="~/.kaggle/access_token")


def oauth(*, minutes: float, refresh: str = "good") -> Credentials:
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    return Credentials(
        kind="oauth",
        username="ada",
        secret=Secret("old"),
        refresh=Secret(refresh),
        expires=ends,
        source="credentials.json",
    )


def kaggle(server: KaggleServer, credentials: Credentials | None = None) -> Kaggle:
    return Kaggle(credentials or key(), at(server.url), {})


@pytest.fixture
def api(server: KaggleServer) -> Kaggle:
    return kaggle(server)


ONCE = {
    "429 with Retry-After": Fault(429, google(429, "Too many requests"), {"Retry-After": "1"}),
    "429 in the older envelope": Fault(429, '{"code":429,"message":"TooManyRequests"}'),
    "500": Fault(500, google(500, "Internal")),
    "502 with a page": Fault(502, HTML, kind="text/html"),
    "503 with a page": Fault(503, HTML, kind="text/html"),
    "503 with a page that claims to be JSON": Fault(503, HTML),
    "504": Fault(504),
    "a reset": Fault(drop=True),
    "a page with status 200": Fault(200, HTML, kind="text/html"),
    "an error with status 200": Fault(200, google(503, "try later")),
    "an answer that breaks off": Fault(cut=5),
    "an empty answer": Fault(200, ""),
    "a redirect": Fault(302, headers={"Location": "https://elsewhere.example/"}),
    "a redirect with JSON": Fault(302, "{}", {"Location": "https://elsewhere.example/"}),
}


@pytest.mark.parametrize("name", ONCE)
def test_a_read_survives_one(server, api, name):
    server.fail("GetKernelSessionStatus", ONCE[name])
    assert api.status("ada/cid-run").state is State.SUCCEEDED
    assert len(server.asked("GetKernelSessionStatus")) == 2


@pytest.mark.parametrize("name", ONCE)
def test_a_read_gives_up_after_five_tries(server, api, name):
    server.fail("GetKernelSessionStatus", *[ONCE[name]] * 9)
    with pytest.raises(Unreachable) as caught:
        api.status("ada/cid-run")
    assert caught.value.retryable
    assert len(server.asked("GetKernelSessionStatus")) == 5


@pytest.mark.parametrize("name", ONCE)
def test_a_push_is_never_sent_twice(server, api, name):
    server.fail("SaveKernel", ONCE[name])
    with pytest.raises(Unreachable) as caught:
        api.push(METADATA, "print()")
    assert caught.value.retryable
    assert len(server.asked("SaveKernel")) == 1


def test_a_push_takes_a_fresh_connection_since_a_kept_one_may_be_dead(server, api):
    api.status("ada/cid-run")
    api.push(METADATA, "print()")
    api.status("ada/cid-run")
    first, push, last = [call.port for call in server.calls]
    assert first == last != push


def test_a_push_whose_answer_is_lost_has_arrived(server, api):
    server.fail("SaveKernel", Fault(drop=True, done=True))
    with pytest.raises(Unreachable, match=r"the connection to 127.0.0.1 failed"):
        api.push(METADATA, "print('mine')")
    assert api.get("ada/cid-run").source == "print('mine')"


@pytest.mark.parametrize("body", [google(400, "the title is odd"), '{"code":400,"message":"the title is odd"}'])
@pytest.mark.parametrize("status", [200, 400])
def test_kaggles_own_words_come_through_in_both_envelopes(server, api, body, status):
    server.fail("GetKernel", Fault(status, body))
    with pytest.raises(Refused, match="the title is odd"):
        api.get("ada/cid-run")
    assert len(server.asked("GetKernel")) == 1


def test_words_outside_any_envelope_come_through(server, api):
    server.fail("GetKernel", Fault(400, "plain words", kind="text/plain"))
    with pytest.raises(Refused, match="plain words"):
        api.get("ada/cid-run")


def test_a_page_is_called_a_page(server, api):
    server.fail("SaveKernel", Fault(200, HTML, kind="text/html"))
    with pytest.raises(Unreachable, match=r"an HTML page \(Service Unavailable\)"):
        api.push(METADATA, "print()")


def test_credentials_that_are_not_taken_fail_at_once(server, api):
    server.fail("GetKernel", Fault(401, google(401, "Unauthenticated")))
    with pytest.raises(CredentialsError, match="Unauthenticated"):
        api.get("ada/cid-run")
    assert len(server.asked("GetKernel")) == 1


@pytest.mark.parametrize(
    ("value", "pause"),
    [("7", 7.0), ("0", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("", None)],
)
def test_the_pause_that_kaggle_asks_for_is_read(value, pause):
    assert transport.retry_after({"Retry-After": value}) == pause


def test_the_pause_that_kaggle_asks_for_is_made(server, api):
    class Enough(Exception):
        pass

    pauses = []

    def stop(details: stamina.instrumentation.RetryDetails) -> None:
        pauses.append(details.wait_for)
        raise Enough

    server.fail("GetKernel", Fault(429, google(429, "slow down"), {"Retry-After": "77"}))
    stamina.instrumentation.set_on_retry_hooks([stop])
    try:
        with stamina.set_testing(testing=False), pytest.raises(Enough):
            api.get("ada/cid-run")
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert pauses == [77.0]


def test_a_pause_of_an_hour_is_not_made(server, api):
    server.fail("GetKernel", Fault(429, google(429, "slow down"), {"Retry-After": "3600"}))
    with pytest.raises(Unreachable, match="slow down"):
        api.get("ada/cid-run")
    assert len(server.asked("GetKernel")) == 1


def test_a_server_that_does_not_answer_is_not_waited_for(api, server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        quiet = at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        send = transport.Session.send
        monkeypatch.setattr(transport.Session, "send", lambda *a, **kw: send(*a, **kw | {"read": 0.05}))
        with pytest.raises(Unreachable, match="did not answer in time"):
            Kaggle(key(), quiet, {}).quota()


def test_every_call_has_its_time_limits():
    assert (transport.CONNECT, transport.READ) == (5.0, 30.0)


def test_an_answer_that_drips_for_ever_is_ended(monkeypatch):
    def drip(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.sendall(b"1\r\n{\r\n")
        peer.close()

    monkeypatch.setattr("containerid.kaggle.wire.TOTAL", -1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        api = Kaggle(key(), at(f"http://127.0.0.1:{listener.getsockname()[1]}"), {})
        with pytest.raises(Unreachable, match="does not come to an end"):
            api.push(METADATA, "print()")


def test_nobody_at_the_address_is_unreachable(server):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(Unreachable, match="Connection refused") as caught:
        Kaggle(key(), at(address), {}).quota()
    assert caught.value.code == 6


def test_a_certificate_that_cannot_be_trusted_is_said_and_not_tried_again(server):
    with pytest.raises(Unreachable, match="certificate") as caught:
        Kaggle(key(), at(server.url.replace("http:", "https:")), {}).quota()
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_netrc_does_not_replace_the_credentials(server, own_home):
    (own_home / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n", encoding="utf-8")
    kaggle(server, token()).quota()
    assert server.calls[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_proxy_is_not_used_for_this_machine(server, api, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert api.quota().total_h == 30


def test_nothing_is_logged_that_holds_the_key(server, api, caplog):
    with caplog.at_level(logging.DEBUG):
        api.quota()
    assert KEY not in caplog.text


def test_the_name_of_a_key_needs_no_question(server, api):
    assert api.whoami() == "ada"
    assert server.calls == []


def test_the_name_behind_a_token_is_asked_for_once(server):
    api = kaggle(server, token())
    assert [api.whoami(), api.whoami()] == ["ada", "ada"]
    assert [call.body for call in server.calls] == [{"token": TOKEN}]


@pytest.mark.parametrize("fault", [None, Fault(400, google(400, "x")), Fault(403), Fault(404), Fault(401)])
def test_a_token_that_is_not_valid_any_more_is_named_by_its_place(server, fault):
    if fault:
        server.fail("IntrospectToken", fault)
    with pytest.raises(CredentialsError, match=r"~/.kaggle/access_token is not valid") as caught:
        kaggle(server, token("KGAT_" + "9" * 32)).whoami()
    assert "kaggle.json" in caught.value.hint


def test_a_silent_kaggle_does_not_make_a_token_invalid(server):
    server.fail("IntrospectToken", *[Fault(503)] * 5)
    with pytest.raises(Unreachable):
        kaggle(server, token()).whoami()


@pytest.mark.parametrize("minutes", [-29, 4])
def test_an_oauth_session_is_renewed_before_it_ends(server, minutes):
    api = kaggle(server, oauth(minutes=minutes))
    api.quota()
    api.quota()
    assert [call.rpc for call in server.calls] == ["GenerateAccessToken", *["GetAcceleratorQuotaStatistics"] * 2]
    renewal, quota = server.calls[0], server.calls[1]
    assert renewal.body == {"refreshToken": "good", "apiVersion": "API_VERSION_V1", "expirationDuration": "43200s"}
    assert renewal.headers["Authorization"] is None
    assert quota.headers["Authorization"] == "Bearer fresh"


def test_an_oauth_session_that_is_good_is_used_as_it_is(server):
    kaggle(server, oauth(minutes=60)).quota()
    assert server.calls[0].headers["Authorization"] == "Bearer old"


def test_an_oauth_session_that_is_over_says_how_to_get_another(server):
    with pytest.raises(CredentialsError, match="cannot be renewed") as caught:
        kaggle(server, oauth(minutes=-1, refresh="bad")).quota()
    assert caught.value.hint == "kaggle auth login"


def test_a_push_gives_what_kaggle_made_of_it(server, api):
    pushed = api.push(METADATA, "print()")
    assert (pushed.kernel, pushed.version, pushed.missing) == ("ada/cid-run", 2, {})
    assert pushed.url == "https://www.kaggle.com/code/ada/cid-run"


@pytest.mark.parametrize(
    ("answer", "kernel"),
    [
        ({"url": "https://www.kaggle.com/code/ada/other-slug", "ref": ""}, "ada/other-slug"),
        ({"url": "https://www.kaggle.com/ada/other-slug", "ref": ""}, "ada/other-slug"),
        ({"url": "", "ref": "/code/ada/other-slug v36"}, "ada/other-slug"),
        ({"url": "", "ref": "ada/other-slug"}, "ada/cid-run"),
        ({"url": "", "ref": ""}, "ada/cid-run"),
    ],
)
def test_the_slug_is_kaggles_not_ours(server, api, answer, kernel):
    server.answers["SaveKernel"] = answer | {"versionNumber": "36", "error": None, "invalidTags": None}
    pushed = api.push(METADATA, "print()")
    assert (pushed.kernel, pushed.version) == (kernel, 36)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "Maximum batch GPU session count of 2 reached.", "versionNumber": 0, "hasError": True},
        {"versionNumber": 0, "error": "", "url": "https://www.kaggle.com/code/ada/cid-run"},
        {},
    ],
)
def test_a_push_that_is_answered_with_no_is_refused_although_http_says_ok(server, api, answer):
    server.answers["SaveKernel"] = answer
    with pytest.raises(Refused):
        api.push(METADATA, "print()")


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_whatever_the_no_to_a_push_nothing_was_started(server, api, status):
    server.fail("SaveKernel", Fault(status, google(status, "Permission 'kernels.get' was denied")))
    with pytest.raises(Refused):
        api.push(METADATA, "print()")


def test_sources_that_kaggle_leaves_out_are_told(server, api):
    server.datasets["ada/there"] = {}
    sources = ["ada/there", "ada/missing"]
    server_answer = api.push(METADATA | {"dataset_sources": sources}, "print()")
    assert server_answer.missing == {"dataset": ("ada/missing",)}


def test_a_truth_that_is_none_is_not_guessed(api):
    with pytest.raises(UsageError, match="is_private is 'yes'"):
        api.push(METADATA | {"is_private": "yes"}, "print()")


STATES = {
    "QUEUED": State.QUEUED,
    "NEW_SCRIPT": State.QUEUED,
    "RUNNING": State.RUNNING,
    "running": State.RUNNING,
    "CANCEL_REQUESTED": State.RUNNING,
    "COMPLETE": State.SUCCEEDED,
    "KernelWorkerStatus.COMPLETE": State.SUCCEEDED,
    "ERROR": State.FAILED,
    "CANCEL_ACKNOWLEDGED": State.CANCELLED,
    "cancelAcknowledged": State.CANCELLED,
    "kernelWorkerStatusError": State.FAILED,
}


@pytest.mark.parametrize("word", STATES)
def test_kaggles_words_for_states(server, api, word):
    server.kernels["ada/cid-run"].status = {"status": word, "failureMessage": None, "hasFailureMessage": False}
    status = api.status("ada/cid-run")
    assert (status.state, status.message) == (STATES[word], "")


@pytest.mark.parametrize("word", ["PREEMPTED", 17, "", None])
def test_a_word_that_is_new_means_that_it_runs_or_waits(server, api, word):
    server.kernels["ada/cid-run"].status = {"status": word}
    status = api.status("ada/cid-run")
    if word:
        assert status.state is State.RUNNING
        assert str(word) in status.message
    else:
        assert status.state is State.QUEUED


def test_a_kernel_that_is_not_there_is_not_found(api):
    with pytest.raises(NotFound) as caught:
        api.status("ada/none")
    assert caught.value.code == 2


def test_outputs_come_page_by_page_with_their_sizes(server, api):
    server.pace = 2
    files = {f"plots/{number}.png": b"x" * number for number in range(5)}
    server.kernels["ada/cid-run"].files = files
    server.kernels["ada/cid-run"].sizes = {"plots/3.png": 3, "other": 1}
    found = api.outputs("ada/cid-run", "1")
    assert [file.name for file in found] == list(files)
    assert [file.size for file in found] == [None, None, None, 3, None]
    assert all(file.url.startswith(server.url) for file in found)


def test_a_page_token_that_comes_again_ends_the_listing(server, api):
    page = {"files": [{"fileName": "a", "url": "u"}], "nextPageToken": "same"}
    server.answers["ListKernelSessionOutput"] = page
    server.answers["ListKernelFiles"] = {"files": [{"name": "a", "size": 1}], "nextPageToken": "same"}
    assert [file.name for file in api.outputs("ada/cid-run")] == ["a"]
    assert len(server.asked("ListKernelSessionOutput")) == 2


def test_nulls_where_lists_should_be_are_no_files(server, api):
    server.answers["ListKernelSessionOutput"] = {"files": None, "log": None, "nextPageToken": None}
    assert api.outputs("ada/cid-run") == []
    assert api.log("ada/cid-run") == ""


def test_files_without_name_or_link_are_left_out(server, api):
    server.answers["ListKernelSessionOutput"] = {"files": [{"fileName": "a"}, {"url": "u"}, {}, "odd"]}
    assert api.outputs("ada/cid-run") == []


def test_an_answer_of_another_shape_is_no_crash(server, api):
    server.answers["ListKernelSessionOutput"] = {"files": 3}
    with pytest.raises(Unreachable, match="cannot be read"):
        api.outputs("ada/cid-run")


def test_a_kernel_is_read_back_as_kaggle_keeps_it(server, api):
    found = api.get("ada/cid-run")
    assert (found.kernel, found.title, found.version, found.private, found.gpu) == (
        "ada/cid-run",
        "cid-run",
        1,
        True,
        True,
    )
    assert found.source == "print()"
    assert found.ran is not None
    assert found.ran.isoformat() == "2026-11-21T05:00:00.123000+00:00"


def test_an_empty_answer_about_a_kernel_is_unreachable(server, api):
    server.answers["GetKernel"] = {}
    with pytest.raises(Unreachable, match="is empty"):
        api.get("ada/cid-run")


def test_own_kernels_are_listed_over_pages(server, api):
    server.pace = 2
    server.kernels |= {f"ada/k{number}": Kept() for number in range(5)}
    assert [each.kernel for each in api.mine()] == sorted(server.kernels)
    assert len(api.mine(limit=3)) == 3


def test_quota_is_hours_and_more_than_a_day_is_no_trouble(api, server):
    quota = api.quota()
    assert (round(quota.used_h, 4), quota.reserved_h, quota.total_h) == (12.5001, 1.0, 30.0)
    assert round(quota.left_h, 4) == 16.4999
    assert quota.refresh == datetime(2026, 11, 28, tzinfo=UTC)
    assert quota.origin == server.url
    assert abs(quota.skew) < 5
    assert api.quota("tpu").total_h == 0


@pytest.mark.parametrize(
    ("duration", "hours"), [("1.5s", 1.5 / 3600), ("172800s", 48.0), ("0s", 0.0), ("", 0.0), (None, 0.0), ("x", 0.0)]
)
def test_durations_are_read_as_the_protocol_writes_them(duration, hours):
    assert module.answers.hours(duration) == hours


def test_a_deletion_that_kaggle_declines_is_refused(server, api):
    server.answers["DeleteKernel"] = {"errorMessage": "not now"}
    with pytest.raises(Refused, match="not now"):
        api.delete("ada/cid-run")


def test_a_session_is_stopped_by_its_id(server, api):
    server.answers["CancelKernelSession"] = {}
    api.cancel(42)
    assert server.calls[0].body == {"kernelSessionId": 42}
    server.answers.clear()
    with pytest.raises(Refused, match=r"kernelSessions\.cancel"):
        api.cancel(43)


@pytest.mark.parametrize("name", ["slug", "a/b/c", "/b", "a/", ""])
def test_a_name_without_its_owner_is_a_usage_error(api, name):
    with pytest.raises(UsageError, match="owner/slug"):
        api.status(name)


def test_an_upload_without_an_address_is_unreachable(server, api, tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    server.answers["StartBlobUpload"] = {"token": "t"}
    with pytest.raises(Unreachable, match="where x can be sent"):
        api.start_upload(tmp_path / "x")


def test_only_api_knows_kagglesdk_and_nobody_imports_kaggle():
    import ast
    from pathlib import Path

    folder = Path(module.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                assert name.partition(".")[0] != "kaggle", path
                assert name.partition(".")[0] != "kagglesdk" or path.name == "api.py", path


def test_errors_are_all_ours(server, api):
    server.fail("GetKernel", Fault(200, json.dumps(["a", "list"])), *[Fault(200, "[]")] * 4)
    with pytest.raises(CidError):
        api.get("ada/cid-run")
