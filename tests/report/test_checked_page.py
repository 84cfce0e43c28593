"""The page about a check: what a set holds, what is wrong with it in words, and a few pictures of each kind."""

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

from fakes.reports import Read
from fakes.sets import draw_set

import containerid.dataset
from containerid.dataset import sets
from containerid.dataset.check import check
from containerid.dataset.findings import Finding, Report
from containerid.report import checked, kinds

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
_KIND = re.compile(
    r"(image|label|split|class|yaml|name|list)-[a-z-]*[a-z]|too-few|no-boxes|no-labels|junk|cache|loop|nested"
)


def page_of(root, report=None):
    file = root.parent / "page.html"
    checked.write(file, report or check(sets.survey(root / "data.yaml")), root, now=NOW)
    return Read(file.read_text(encoding="utf-8"))


def test_the_page_names_the_set_the_day_and_the_command_that_mends(tmp_path):
    root = draw_set(tmp_path / "the doors")
    (root / "labels/train/train1.txt").write_text("7 0.5 0.5 0.2 0.2\n")
    page = page_of(root)
    for told in (
        str(root), "21 November 2026", "1 error", "Boxes of a class that there is not", "label-class",
        "correct it, or add the class to `names`", f"cid data check '{root}' --fix",
        "does not begin before its errors are mended",
    ):  # fmt: skip
        assert told in page.text, told


def test_a_good_set_is_told_to_be_one_and_needs_no_command(tmp_path):
    page = page_of(draw_set(tmp_path / "doors"))
    assert "The check found nothing." in page.text
    assert "--fix" not in page.text


def test_many_findings_of_a_kind_are_few_pictures_and_a_number(tmp_path):
    root = draw_set(tmp_path / "doors")
    for label in (root / "labels").glob("*/*.txt"):
        label.write_text("0 0.9 0.5 0.4 0.4\n")
    total = len(list((root / "images").glob("*/*.jpg")))
    page = page_of(root)
    assert len([each for each in page.tags["svg"] if "images/" in (each.get("aria-label") or "")]) == 2
    assert f"Boxes that reach over the image's edge: {total - 2} more." in page.text


def test_a_kind_with_thousands_of_findings_stays_a_page_that_can_be_opened(tmp_path):
    root = draw_set(tmp_path / "doors")
    findings = [Finding(f"labels/train/{n}.txt", 1, "label-area", "error", "no area", "remove it") for n in range(5000)]
    page = page_of(root, Report(findings))
    assert "And 4,800 more; --json has them all." in page.text
    assert page.text.count("labels/train/") == 200


def test_every_kind_that_a_check_knows_has_a_title():
    found = set()
    for path in Path(containerid.dataset.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KIND.fullmatch(node.value):
                found.add(node.value)
    assert len(found) > 50
    assert found <= set(kinds.TITLES)
    assert kinds.title("not-known") == "Not known"
