"""The YAML reader: what DVC reads, at the same lines, and nothing that would surprise."""

import datetime as dt
import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.config import yamlfile

WORDS = {
    "1e-3": 0.001, "1E5": 100_000.0, "+1e3": 1000.0, ".5": 0.5, "-.5": -0.5, "1.": 1.0, "1_000": 1000, "0x1F": 31,
    "0o17": 15, "010": 10, "08": 8, "0b11": 3, "-0": 0, "1:30": "1:30", "on": "on", "yes": "yes", "No": "No", "y": "y",
    "true": True, "TRUE": True, "tRue": "tRue", "~": None, "Null": None, "nan": "nan", "inf": "inf",
    "1.0.0": "1.0.0", "2026-11-21": "2026-11-21", "'12'": "12", '"true"': "true", "exp001": "exp001",
}  # fmt: skip


@pytest.mark.parametrize(("word", "value"), WORDS.items())
def test_a_word_is_read_as_yaml_1_2_says(word: str, value: object) -> None:
    document = yamlfile.read(f"key: {word}")
    assert document.faults == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="0123456789+-._eExXobBinfINFnatruefalsyN~", max_size=8))
def test_every_word_is_read_as_dvc_reads_it(word: str) -> None:
    serialize = pytest.importorskip("dvc.utils.serialize")
    try:
        theirs = serialize.loads_yaml(f"key: {word}")["key"]
    except Exception:
        return
    ours = yamlfile.read(f"key: {word}")
    if isinstance(theirs, float) and not math.isfinite(theirs):
        assert "finite" in ours.faults[0][2]
    elif not isinstance(theirs, dt.date):
        assert not ours.faults
        assert (ours.value["key"], type(ours.value["key"])) == (theirs, type(theirs))


def test_every_key_and_item_knows_its_line() -> None:
    document = yamlfile.read("a:\n  b: 1\n\n  c:\n    - x\n    - {d: 2}\n")
    assert document.lines == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "d"): 6,
    }


REFUSED = {
    "a: 1\nb: 2\na: 3\n": (3, "a", "stands here again, after line 1"),
    "a: {b: 1, b: 2}": (1, "a.b", "stands here again, after line 1"),
    "a: &here 1\n": (1, "a", "`&here` is an anchor; write the value out where it is needed"),
    "a: 1\nb: *here\n": (2, "b", "`*here` is an alias; write the value out"),
    "a:\n  <<: {b: 1}\n": (2, "a", "`<<` (merge) is not supported; write the values out"),
    "a: !!int 3": (1, "a", "`tag:yaml.org,2002:int` is a tag; take it out"),
    "a: !!python/name:os.system": (1, "a", "`tag:yaml.org,2002:python/name:os.system` is a tag; take it out"),
    "a: .nan": (1, "a", ".nan is not a finite number"),
    "a: [1, -.inf]": (1, "a[1]", "-.inf is not a finite number"),
    "a: 1e400": (1, "a", "1e400 is not a finite number"),
    f"a: {'9' * 5000}": (1, "a", "is a number of more than 30 digits"),
    "1: x": (1, "1", "the key 1 is not text; put it in quotes"),
    "? [a]\n: b": (1, "", "a key must be one word"),
    "a: 1\n---\nb: 2": (2, "", "holds a second document"),
    "%YAML 1.1\n---\na: on": (1, "", "is read as YAML 1.2; take the %YAML line out"),
    'a: "\\0"': (1, "a", "holds a control character"),
    "[" * 100 + "]" * 100: (1, "", "is nested deeper than 32 levels"),
    "{" * 100 + "}" * 100: (1, "", "a key must be one word"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), REFUSED.items(), ids=lambda each: str(each)[:20])
def test_what_a_settings_file_does_not_need_is_refused_where_it_stands(text: str, fault: tuple[int, str, str]) -> None:
    line, path, reason = yamlfile.read(text).faults[0]
    assert (line, yamlfile.dotted(path), reason) == fault


def test_a_syntax_error_is_one_line_with_its_place() -> None:
    (line, path, reason), *others = yamlfile.read("a:\n  b: [1, 2\nc: 3\n").faults
    assert (line, path, others) == (3, (), [])
    assert reason.startswith("column 2: not valid YAML: ")
    assert "\n" not in reason


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"a: \xe9", "a: \udcff"])
def test_what_is_not_utf_8_is_refused(content: bytes | str) -> None:
    assert yamlfile.read(content).faults == [(1, (), "is not UTF-8 text")]


def test_a_byte_order_mark_is_no_fault() -> None:
    assert yamlfile.read("\ufeffa: 1".encode()).value == {"a": 1}


@pytest.mark.parametrize("nothing", ["", "\n\n", "# only a comment\n", "---\n", "~"])
def test_an_empty_text_is_nothing(nothing: str) -> None:
    document = yamlfile.read(nothing)
    assert (document.value, document.faults) == (None, [])


def test_more_than_a_megabyte_is_not_even_parsed() -> None:
    assert yamlfile.read(b"[" * 1_000_001).faults == [(1, (), "is larger than 1,000,000 bytes")]


def test_a_full_megabyte_is_read_in_seconds() -> None:
    text = "".join(f"key{number}: [1, 2, {{a: b}}]\n" for number in range(36_000))[:999_990]
    started = time.process_time()
    yamlfile.read(text)
    assert time.process_time() - started < 20


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@?,#\n\t \\0~<.e1é\x00\ud800", max_size=60) | st.binary(max_size=40))
def test_no_text_raises_and_what_is_read_is_json(text: str | bytes) -> None:
    document = yamlfile.read(text)
    if not document.faults:
        assert json.loads(json.dumps(document.value, allow_nan=False)) == document.value
    assert all("\n" not in reason for _, _, reason in document.faults)


def test_the_parser_of_pure_python_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: {b: [1e-3, on, 'x']}\nc: |\n  long\n  text\n"
    fast = yamlfile.read(text)
    monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    assert yamlfile.read(text) == fast
