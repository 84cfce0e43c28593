import json
import socket
import threading
from collections.abc import Iterator

import pytest
import stamina
from fakes.kaggle_server import Fault, KaggleServer, Kept, google
from hypothesis import given
from hypothesis import strategies as st

from containerid.clock import Clock
from containerid.errors import CidError, NotFound, Unreachable
from containerid.events import LogLine
from containerid.kaggle import stream
from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.logs import Lines, Piece, events, read
from containerid.kaggle.origin import at
from containerid.kaggle.transport import decode

NAME = "ada/cid-run"
SSE = "text/event-stream; charset=utf-8"


def event(text: str, time: object = 1.0, name: str = "stdout") -> dict[str, object]:
    return {"stream_name": name, "time": time, "data": text}


def sse(*found: dict[str, object] | str, end: bool = False) -> bytes:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in found]
    return "".join(f"data: {line}\n\n" for line in [*lines, *(["END_OF_LOG"] if end else [])]).encode()


def kept(*found: dict[str, object]) -> tuple[str, bytes]:
    return "application/json", json.dumps(found).encode()


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_a_log_is_a_json_array_of_pieces():
    log = json.dumps([event("a\nb", 1.5), event("c\n", 2), event("oops\n", 3, "stderr"), event("no end", 4)])
    assert read(log) == [
        LogLine(1.5, "stdout", "a"),
        LogLine(1.5, "stdout", "bc"),
        LogLine(3.0, "stderr", "oops"),
        LogLine(4.0, "stdout", "no end"),
    ]


def test_pieces_of_two_streams_do_not_mix_within_a_line():
    log = json.dumps([event("out", 1), event("err\n", 2, "stderr"), event("put\n", 3)])
    assert texts(read(log)) == ["err", "output"]


def test_a_log_that_breaks_off_gives_what_is_whole():
    log = json.dumps([event("a\n"), event("b\n")])
    assert texts(read(log[:-10])) == ["a"]
    assert texts(read(log[:-1])) == ["a", "b"]


def test_a_log_that_lost_its_head_gives_the_rest():
    log = json.dumps([event("a\n"), event("b\n"), event("c\n")])
    assert texts(read(log[12:])) == ["b", "c"]


def test_a_log_with_commas_in_front_is_read():
    assert texts(read('[{"stream_name":"stdout","time":1,"data":"a\\n"}\n,{"data":"b\\n"}]')) == ["a", "b"]


@pytest.mark.parametrize("text", ["", "[]", "[ ]\n", "  ", "["])
def test_an_empty_log_has_no_lines(text):
    assert read(text) == []


def test_plain_text_is_lines():
    assert texts(read("one\ntwo\r\n[3] three")) == ["one", "two", "[3] three"]


@pytest.mark.parametrize("time", ["soon", None, "NaN", float("nan"), float("inf"), [], -3])
def test_odd_times_are_no_trouble(time):
    (line,) = read(json.dumps([event("a\n", time)]))
    assert line.time in {0.0, -3.0}


@pytest.mark.parametrize("odd", [3, None, "text", [], {"data": 3}, {"time": 1}])
def test_odd_events_are_passed_over(odd):
    log = json.dumps([event("a\n"), odd, event("b\n")])
    assert texts(read(log)) == ["a", "b"]


def test_control_characters_inside_strings_are_read():
    assert texts(read('[{"stream_name":"stdout","time":1,"data":"tab\there\n"}]')) == ["tab\there"]


def test_bytes_that_are_not_utf8_are_read_as_cp1252():
    assert decode("✓ caf".encode() + b"\xe9 \x93q\x94") == "✓ café “q”"
    assert decode(b"\xef\xbb\xbfx\x81") == "x\ufffd"


def test_events_may_be_cut_anywhere_between_packets():
    body = sse(event("a\n"), event("é\n"), "not json", end=True)
    for size in (1, 2, 7, 1000):
        packets = [body[start : start + size] for start in range(0, len(body), size)]
        pieces = list(events(packets))
        assert pieces[-1] is None
        assert [piece.text for piece in pieces if piece] == ["a\n", "é\n", "not json\n"]


def test_half_an_event_at_a_cut_is_none():
    assert [piece and piece.text for piece in events([sse(event("a\n")), b'data: {"data": "ha'])] == ["a\n"]


def test_comments_names_and_ids_of_events_are_passed_over():
    assert list(events([b": hello\nevent: x\nid: 1\nretry: 5\n\n"])) == []


PIECES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(alphabet="ab\n", max_size=4)), max_size=30)


@given(PIECES, st.lists(st.integers(0, 30), max_size=4), st.randoms(use_true_random=False))
def test_however_often_it_is_cut_no_line_is_doubled_or_lost(found, cuts, random):
    whole = [Piece(0.0, name, text) for name, text in found]
    expected = Lines()
    lines = [*expected.take(whole), *expected.rest()]
    ours, seen = Lines(), []
    for cut in cuts:
        ours.again()
        seen += ours.take(whole[:cut])
    ours.again()
    seen += [*ours.take(whole), *ours.rest()]
    for name in ("stdout", "stderr"):
        assert [x.text for x in seen if x.stream == name] == [x.text for x in lines if x.stream == name]


class Moments:
    """A clock that the test reads: sleeping moves it and does nothing else."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []
        self.clock = Clock(lambda: self.time, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        server.kernels[NAME] = Kept(pushes=[{}, {}], status={"status": "RUNNING"})
        yield server


@pytest.fixture
def api(server: KaggleServer) -> Kaggle:
    return Kaggle(Credentials(kind="key", username="ada", secret=Secret("k"), source="test"), at(server.url), {})


def followed(api: Kaggle, server: KaggleServer, moments: Moments | None = None) -> list[str]:
    def is_over() -> bool:
        return api.status(NAME, "2").state.final

    return texts(list(stream.follow(api, NAME, "2", is_over=is_over, clock=(moments or Moments()).clock)))


def test_a_live_log_ends_with_its_end_mark(server, api):
    server.streams.append((SSE, sse(event("a\n"), event("b"), end=True)))
    assert followed(api, server) == ["a", "b"]
    (call,) = server.asked("logs")
    assert call.body == "/api/v1/kernels/logs/stream/ada/cid-run"
    assert call.query == {"versionLabel": ["v2"]}
    assert "event-stream" in call.headers["Accept"]


def test_a_cut_doubles_nothing_and_loses_nothing(server, api):
    a, b, c = event("a\n"), event("b\n"), event("c\n")
    cut = sse(a, b) + b'data: {"da'
    server.streams.extend([(SSE, sse(a)), (SSE, cut), (SSE, sse(a)), (SSE, sse(a, b, c, end=True))])
    assert followed(api, server) == ["a", "b", "c"]


def test_lines_that_are_alike_are_not_taken_for_doubles(server, api):
    same = event("same\n")
    server.streams.extend([(SSE, sse(same)), (SSE, sse(same, same, same, end=True))])
    assert followed(api, server) == ["same"] * 3


def test_other_pieces_of_the_same_text_are_not_new(server, api):
    server.streams.extend([(SSE, sse(event("a\nb\n"))), kept(event("a\n"), event("b\nc\n"))])
    assert followed(api, server) == ["a", "b", "c"]


def test_a_session_that_waits_has_no_log_yet(server, api):
    server.fail("logs", Fault(404, google(404, "no session")), Fault(403, google(403, "x 'kernels.get' was denied")))
    server.streams.append((SSE, sse(event("a\n"), end=True)))
    moments = Moments()
    assert followed(api, server, moments) == ["a"]
    assert moments.slept == [2.0, 4.0]


def test_lost_connections_are_survived(server, api):
    server.fail("logs", Fault(503), Fault(drop=True), Fault(502, "<html>", kind="text/html"))
    server.streams.append((SSE, sse(event("a\n"), end=True)))
    assert followed(api, server) == ["a"]


def test_a_session_that_ended_while_nobody_listened_gives_its_whole_log(server, api):
    server.streams.extend([(SSE, sse(event("a\n"))), kept(event("a\n"), event("b\n"))])
    server.kernels[NAME].status = {"status": "COMPLETE"}
    assert followed(api, server) == ["a", "b"]


def test_a_stream_that_will_not_come_back_is_replaced_by_the_kept_log(server, api):
    server.streams.append((SSE, sse(event("a\n"))))
    server.kernels[NAME].status = {"status": "ERROR"}
    server.kernels[NAME].log = json.dumps([event("a\n"), event("b\n")])
    assert followed(api, server) == ["a", "b"]
    assert len(server.asked("logs")) == 3


def test_an_error_in_a_good_answer_is_no_log(server, api):
    server.streams.append(("application/json", google(403, "Permission 'kernels.get' was denied").encode()))
    server.kernels[NAME].status = {"status": "COMPLETE"}
    server.kernels[NAME].log = json.dumps([event("a\n")])
    assert followed(api, server) == ["a"]


def test_a_kaggle_that_is_silent_for_a_quarter_of_an_hour_is_given_up(server, api):
    server.fail("logs", *[Fault(503)] * 999)
    server.fail("GetKernelSessionStatus", *[Fault(503)] * 999)
    moments = Moments()
    with pytest.raises(Unreachable):
        followed(api, server, moments)
    assert 900 < moments.time < 960


def test_a_kernel_that_is_gone_ends_its_log(server, api):
    del server.kernels[NAME]
    with pytest.raises(NotFound):
        followed(api, server)


def test_the_kept_log_needs_one_question(server, api):
    server.kernels[NAME].log = json.dumps([event("a\n")])
    assert texts(list(stream.kept(api, NAME))) == ["a"]
    assert [call.rpc for call in server.calls] == ["ListKernelSessionOutput"]


@pytest.mark.parametrize("kept_so_far", ["", "[]"])
def test_a_log_that_is_not_kept_yet_is_the_head_of_the_live_one(server, api, kept_so_far):
    server.kernels[NAME].log = kept_so_far
    server.streams.append((SSE, sse(event("a\n"), event("b"))))
    assert texts(list(stream.kept(api, NAME))) == ["a", "b"]


def test_a_log_that_nobody_has_is_empty(server, api):
    assert list(stream.kept(api, NAME)) == []


def test_the_log_of_no_kernel_is_not_found(api):
    with pytest.raises(NotFound):
        list(stream.kept(api, "ada/none"))


def test_credentials_that_are_not_taken_end_a_log(server, api):
    server.fail("logs", Fault(401))
    with pytest.raises(CidError, match="credentials"):
        followed(api, server)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_line_is_given_out_as_soon_as_it_is_there_and_a_dead_connection_is_left(monkeypatch, chunked):
    """The server sends one line, then is silent and never closes; the second connection brings the end."""
    monkeypatch.setattr(stream, "_SILENCE", 0.2)
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    bodies = [sse(event("a\n")), sse(event("a\n"), event("b\n"), end=True)]

    def serve(listener: socket.socket, peers: list[socket.socket]) -> None:
        for body in bodies:
            peer, _ = listener.accept()
            peers.append(peer)
            peer.recv(65536)
            if chunked:
                peer.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n")
            else:
                peer.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)

    peers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, peers), daemon=True).start()
        key = Credentials(kind="key", username="ada", secret=Secret("k"), source="test")
        api = Kaggle(key, at(f"http://127.0.0.1:{listener.getsockname()[1]}"), {})
        lines = stream.follow(api, NAME, is_over=lambda: False, clock=Moments().clock)
        assert next(lines).text == "a"
        assert len(peers) == 1
        assert texts(list(lines)) == ["b"]
        for peer in peers:
            peer.close()


def test_a_log_that_lost_its_head_on_the_way_doubles_and_loses_nothing(server, api):
    a, b, c, d = (event(f"{name}\n") for name in "abcd")
    server.streams.extend([(SSE, sse(a, b, c)), (SSE, sse(b, c)), kept(c, d)])
    assert followed(api, server) == ["a", "b", "c", "d"]


def test_a_log_that_lost_all_that_was_seen_is_new(server, api):
    server.streams.extend([(SSE, sse(event("a\n"), event("b\n"))), kept(event("x\n"), event("y\n"))])
    assert followed(api, server) == ["a", "b", "x", "y"]


def test_a_cut_in_the_middle_of_a_log_asks_no_further_question(server, api):
    a, b = event("a\n"), event("b\n")
    server.streams.extend([(SSE, sse(a)), (SSE, sse(a, b)), (SSE, sse(a, b, end=True))])
    assert followed(api, server) == ["a", "b"]
    assert server.asked("GetKernelSessionStatus") == []


def test_a_pause_that_kaggle_asks_for_is_kept_before_the_log_is_opened_again(server, api):
    server.fail("logs", Fault(429, google(429, "Too many requests"), headers={"Retry-After": "77"}))
    server.streams.append((SSE, sse(event("a\n"), end=True)))
    moments = Moments()
    assert followed(api, server, moments) == ["a"]
    assert moments.slept == [77.0]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_bar_that_is_drawn_over_and_over_is_one_line_however_it_is_cut(cut):
    text = "  0%\r 50%\r100%\r\nnext\n"
    pieces = [Piece(0.0, "stdout", text[:cut]), Piece(1.0, "stdout", text[cut:])]
    lines = Lines()
    assert texts([*lines.take(pieces), *lines.rest()]) == ["100%", "next"]


def test_a_bar_that_is_drawn_for_hours_takes_no_room():
    lines = Lines()
    for step in range(1000):
        assert list(lines.take([Piece(float(step), "stdout", f"\r{step} of a long bar")])) == []
    assert len(lines._begun["stdout"].text) < 40


def test_times_that_run_backwards_are_left_as_they_are():
    assert [line.time for line in read(json.dumps([event("a\n", 5), event("b\n", 3), event("c\n", 6)]))] == [5, 3, 6]


def test_the_log_as_the_web_page_shows_it_is_read_with_its_times():
    page = "Time\t#\tLog Message\n5.1s\t1\tfirst\n18.4s\t2\t  second\n17.0s\t3\t\n"
    assert [(line.time, line.text) for line in read(page)] == [(5.1, "first"), (18.4, "  second"), (17.0, "")]
    assert texts(read("5.1s 1 first\n6.0s 2 second")) == ["first", "second"]


def test_plain_lines_that_begin_like_the_web_page_are_plain():
    assert texts(read("5.1s 1 first\nand then")) == ["5.1s 1 first", "and then"]
