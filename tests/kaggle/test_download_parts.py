"""Large files in blocks, files that go on where they broke off, links that expire, bodies that never end."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stamina
from fakes.storage import Storage as Far
from fakes.storage import Thing, broken, flipped, good, reset, says, whole

from containerid.errors import Unreachable
from containerid.job import Output
from containerid.kaggle.download import Storage
from containerid.kaggle.origin import at
from containerid.kaggle.source import Measures

BLOCK = 1 << 16
DATA = b"".join(number.to_bytes(4) for number in range(10 * BLOCK // 4)) + b"the end"
SHA = hashlib.sha256(DATA).hexdigest()
BLOCKS = Measures(stall=1, wide=4 * BLOCK, block=BLOCK, noted=1000)
WHOLE = replace(BLOCKS, wide=1 << 30)


@pytest.fixture
def far() -> Iterator[Far]:
    with Far() as server, stamina.set_testing(testing=True, attempts=4):
        server.files = {"a": Thing(DATA)}
        yield server


def fetch(far: Far, to: Path, measures: Measures = BLOCKS, *, size: int | None = len(DATA), sha256: str = SHA) -> str:
    links = lambda expired: f"{far.url}/files/a?sig={far.signature}"  # noqa: E731
    return Storage(at(far.url), {}, measures).fetch(links, Output("a", size, "", sha256), to / "part")


def ranges(far: Far) -> list[str]:
    return [asked.headers.get("range", "") for asked in far.asked]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"home"}


def test_a_large_file_comes_in_blocks_over_several_connections(far, tmp_path):
    assert fetch(far, tmp_path) == SHA
    assert (tmp_path / "part").read_bytes() == DATA
    assert left(tmp_path) == {"part"}
    asked = ranges(far)
    assert asked[0] == "bytes=0-0"
    assert sorted(asked[1:]) == sorted(f"bytes={n * BLOCK}-{min((n + 1) * BLOCK, len(DATA)) - 1}" for n in range(11))
    assert all(each.headers["if-range"] == far.files["a"].etag for each in far.asked[1:])
    assert 1 < len({each.connection for each in far.asked}) <= 8


def test_files_one_after_another_come_over_one_connection(far, tmp_path):
    far.files = {f"{number}": Thing(DATA[:number]) for number in range(9)}
    storage = Storage(at(far.url), {})
    for number in range(9):
        link = f"{far.url}/files/{number}?sig=1"
        storage.fetch(lambda _, link=link: link, Output("a", number, ""), tmp_path / f"{number}")
    assert {asked.connection for asked in far.asked} == {1}


def test_a_large_file_that_nothing_can_be_checked_against_comes_in_one_piece(far, tmp_path):
    assert fetch(far, tmp_path, sha256="") == SHA
    assert ranges(far) == [""]


def test_a_server_without_ranges_gives_it_in_one_piece(far, tmp_path):
    far.always["a"] = whole
    assert fetch(far, tmp_path) == SHA
    assert ranges(far) == ["bytes=0-0", ""]


@pytest.mark.parametrize("fault", [says(503), says(429, Retry_After="1"), reset, broken("close")])
def test_a_fault_in_one_block_costs_that_block_alone(far, tmp_path, fault):
    far.plan("a", good, good, fault)
    assert fetch(far, tmp_path) == SHA


def test_a_block_that_breaks_off_goes_on_in_its_middle(far, tmp_path):
    def half(line, thing, asked):
        start = int(asked.headers["range"].removeprefix("bytes=").partition("-")[0])
        span = {"Content-Range": f"bytes {start}-{start + BLOCK - 1}/{len(DATA)}", "Content-Length": str(BLOCK)}
        line.send(206, thing.headers() | span, thing.data[start : start + BLOCK // 2])
        line.reset()

    far.plan("a", good, half)
    assert fetch(far, tmp_path) == SHA
    assert any(int(each.removeprefix("bytes=").partition("-")[0]) % BLOCK == BLOCK // 2 for each in ranges(far))


def test_another_object_in_the_middle_is_fetched_from_its_start(far, tmp_path):
    other = bytes(reversed(DATA))

    def change(line, thing, asked):
        far.files["a"] = Thing(DATA)
        good(line, far.files["a"], asked)

    far.files["a"] = Thing(other)
    far.plan("a", good, good, good, change)
    assert fetch(far, tmp_path) == SHA
    assert (tmp_path / "part").read_bytes() == DATA


def test_blocks_with_a_wrong_bit_are_fetched_again_and_then_given_up(far, tmp_path):
    spoilt = bytearray(DATA)
    spoilt[5 * BLOCK] ^= 1
    far.files["a"] = Thing(bytes(spoilt))
    with pytest.raises(Unreachable, match="differs from its checksum"):
        fetch(far, tmp_path)
    assert ranges(far).count("bytes=0-0") == 2
    assert left(tmp_path) == set()


def test_blocks_that_were_whole_when_it_broke_off_are_not_fetched_again(far, tmp_path):
    def last(line, thing, asked):
        return line.reset() if asked.headers["range"].endswith(f"-{len(DATA) - 1}") else good(line, thing, asked)

    far.always["a"] = last
    with pytest.raises(Unreachable):
        fetch(far, tmp_path)
    assert left(tmp_path) == {"part", "part.json"}
    assert json.loads((tmp_path / "part.json").read_text())["blocks"] == list(range(10))
    far.always.clear()
    far.asked.clear()
    assert fetch(far, tmp_path) == SHA
    assert ranges(far) == ["bytes=0-0", f"bytes={10 * BLOCK}-{len(DATA) - 1}"]


def test_blocks_of_another_object_are_not_gone_on_with(far, tmp_path):
    (tmp_path / "part").write_bytes(bytes(len(DATA)))
    (tmp_path / "part.json").write_text(json.dumps({"etag": '"other"', "size": len(DATA), "blocks": [0, 1, 2]}))
    assert fetch(far, tmp_path) == SHA


def test_blocks_that_a_note_calls_whole_and_that_are_not_are_found_out(far, tmp_path):
    (tmp_path / "part").write_bytes(bytes(len(DATA)))
    note = {"etag": far.files["a"].etag, "size": len(DATA), "blocks": [0, 1, 2]}
    (tmp_path / "part.json").write_text(json.dumps(note))
    assert fetch(far, tmp_path) == SHA
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.parametrize("note", ["", "{", "[]", '{"etag": 3}', '{"etag": "\\"x\\"", "size": 1}'])
def test_a_part_without_a_good_note_is_not_trusted(far, tmp_path, note):
    (tmp_path / "part").write_bytes(DATA[:BLOCK])
    (tmp_path / "part.json").write_text(note)
    assert fetch(far, tmp_path, WHOLE) == SHA
    assert ranges(far) == [""]


@pytest.mark.parametrize(
    ("hashed", "sha256", "again"),
    [(False, SHA, [f"bytes={BLOCK}-"]), (True, "", [f"bytes={BLOCK}-"]), (False, "", [f"bytes={BLOCK}-", ""])],
)
def test_a_part_is_gone_on_with_only_where_the_whole_can_be_checked(far, tmp_path, hashed, sha256, again):
    far.files["a"] = Thing(DATA, hashed=hashed)
    (tmp_path / "part").write_bytes(DATA[:BLOCK])
    (tmp_path / "part.json").write_text(json.dumps({"etag": far.files["a"].etag, "size": len(DATA), "blocks": None}))
    assert fetch(far, tmp_path, WHOLE, sha256=sha256) == SHA
    assert ranges(far) == again


def test_a_part_that_was_spoilt_meanwhile_is_fetched_anew(far, tmp_path):
    (tmp_path / "part").write_bytes(b"x" * BLOCK)
    (tmp_path / "part.json").write_text(json.dumps({"etag": far.files["a"].etag, "size": len(DATA), "blocks": None}))
    assert fetch(far, tmp_path, WHOLE) == SHA
    assert ranges(far) == [f"bytes={BLOCK}-", ""]


def test_a_link_in_place_of_a_part_is_not_written_through(far, tmp_path):
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "part").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"):
        fetch(far, tmp_path)
    assert (tmp_path / "precious").read_bytes() == b"mine"


@pytest.mark.parametrize("wide", [True, False])
def test_a_link_that_expires_in_the_middle_is_renewed_and_nothing_is_fetched_twice(far, tmp_path, wide):
    def expire(line, thing, asked):
        far.signature += 1
        broken("close")(line, thing, asked) if not wide else good(line, thing, asked)

    far.plan("a", good, good, expire) if wide else far.plan("a", expire)
    assert fetch(far, tmp_path, BLOCKS if wide else WHOLE) == SHA
    assert far.signature == 2
    if not wide:
        assert ranges(far)[-1].startswith("bytes=327")


def test_a_body_that_does_not_end_is_cut_at_what_was_listed(far, tmp_path):
    sent = []

    def endless(line, thing, asked):
        line.send(200, thing.headers() | {"Transfer-Encoding": "chunked"})
        while True:
            line.peer.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
            sent.append(1 << 16)

    far.always["a"] = endless
    with pytest.raises(Unreachable, match="longer than the"):
        fetch(far, tmp_path, size=2 * BLOCK, sha256="")
    assert len(far.asked) == 1
    assert sum(sent) < 64 * BLOCK
    assert left(tmp_path) <= {"part", "part.json"}


def test_a_body_that_does_not_end_and_is_not_listed_is_cut_too(far, tmp_path):
    with pytest.raises(Unreachable, match="longer than the 327,680 bytes"):
        fetch(far, tmp_path, replace(BLOCKS, limit=5 * BLOCK), size=None, sha256="")


def test_a_body_that_is_promised_longer_than_listed_is_not_read(far, tmp_path):
    with pytest.raises(Unreachable, match="storage promises"):
        fetch(far, tmp_path, size=100, sha256="")
    assert len(far.asked) == 4


def test_a_body_that_only_drips_is_given_up(far, tmp_path):
    def drip(line, thing, asked):
        line.send(200, thing.headers() | {"Content-Length": str(len(DATA))})
        for byte in DATA:
            if line.over.wait(0.01):
                return
            line.peer.sendall(bytes([byte]))

    far.plan("a", drip)
    assert fetch(far, tmp_path, replace(WHOLE, stall=0.05, window=0.05)) == SHA
    assert len(far.asked) == 2


def test_a_wrong_bit_under_a_manifest_is_fetched_again_once(far, tmp_path):
    far.plan("a", flipped)
    assert fetch(far, tmp_path, WHOLE) == SHA
    far.always["a"] = flipped
    (tmp_path / "part").unlink()
    with pytest.raises(Unreachable, match="differs from its checksum"):
        fetch(far, tmp_path, WHOLE)
    assert len(far.asked) == 4


def test_a_slow_network_is_waited_for_as_long_as_it_gets_further(far, tmp_path):
    def piece(line, thing, asked):
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        length = {"Content-Length": str(len(DATA) - start)}
        span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if start else {}
        line.send(206 if start else 200, thing.headers() | length | span, thing.data[start : start + BLOCK])
        line.reset()

    far.always["a"] = piece
    assert fetch(far, tmp_path, WHOLE) == SHA
    assert len(far.asked) == 11


def test_a_range_of_another_object_is_not_put_behind_our_bytes(far, tmp_path):
    def change(line, thing, asked):
        far.files["a"] = Thing(bytes(reversed(DATA)))
        span = {"Content-Range": f"bytes {len(DATA) // 2}-{len(DATA) - 1}/{len(DATA)}"}
        line.send(206, far.files["a"].headers() | span, far.files["a"].data[len(DATA) // 2 :])

    far.plan("a", broken("close"), change)
    fetch(far, tmp_path, WHOLE, sha256="")
    assert (tmp_path / "part").read_bytes() == bytes(reversed(DATA))
