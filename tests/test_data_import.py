import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import annotated as fake
from fakes.sets import content_of

from containerid.dataset import pixels, writing

Cid = Callable[..., Any]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return fake.write_voc(tmp_path / "voc")


def test_an_import_says_what_it_made_and_what_comes_next(cid: Cid, source: Path) -> None:
    said = cid("data", "import", "voc", "--to", "data/doors")
    assert (said.code, "next: cid data check data/doors --deep" in said.err) == (0, True)
    assert "classes: door, hinge" in said.out
    assert "✓ data/doors (from voc; origin.json says how)" in said.out
    assert cid("data", "check", "data/doors", "--deep").code == 0


def test_the_document_and_the_record_say_what_was_done(cid: Cid, source: Path) -> None:
    said = cid("data", "import", "voc", "--to", "doors", "--split", "50/50", "--seed", "4", "--json")
    assert said.document["splits"]["val"]["images"] == 10
    assert (said.document["format"], said.document["names"], said.document["copied"]) == ("voc", ["door", "hinge"], 0)
    record = json.loads(Path("doors/origin.json").read_text(encoding="utf-8"))
    assert (record["shares"], record["seed"], record["source"]) == ("50/50", 4, "voc")
    assert str(source) not in Path("doors/origin.json").read_text(encoding="utf-8")


def test_images_are_second_names_of_the_sources_or_copies(cid: Cid, source: Path) -> None:
    assert cid("data", "import", "voc", "--to", "one").code == 0
    assert cid("data", "import", "voc", "--to", "two", "--copy").code == 0
    assert {image.stat().st_nlink for image in Path("one").glob("images/*/*")} == {2}
    assert {image.stat().st_nlink for image in Path("two").glob("images/*/*")} == {1}
    assert content_of(Path("one")) == content_of(Path("two"))


def test_where_no_link_can_be_made_images_are_copied(cid: Cid, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    said = cid("data", "import", "voc", "--to", "doors", "--json")
    assert (said.code, said.document["copied"]) == (0, 20)


def test_only_the_classes_asked_for_are_taken_in_their_order(cid: Cid, source: Path) -> None:
    said = cid("data", "import", "voc", "--to", "doors", "--names", "hinge, door", "--json")
    assert said.document["names"] == ["hinge", "door"]
    assert cid("data", "import", "voc", "--to", "hinges", "--names", "hinge", "--json").document["counts"] == {
        "other-class": 16
    }


def test_a_fault_of_the_source_is_one_line_and_nothing_is_written(cid: Cid, source: Path) -> None:
    (source / "JPEGImages/shot03.jpg").unlink()
    said = cid("data", "import", "voc", "--to", "doors")
    assert (said.code, Path("doors").exists()) == (2, False)
    assert "error: voc/Annotations/shot03.xml:1: its image shot03.jpg is not there\n" in said.err
    assert "try: bring the image, or take its annotation out" in said.err


def test_many_faults_are_told_at_once_and_cut(cid: Cid, source: Path) -> None:
    for image in source.glob("JPEGImages/*"):
        image.write_bytes(b"")
    (source / "Annotations/zz.xml").write_text("<", encoding="utf-8")
    said = cid("data", "import", "voc", "--to", "doors")
    assert "21 faults in voc, nothing was written:" in said.err
    assert "… and 1 more" in said.err
    assert not Path("doors").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "0.8/0.1"), "the parts add up to 0.9, not to 1"),
        (("--split", "most"), "the shares must be numbers"),
        (("--group", "("), "is no regular expression"),
        (("--group", "folder"), "the images make too few groups: 1 cannot be shared among 3 splits"),
        (("--format", "excel"), "'excel' is no format"),
        (("--to", "full"), "is there already, and not empty"),
        (("--to", "voc/new"), "is inside the source"),
    ],
)
def test_what_cannot_be_asked_ends_with_2(cid: Cid, source: Path, options: tuple[str, ...], message: str) -> None:
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine", encoding="utf-8")
    said = cid("data", "import", "voc", *(() if "--to" in options else ("--to", "doors")), *options)
    assert (said.code, message in said.err) == (2, True), said.err
    assert sorted(path.name for path in Path().iterdir()) == ["full", "home", "voc"]


def test_an_empty_folder_may_be_there_already(cid: Cid, source: Path) -> None:
    Path("doors").mkdir()
    assert cid("data", "import", "voc", "--to", "doors").code == 0


def test_a_disk_that_fills_up_leaves_nothing(cid: Cid, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(boxes: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "text_of", full)
    assert cid("data", "import", "voc", "--to", "doors").code == 1
    assert sorted(path.name for path in Path().iterdir()) == ["home", "voc"]


def test_it_is_said_when_images_that_look_alike_were_not_looked_for(
    cid: Cid, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "missing", lambda: ["numpy"])
    said = cid("data", "import", "voc", "--to", "doors")
    assert "caution: images that look alike were not looked for" in said.err


def test_one_large_group_is_a_caution(cid: Cid, source: Path) -> None:
    said = cid("data", "import", "voc", "--to", "doors", "--group", "shot0")
    assert "caution: one group holds 10 of 20 images; the shares are rough" in said.err


def test_a_split_is_made_anew_and_the_set_stays_as_it_is(cid: Cid, source: Path) -> None:
    assert cid("data", "import", "voc", "--to", "doors").code == 0
    before = content_of(Path("doors"))
    said = cid(
        "data", "split", "doors", "--to", "again", "--split", "0.5/0.25/0.25", "--group", r"shot(\d\d)", "--json"
    )
    assert {name: split["images"] for name, split in said.document["splits"].items()} == {
        "train": 10,
        "val": 5,
        "test": 5,
    }
    assert content_of(Path("doors")) == before
    assert fake.labels_of(Path("again")) == fake.labels_of(Path("doors"))
    assert cid("data", "check", "again").code == 0


def test_a_set_whose_splits_share_images_can_be_split_anew(cid: Cid, source: Path) -> None:
    assert cid("data", "import", "voc", "--to", "doors").code == 0
    Path("doors/data.yaml").write_text("train: images\nval: images/val\nnames: [door, hinge]\n", encoding="utf-8")
    assert cid("data", "check", "doors").code == 7
    assert cid("data", "split", "doors", "--to", "again").code == 0
    assert cid("data", "check", "again", "--deep").code == 0


def test_an_import_keeps_the_sources_own_splits(cid: Cid, source: Path) -> None:
    assert cid("data", "import", "voc", "--to", "doors", "--split", "0.5/0.5").code == 0
    said = cid("data", "import", "doors", "--to", "again")
    assert "split: the source's own; --split makes another" in said.out
    assert content_of(Path("again/labels")) == content_of(Path("doors/labels"))


def test_stats_are_tables_a_document_and_a_page(cid: Cid, source: Path) -> None:
    assert cid("data", "import", "voc", "--to", "doors").code == 0
    said = cid("data", "stats", "doors", "--html", "page.html")
    assert (said.code, "small (below 32x32 pixels)" in said.out, "images: 200x100: 20" in said.out) == (0, True, True)
    page = Path("page.html").read_text(encoding="utf-8")
    assert "Boxes per class" in page
    assert page.count("data:image/jpeg") == 18
    assert cid("data", "stats", "doors", "--json").document["splits"]["train"]["images"] == 16


def test_stats_of_no_set_end_with_2(cid: Cid, source: Path) -> None:
    assert cid("data", "stats", "voc").code == 2
    Path("bad").mkdir()
    Path("bad/data.yaml").write_text("names: [door]\n", encoding="utf-8")
    said = cid("data", "stats", "bad")
    assert (said.code, "there is no `train:`" in said.err) == (2, True)


def test_the_hint_is_the_command_that_was_meant(cid: Cid, source: Path) -> None:
    assert "try: cid data stats FOLDER" in cid("data", "stats", "nope").err
    assert "try: cid data check FOLDER" in cid("data", "check", "nope").err
