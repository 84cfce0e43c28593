import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containerid.job import Output
from containerid.runs.paths import Wish, confine, sort

HOSTILE = [
    "../x", "a/../../x", "..", ".", "", "/etc/passwd", "//x", "C:\\x", "C:x", "a\\b", "a\x00b", "a\nb", "\x1b[2J",
    "-rf", "a/-rf", ".git/hooks/x", ".GIT/config", "a/.git/config", "git~1/x", "CON", "con.txt", "NUL", "lpt1.log",
    "x" * 256,
    "é" * 128, "a.", "a ", "\u202egpj.exe", "\ud800", ".cid-parts/x",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_not_written(name, tmp_path):
    assert confine(name, tmp_path) is None


@pytest.mark.parametrize("name", ["best.pt", "weights/best.pt", "a b.txt", ".gitignore", "über.png", "conf"])
def test_an_honest_name_is_written_where_it_says(name, tmp_path):
    assert confine(name, tmp_path) == tmp_path / name


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(alphabet=st.sampled_from("a./\\:-~ \x00\x1bgitCON…\u202e"), max_size=20) | st.text(max_size=40))
def test_no_name_leads_out_of_the_folder(name, tmp_path):
    path = confine(name, tmp_path)
    if path is not None:
        assert os.path.normpath(path).startswith(f"{tmp_path}{os.sep}")
        assert os.path.normpath(path) == str(path)


def names(outputs: list[Output]) -> list[str]:
    return [output.name for output in outputs]


@pytest.mark.parametrize("second", ["Best.pt", "./best.pt", "best.pt", "BEST.PT"])
def test_of_two_names_that_are_one_file_somewhere_the_first_is_kept(second, tmp_path):
    safe, unsafe = sort([Output("best.pt", 1, "1"), Output(second, 1, "2")], tmp_path, [])
    assert (names(safe), unsafe, safe[0].source) == (["best.pt"], [second], "1")


def test_two_spellings_of_an_accent_are_one_file(tmp_path):
    safe, unsafe = sort([Output("u\u0308.png", 1, ""), Output("\u00fc.png", 1, "")], tmp_path, [])
    assert (len(safe), len(unsafe)) == (1, 1)


def test_a_name_that_the_log_takes_is_not_an_outputs(tmp_path):
    assert sort([Output("Run.log", 1, "")], tmp_path, ["run.log"]) == ([], ["Run.log"])


@pytest.mark.parametrize(
    ("include", "exclude", "covered"),
    [
        ((), (), {"weights/best.pt", "weights/last.pt", "results.csv"}),
        (("*.pt",), (), {"weights/best.pt", "weights/last.pt"}),
        (("best.pt",), (), {"weights/best.pt"}),
        (("weights",), (), {"weights/best.pt", "weights/last.pt"}),
        (("weights/",), ("last*",), {"weights/best.pt"}),
        ((), ("weights/*",), {"results.csv"}),
        (("weights/[bl]*.pt", "results.csv"), (), {"weights/best.pt", "weights/last.pt", "results.csv"}),
    ],
)
def test_globs_say_what_is_asked_for(include, exclude, covered):
    wish = Wish(include, exclude)
    assert {name for name in ("weights/best.pt", "weights/last.pt", "results.csv") if wish.covers(name)} == covered
    assert wish.everything == (not include and not exclude)
