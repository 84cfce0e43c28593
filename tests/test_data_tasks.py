"""cid data import, split, stats and check for what is no set of boxes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import annotated as fake
from fakes import exports
from fakes.sets import content_of

from containerid.dataset.writing import whole

Cid = Callable[..., Any]
EXPORTS = {"segment": exports.cvat_polygons, "obb": exports.cvat_turns, "pose": exports.coco_poses}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("source").mkdir()
    return tmp_path


def classified(root: Path) -> Path:
    for number, stem in enumerate(exports.STEMS):
        place = root / ("door" if number % 2 else "wall") / f"{stem}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(fake.picture(number))
    return root


@pytest.mark.parametrize("task", EXPORTS)
def test_an_import_for_a_task_is_checked_clean_for_it(task: str, cid: Cid) -> None:
    EXPORTS[task](Path("source"))
    said = cid("data", "import", "source", "--to", "doors", "--task", task)
    assert (said.code, f"next: cid data check doors --task {task} --deep" in said.err) == (0, True)
    checked = cid("data", "check", "doors", "--task", task, "--deep", "--json")
    assert (checked.code, checked.document["findings"]) == (0, [])
    assert json.loads(Path("doors/origin.json").read_text(encoding="utf-8"))["task"] == task


@pytest.mark.parametrize("task", EXPORTS)
def test_a_split_keeps_every_label_and_what_data_yaml_says(task: str, cid: Cid) -> None:
    EXPORTS[task](Path("source"))
    assert cid("data", "import", "source", "--to", "doors", "--task", task).code == 0
    before = content_of(Path("doors"))
    said = cid("data", "split", "doors", "--to", "again", "--split", "0.5/0.3/0.2", "--json")
    assert (said.document["task"], said.document["splits"]["val"]["images"]) == (task, 3)
    assert fake.labels_of(Path("again")) == fake.labels_of(Path("doors"))
    assert content_of(Path("again"))["data.yaml"] == before["data.yaml"]
    assert content_of(Path("doors")) == before


def test_boxes_become_crops_and_one_class_alone_gets_a_second(cid: Cid) -> None:
    fake.write_voc(Path("source"))
    assert cid("data", "import", "source", "--to", "crops", "--task", "classify").code == 0
    assert cid("data", "check", "crops").code == 0
    assert {path.name for path in Path("crops/train").iterdir()} == {"door", "hinge"}
    said = cid("data", "import", "source", "--to", "doors", "--task", "classify", "--names", "door")
    written = len(list(Path("doors").rglob("*.jpg")))
    assert (f"{written} images were cut out of them" in said.out, "caution" in said.err) == (True, False)
    assert {path.name for path in Path("doors/train").iterdir()} == {"door", "background"}
    from PIL import Image

    with Image.open(next(Path("crops").glob("*/door/shot01_0.jpg"))) as crop:
        assert crop.size == (100, 70)


def test_the_same_crops_are_cut_again(cid: Cid) -> None:
    fake.write_voc(Path("source"))
    for name in ("one", "two"):
        assert cid("data", "import", "source", "--to", name, "--task", "classify", "--names", "door").code == 0
    assert content_of(Path("one")) == content_of(Path("two"))


def test_boxes_that_show_nothing_are_no_crops(cid: Cid) -> None:
    small = {stem: [(0, 10.0, 10.0, 17.0, 60.0), (0, 20.0, 20.0, 90.0, 90.0)] for stem in exports.STEMS}
    fake.write_voc(Path("source"), small)
    said = cid("data", "import", "source", "--to", "crops", "--task", "classify", "--json")
    assert (said.document["counts"]["small"], said.document["written"]) == (10, 20)


def test_folders_of_classes_are_split_each_class_in_its_share(cid: Cid) -> None:
    classified(Path("photos"))
    assert cid("data", "import", "photos", "--to", "sorted", "--task", "classify", "--split", "0.6/0.4").code == 0
    assert sorted(len(list(place.iterdir())) for place in Path("sorted").glob("*/*") if place.is_dir()) == [2, 2, 3, 3]
    said = cid("data", "split", "sorted", "--to", "again", "--split", "0.8/0.2", "--json")
    assert (said.document["task"], said.document["splits"]["train"]["images"]) == ("classify", 8)
    assert cid("data", "check", "again").code == 0
    assert cid("data", "split", "photos", "--to", "more", "--json").document["format"] == "folders"


@pytest.mark.parametrize("task", [*EXPORTS, "classify"])
def test_stats_are_told_and_drawn_for_each_task(task: str, cid: Cid) -> None:
    if task == "classify":
        classified(Path("source"))
    else:
        EXPORTS[task](Path("source"))
    assert cid("data", "import", "source", "--to", "doors", "--task", task).code == 0
    said = cid("data", "stats", "doors", "--html", "page.html")
    key, line, drawn = {
        "segment": ("polygons", "corners (least, quartiles, most): 5, 5, 5, 5, 5", '<polygon class="box true"'),
        "obb": (
            "angles",
            "angle of the longer side, clockwise from the right: 0 to 15°: 1",
            '<polygon class="box true"',
        ),
        "pose": ("keypoints", "right_ear 0+10, tail 0+0", '<circle class="keypoint hidden"'),
        "classify": ("splits", "door  4", "<strong>wall</strong>"),
    }[task]
    page = Path("page.html").read_text(encoding="utf-8")
    assert (said.code, line in said.out, drawn in page) == (0, True, True), said.out
    assert page.count("data:image/jpeg") == 10
    # Keypoints that are not labelled are nowhere.
    assert page.count('<circle class="keypoint') == (30 if task == "pose" else 0)
    document = cid("data", "stats", "doors", "--json").document
    assert (document["task"], key in document) == (task, True)


def test_four_corners_are_polygons_where_the_user_says_so(cid: Cid) -> None:
    exports.cvat_turns(Path("source"))
    assert cid("data", "import", "source", "--to", "doors", "--task", "obb").code == 0
    document = cid("data", "stats", "doors", "--task", "segment", "--json").document
    assert (document["task"], document["polygons"]["corners"]) == ("segment", [4] * 5)


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        (("import", "source", "--task", "segmentation"), "'segmentation' is no task", "--task detect|segment|"),
        (("import", "source", "--seed", "-1"), "-1 is not in the range", ""),
        (("import", "source", "--names", "door,door"), "--names has door twice", "name each class once"),
        (("import", "source", "--names", ","), "--names , names no class", "--names door,hinge"),
        (("import", "source", "--names", "doors"), "holds no box of the classes asked for", "--names door"),
        (("import", "source", "--task", "pose"), "holds no object with keypoints", "--task detect takes its boxes"),
        (("import", "source", "--to", "file/new"), "file is no folder", "--to a folder"),
        (("import", "source", "--to", "file"), "file is no folder", "--to a folder"),
        (("import", "packed"), "packed: holds no annotations that are known", "unpack set.zip, and name the folder"),
        (("import", "bare"), "bare: holds annotations, and no image", "export it with its images"),
        (("import", "photos"), "holds no boxes, only a folder for each class", "--task classify"),
        (
            ("split", "photos", "--task", "obb"),
            "only a folder for each class: nothing for --task obb",
            "--task classify",
        ),
        (("split", "source"), "holds no annotations of yolo", "cid data import takes other formats"),
        (("stats", "sorted", "--task", "detect"), "is sorted into classes", "cid data stats sorted --task classify"),
        (("stats", "sorted", "--html", "sorted"), "'sorted' is a directory", ""),
        (("check", "sorted", "--task", "boxes"), "'boxes' is no task", "--task detect|segment|"),
    ],
)
def test_a_mistake_is_one_line_with_what_mends_it(
    command: tuple[str, ...], message: str, hint: str, cid: Cid, here: Path
) -> None:
    exports.cvat_turns(Path("source"))
    for name, file in (("packed", "set.zip"), ("bare", "annotations.xml")):
        Path(name).mkdir()
        Path(name, file).write_bytes(Path("source/annotations.xml").read_bytes())
    Path("file").write_text("mine", encoding="utf-8")
    classified(Path("photos"))
    classified(Path("sorted/train"))
    before = content_of(here)
    made = () if "--to" in command or command[0] in {"stats", "check"} else ("--to", "new")
    said = cid("data", *command, *made)
    assert (said.code, message in said.err, hint in said.err) == (2, True, True), said.err
    assert "Traceback" not in said.err
    home = {name for name in content_of(here) if name.startswith("home/")}
    assert {name: data for name, data in content_of(here).items() if name not in home} == {
        name: data for name, data in before.items() if name not in home
    }


def test_a_class_that_nothing_is_of_is_a_caution(cid: Cid) -> None:
    fake.write_voc(Path("source"))
    said = cid("data", "import", "source", "--to", "doors", "--names", "door,hinges")
    assert (said.code, "caution: nothing is of hinges; what was left out is of hinge" in said.err) == (0, True)


def test_keypoints_without_sides_are_a_caution(cid: Cid) -> None:
    document = exports.coco_document(
        lambda _: {"keypoints": [60, 60, 2, 20, 20, 2], "bbox": [10, 10, 90, 60]}, exports.STEMS, keypoints=["a", "b"]
    )
    exports.write_coco(Path("source"), "person_keypoints_default.json", document)
    said = cid("data", "import", "source", "--to", "doors", "--task", "pose")
    assert "caution: no keypoints are called left and right" in said.err


def test_an_interrupted_set_is_not_there(here: Path) -> None:
    def interrupted() -> None:
        with whole(here / "doors", {}) as folder:
            (folder / "data.yaml").write_text("names: []", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(path.name for path in here.iterdir() if path.name != "home") == ["source"]
