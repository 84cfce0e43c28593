import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import annotated as fake
from fakes.sets import content_of
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.dataset.check import check
from containerid.dataset.gathered import Refused
from containerid.dataset.importing import Arranged, arrange, gather
from containerid.dataset.sets import survey
from containerid.dataset.sources import Found, locate
from containerid.dataset.splitting import shares
from containerid.dataset.writing import write

PICTURE = fake.picture(1)
FORMS = {"cvat-yolo": "yolo"}
FEW: fake.Boxes = {stem: fake.BOXES[stem] for stem in ("shot01", "shot02", "shot03")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def made(source: Path, target: Path, form: str = "auto", **options: str) -> Arranged:
    arranged = arrange(gather(locate(source, form)), **options)
    write(target, arranged.splits, arranged.names, {}, copy=True)
    return arranged


def told(source: Path, form: str = "auto") -> list[str]:
    with pytest.raises(Refused) as caught:
        arrange(gather(locate(source, form)))
    return [f"{fault.path.name}:{fault.line}: {fault.message}" for fault in caught.value.faults]


@pytest.mark.parametrize("kind", fake.WRITERS)
def test_every_format_gives_the_known_boxes_to_a_millionth(kind: str, root: Path, tmp_path: Path) -> None:
    fake.WRITERS[kind](root)
    before = content_of(root)
    arranged = made(root, tmp_path / "new")
    found = fake.labels_of(tmp_path / "new")
    names = list(arranged.names)
    assert sorted(names) == ["door", "hinge"]
    assert found.keys() == fake.BOXES.keys()
    for stem, boxes in fake.BOXES.items():
        for box, row in zip(boxes, found[stem], strict=True):
            assert names[int(row[0])] == fake.NAMES[box[0]]
            assert row[1:] == pytest.approx(fake.fractions(box)[1:], abs=1e-6)
    assert content_of(root) == before


@pytest.mark.parametrize("kind", fake.WRITERS)
def test_what_is_made_passes_the_check(kind: str, root: Path, tmp_path: Path) -> None:
    fake.WRITERS[kind](root)
    made(root, tmp_path / "new")
    dataset = survey(tmp_path / "new" / "data.yaml")
    report = check(dataset, deep=True)
    assert not [finding for finding in report.findings if finding.severity != "info"]
    assert {split: len(found) for split, found in dataset.splits.items()} == {"train": 16, "val": 2, "test": 2}


@pytest.mark.parametrize("kind", fake.WRITERS)
def test_the_format_is_found_and_can_be_named(kind: str, root: Path) -> None:
    fake.WRITERS[kind](root)
    assert locate(root).form == FORMS.get(kind, kind)
    assert locate(root, "cvat" if kind == "cvat-yolo" else kind).form == FORMS.get(kind, kind)


@pytest.mark.parametrize(
    ("kind", "file"), [("coco", "annotations/instances_default.json"), ("cvat", "annotations.xml")]
)
def test_the_file_itself_may_be_named(kind: str, file: str, root: Path) -> None:
    fake.WRITERS[kind](root)
    found = locate(root / file)
    assert (found.form, found.root) == (kind, root)
    assert len(gather(found).samples) == 20


def test_the_same_source_gives_the_same_set(root: Path, tmp_path: Path) -> None:
    fake.write_coco(root)
    made(root, tmp_path / "one")
    made(root, tmp_path / "two")
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


# --- Pascal VOC


def voc(root: Path, objects: str, **options: object) -> Path:
    fake.write_voc(root, FEW)
    (root / "Annotations/shot01.xml").write_text(fake.voc_text("shot01", objects, **options), encoding="utf-8")  # type: ignore[arg-type]
    return root


def first(root: Path) -> list[tuple[float, ...]]:
    [sample] = [each for each in gather(locate(root)).samples if each.name.endswith("shot01.jpg")]
    return [tuple(box) for box in sample.rows]


def test_the_challenges_own_boxes_count_from_pixel_1(root: Path) -> None:
    voc(root, fake.voc_object("door", 1, 1, 200, 100), database="The VOC2012 Database")
    assert first(root) == [(0, 0.5, 0.5, 1.0, 1.0)]
    assert gather(locate(root)).counts["from-one"] == 1


def test_boxes_over_the_edge_are_cut_and_counted(root: Path) -> None:
    voc(root, fake.voc_object("door", -20, -10, 100, 50) + fake.voc_object("door", 210, 10, 220, 50))
    assert first(root) == [(0, 0.25, 0.25, 0.5, 0.5)]
    counts = gather(locate(root)).counts
    assert (counts["clipped"], counts["no-area"]) == (1, 1)


def test_difficult_and_truncated_objects_are_taken_and_counted(root: Path) -> None:
    marks = "<truncated>1</truncated><difficult>1</difficult>"
    voc(root, fake.voc_object("door", 0, 0, 100, 50, marks) + fake.voc_object("door", 0, 0, 100, 50, marks))
    counts = gather(locate(root)).counts
    assert (len(first(root)), counts["difficult"], counts["truncated"], counts["twice"]) == (1, 2, 2, 1)


def test_an_image_that_was_made_smaller_keeps_its_boxes(root: Path) -> None:
    voc(root, fake.voc_object("door", 0, 0, 200, 100), size=(400, 200))
    assert first(root) == [(0, 0.25, 0.25, 0.5, 0.5)]


def test_classes_stand_in_the_order_of_first_sight_or_as_given(root: Path) -> None:
    fake.write_voc(root)
    assert gather(locate(root)).names == ["door", "hinge"]
    asked = gather(locate(root), ["hinge"])
    assert asked.names == ["hinge"]
    assert asked.counts["other-class"] == 16
    assert {int(box[0]) for sample in asked.samples for box in sample.rows} == {0}


def test_an_image_without_annotation_is_background(root: Path, tmp_path: Path) -> None:
    fake.write_voc(root)
    (root / "JPEGImages/alone.jpg").write_bytes(fake.picture(99))
    assert made(root, tmp_path / "new").counts["unlabelled"] == 1
    [label] = (tmp_path / "new").glob("labels/*/alone.txt")
    assert label.read_bytes() == b""


def test_lists_of_the_challenge_are_kept_as_splits(root: Path) -> None:
    fake.write_voc(root, FEW)
    sets = root / "ImageSets/Main"
    sets.mkdir(parents=True)
    for name, text in {
        "train": "shot01\n",
        "val": "shot02\n",
        "trainval": "shot01\nshot02\n",
        "door_train": "x",
    }.items():
        (sets / f"{name}.txt").write_text(text, encoding="utf-8")
    arranged = arrange(gather(locate(root)))
    assert arranged.kept
    assert {split: len(found) for split, found in arranged.splits.items()} == {"train": 1, "val": 1}
    assert arranged.counts["unsplit"] == 1
    assert not arrange(gather(locate(root)), shares("0.5/0.5")).kept


def test_an_image_in_two_lists_is_refused_unless_it_is_split_anew(root: Path) -> None:
    fake.write_voc(root, FEW)
    sets = root / "ImageSets/Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("shot01\nshot02\n", encoding="utf-8")
    (sets / "val.txt").write_text("shot03\nshot02\n", encoding="utf-8")
    assert told(root) == ["val.txt:2: shot02 is in train already"]
    assert len(arrange(gather(locate(root)), shares("0.5/0.5")).splits["train"]) in {1, 2}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<annotation><object>", "shot01.xml:1: is not valid XML: no element found"),
        ("", "shot01.xml:1: is not valid XML: no element found"),
        ("<shapes/>", "shot01.xml:1: <shapes> is no annotation of Pascal VOC"),
        (fake.voc_text("gone", ""), None),
        (fake.voc_text("shot02", ""), "shot02.xml:0: annotates shot02.jpg, as Annotations/shot01.xml does"),
        (
            fake.voc_text("shot01", "", (100, 200)),
            "shot01.xml:4: gives shot01.jpg 100x200 pixels; upright, it has 200x100",
        ),
        (fake.voc_text("shot01", "<object><name>door</name></object>"), "shot01.xml:5: an object without a bndbox"),
        (fake.voc_text("shot01", fake.voc_object("", 1, 2, 3, 4)), "shot01.xml:5: an object without a name"),
        (
            fake.voc_text("shot01", fake.voc_object("door", float("nan"), 2, 3, 4)),
            "shot01.xml:5: a bndbox needs xmin, ymin, xmax and ymax as numbers",
        ),
    ],
)
def test_a_faulty_annotation_is_one_line_with_its_place(text: str, fault: str | None, root: Path) -> None:
    fake.write_voc(root, FEW)
    (root / "Annotations/shot01.xml").write_text(text, encoding="utf-8")
    if fault is None:
        # The image of its own stem is what a file that was renamed means.
        assert len(gather(locate(root)).samples) == 3
    else:
        assert told(root) == [fault]


def test_an_annotation_without_its_image_is_a_fault(root: Path) -> None:
    fake.write_voc(root, FEW)
    (root / "JPEGImages/shot01.jpg").unlink()
    assert told(root) == ["shot01.xml:1: its image shot01.jpg is not there"]


def test_every_fault_is_told_at_once(root: Path) -> None:
    fake.write_voc(root, FEW)
    (root / "JPEGImages/shot01.jpg").write_bytes(b"")
    (root / "JPEGImages/shot02.jpg").write_bytes(fake.picture(2)[:-500])
    (root / "Annotations/shot03.xml").write_text("<", encoding="utf-8")
    assert [line.split(": ")[0] for line in told(root)] == ["shot01.jpg:0", "shot02.jpg:0", "shot03.xml:1"]


def test_entities_are_refused_before_they_grow(root: Path) -> None:
    fake.write_voc(root, FEW)
    lines = [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)]
    bomb = f'<!DOCTYPE annotation [<!ENTITY a0 "ha">{"".join(lines)}]>\n<annotation>&a11;</annotation>'
    (root / "Annotations/shot01.xml").write_text(bomb, encoding="utf-8")
    assert told(root) == ["shot01.xml:1: declares an entity, a0: no annotation needs one"]


def test_a_file_outside_the_source_is_never_taken(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(fake.picture(1))
    fake.write_voc(root, FEW)
    (root / "Annotations/other.xml").write_text(fake.voc_text("../../secret", ""), encoding="utf-8")
    assert told(root) == ["other.xml:1: its image ../../secret.jpg is not there"]


# --- COCO


def coco(root: Path, change: Callable[[dict[str, list[dict[str, object]]]], object]) -> Path:
    fake.write_coco(root, FEW)
    document = fake.coco_document(FEW)
    change(document)
    (root / "annotations/instances_default.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def test_category_ids_with_gaps_become_indices_in_their_order(root: Path) -> None:
    assert gather(locate(fake.write_coco(root))).names == ["door", "hinge"]


def test_crowds_are_left_out_and_counted(root: Path) -> None:
    coco(root, lambda document: document["annotations"][0].update(iscrowd=1, segmentation={"counts": [1]}))
    gathered = gather(locate(root))
    assert (gathered.counts["crowd"], sum(len(each.rows) for each in gathered.samples)) == (1, 3)


def test_a_polygon_without_a_box_gives_the_box_around_it(root: Path) -> None:
    points = [[20, 10, 100, 10, 60, 40], [60, 20, 120, 90, 70, 70]]
    coco(root, lambda document: document["annotations"][0].update(bbox=[], segmentation=points))
    assert first(root)[0] == pytest.approx((0, 0.35, 0.5, 0.5, 0.8))


def test_images_that_the_file_does_not_name_are_left_out_and_counted(root: Path) -> None:
    fake.write_coco(root)
    (root / "images/alone.jpg").write_bytes(fake.picture(99))
    gathered = gather(locate(root))
    assert (gathered.counts["unlisted"], len(gathered.samples)) == (1, 20)


def test_a_category_that_only_holds_others_is_no_class(root: Path) -> None:
    def change(document: dict[str, list[dict[str, object]]]) -> None:
        for category in document["categories"]:
            category["supercategory"] = "parts"
        document["categories"].append({"id": 0, "name": "parts", "supercategory": "none"})

    assert gather(locate(coco(root, change))).names == ["door", "hinge"]


def test_a_file_for_each_split_keeps_them(root: Path) -> None:
    # As Roboflow writes it.
    for number, split in enumerate(("train", "valid", "test")):
        boxes = {f"{split}{stem}": found for stem, found in FEW.items()}
        (root / split).mkdir()
        for index, stem in enumerate(boxes):
            (root / split / f"{stem}.jpg").write_bytes(fake.picture(10 * number + index))
        (root / split / "_annotations.coco.json").write_text(json.dumps(fake.coco_document(boxes)), encoding="utf-8")
    arranged = arrange(gather(locate(root)))
    assert (arranged.kept, arranged.names) == (True, ["door", "hinge"])
    assert {split: len(found) for split, found in arranged.splits.items()} == {"train": 3, "val": 3, "test": 3}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["annotations"][0].update(image_id=5), "annotations[0] is of image 5, which is not listed"),
        (lambda d: d["annotations"][0].update(category_id=5), "annotations[0] is of category 5, which is not listed"),
        (
            lambda d: d["annotations"][0].update(bbox=[1, 2, 3]),
            "annotations[0] has no box of four numbers and no polygon",
        ),
        (lambda d: d["annotations"][0].update(bbox="abcd"), "annotations[0] has no box of four numbers and no polygon"),
        (lambda d: d["annotations"][0].pop("bbox"), "annotations[0] has no box of four numbers and no polygon"),
        (lambda d: d["images"][1].update(id=100), "images[1] needs an id of its own and a file_name"),
        (lambda d: d["images"][1].update(id=[1]), "images[1] needs an id of its own and a file_name"),
        (lambda d: d["images"][1].update(file_name="shot01.jpg"), "images[1] names shot01.jpg twice"),
        (lambda d: d["images"][1].update(file_name="gone.jpg"), "its image gone.jpg is not there"),
        (
            lambda d: d["images"][1].update(file_name="a.gif"),
            "its image a.gif is of a kind that Ultralytics does not read",
        ),
        (lambda d: d["categories"][0].update(id="x"), "categories[0] needs an id of its own and a name"),
        (lambda d: d.pop("categories"), "has no list `categories`"),
        (lambda d: d.update(annotations={}), "`annotations` is no list"),
    ],
)
def test_a_fault_in_coco_is_one_line(
    change: Callable[[dict[str, list[dict[str, object]]]], object], fault: str, root: Path
) -> None:
    lines = told(coco(root, change))
    assert lines[0] == f"instances_default.json:0: {fault}"


def test_broken_json_is_told_with_its_line(root: Path) -> None:
    fake.write_coco(root, FEW)
    (root / "annotations/instances_default.json").write_text('{"images": [\n1,\n', encoding="utf-8")
    assert told(root) == ["instances_default.json:3: is not valid JSON: expecting value"]


# --- CVAT


def test_other_shapes_give_the_box_around_them_or_are_counted(root: Path) -> None:
    shapes = (
        '<polygon label="door" points="20,10;100,10;60,90"/><ellipse label="door" cx="100" cy="50" rx="40" ry="20"/>'
        '<box label="door" xtl="90" ytl="30" xbr="110" ybr="70" rotation="90"/>'
        '<mask label="door" rle="1" left="0" top="0" width="20" height="10"/>'
        '<points label="door" points="1,1"/><tag label="door"/>'
    )
    fake.write_cvat(root, FEW)
    file = root / "annotations.xml"
    text = fake.cvat_text({"shot01": []}).replace("</image>", f"{shapes}</image>")
    file.write_text(text, encoding="utf-8")
    assert [box[1:] for box in first(root)] == [
        pytest.approx((0.3, 0.5, 0.4, 0.8)),
        pytest.approx((0.5, 0.5, 0.4, 0.4)),
        pytest.approx((0.5, 0.5, 0.2, 0.2)),
        pytest.approx((0.05, 0.05, 0.1, 0.1)),
    ]
    counts = gather(locate(root)).counts
    assert (counts["shape"], counts["polygon"], counts["unlabelled"]) == (2, 3, 2)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ('<track id="0" label="door"/>', "annotations.xml:17: is CVAT for video"),
        ('<image name="gone.jpg"/>', "annotations.xml:17: its image gone.jpg is not there"),
        ('<image name="shot01.jpg"/>', "annotations.xml:17: shot01.jpg stands there twice"),
    ],
)
def test_a_fault_in_cvat_is_one_line(more: str, fault: str, root: Path) -> None:
    fake.write_cvat(root, FEW)
    text = fake.cvat_text(FEW, more)
    line = text.splitlines().index(more) + 1
    (root / "annotations.xml").write_text(text, encoding="utf-8")
    assert told(root) == [fault.replace(":17:", f":{line}:")]


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ('<box label="door" xtl="1"/>', "<box> has no ytl"),
        ('<box label="door" xtl="a" ytl="1" xbr="2" ybr="2"/>', "<box> has what is no number"),
        ('<blob label="door"/>', "<blob> is not known"),
    ],
)
def test_a_faulty_shape_is_one_line(shape: str, fault: str, root: Path) -> None:
    fake.write_cvat(root, FEW)
    text = fake.cvat_text(FEW).replace("</image>", f"{shape}</image>", 1)
    (root / "annotations.xml").write_text(text, encoding="utf-8")
    assert told(root)[0].split(": ", 1)[1] == fault


def test_the_export_called_yolo_keeps_its_subsets(root: Path) -> None:
    fake.write_cvat_yolo(root, FEW)
    settings = root / "obj.data"
    settings.write_text(settings.read_text() + "valid = data/valid.txt\n", encoding="utf-8")
    (root / "train.txt").write_text("data/obj_train_data/shot01.jpg\n", encoding="utf-8")
    (root / "valid.txt").write_text("data/obj_train_data/shot02.jpg\n", encoding="utf-8")
    arranged = arrange(gather(locate(root)))
    assert (arranged.kept, arranged.counts["unsplit"]) == (True, 1)
    (root / "valid.txt").write_text("data/obj_train_data/gone.jpg\n", encoding="utf-8")
    assert told(root) == ["valid.txt:1: its image obj_train_data/gone.jpg is not there"]


# --- YOLO


@pytest.mark.parametrize("layout", ["{kind}/{stem}", "{kind}/train/{stem}", "train/{kind}/{stem}", "{stem}"])
def test_labels_are_found_in_every_usual_layout(layout: str, root: Path) -> None:
    for number, (stem, boxes) in enumerate(FEW.items()):
        for kind, suffix, data in (
            ("images", "jpg", fake.picture(number)),
            ("labels", "txt", fake.yolo_text(boxes).encode()),
        ):
            file = root / f"{layout.format(kind=kind, stem=stem)}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    gathered = gather(locate(root))
    assert gathered.names == ["class_0", "class_1"]
    assert [len(each.rows) for each in gathered.samples] == [2, 1, 1]


def test_images_beside_a_folder_of_labels_are_found(root: Path) -> None:
    fake.write_images(root, FEW)
    (root / "labels").mkdir()
    for stem, boxes in FEW.items():
        (root / "labels" / f"{stem}.txt").write_text(fake.yolo_text(boxes), encoding="utf-8")
    assert [len(each.rows) for each in gather(locate(root)).samples] == [2, 1, 1]


def test_polygons_become_boxes(root: Path) -> None:
    fake.write_yolo(root, FEW)
    for stem in FEW:
        (root / f"{stem}.txt").write_text("0 0.1 0.1 0.5 0.1 0.3 0.9\n", encoding="utf-8")
    assert first(root) == [pytest.approx((0, 0.3, 0.5, 0.4, 0.8))]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0 0.5 0.5 0.4\n", "shot01.txt:1: 4 columns instead of 5 (class, centre x, centre y, width, height)"),
        (
            "0 0.5 0.5 0.4 0.4 0.9 0.1\n",
            "shot01.txt:1: 7 columns instead of 5 (class, centre x, centre y, width, height)",
        ),
        ("0 0.5 0.5 0.4 0.4\n2 0.5 0.5 0.4 0.4\n", "shot01.txt:2: class 2 is none of 0 to 1"),
        ("0 100 50 40 40\n", "shot01.txt:1: 100 lies outside 0 to 1 (pixels?)"),
        ("0,0.5,0.5,0.4,0.4\n", "shot01.txt:1: commas instead of spaces: 0,0.5,0.5,0.4,0.4"),
    ],
)
def test_a_faulty_label_is_one_line_with_its_place(text: str, fault: str, root: Path) -> None:
    fake.write_yolo(root, FEW)
    (root / "shot01.txt").write_text(text, encoding="utf-8")
    assert told(root) == [fault]


def test_a_label_without_its_image_is_a_fault(root: Path) -> None:
    fake.write_yolo(root, FEW)
    (root / "shot01.jpg").unlink()
    assert told(root) == ["shot01.txt:0: the label has no image"]


# --- What is there at all


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("gone", "gone:0: is not there"),
        ("a.zip", "a.zip:0: is an archive"),
        ("a.doc", "a.doc:0: is no file of annotations that is known"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line(name: str, fault: str, root: Path) -> None:
    if "." in name:
        (root / name).write_bytes(b"x")
    assert told(root / name) == [fault]


def test_a_folder_without_annotations_is_refused(root: Path) -> None:
    fake.write_images(root, FEW)
    assert told(root) == ["source:0: holds no annotations that are known"]
    assert told(root, "voc") == ["source:0: holds no annotations of voc"]


def test_two_formats_have_to_be_told_apart_by_the_user(root: Path) -> None:
    fake.write_voc(root, FEW)
    (root / "annotations.xml").write_text(fake.cvat_text(FEW), encoding="utf-8")
    assert told(root) == ["source:0: holds annotations of voc and of cvat"]
    assert locate(root, "cvat").form == "cvat"


def test_annotations_without_a_box_are_refused(root: Path) -> None:
    fake.write_voc(root, {stem: [] for stem in FEW})
    assert told(root) == ["source:0: holds no box that can be used"]


def test_copies_and_images_that_look_alike_stay_in_one_split(root: Path) -> None:
    fake.write_voc(root)
    images = root / "JPEGImages"
    (images / "zz-copy.jpg").write_bytes((images / "shot07.jpg").read_bytes())
    from PIL import Image

    with Image.open(images / "shot08.jpg") as opened:
        opened.point(lambda value: min(255, value + 3)).save(images / "zz-like.jpg", quality=80)
    for seed in range(8):
        arranged = arrange(gather(locate(root)), shares("0.4/0.3/0.3"), seed=seed)
        where = {sample.image.stem: split for split, found in arranged.splits.items() for sample in found}
        assert (where["zz-copy"], where["zz-like"]) == (where["shot07"], where["shot08"])
        assert len(where) == 22


def test_the_same_image_in_two_splits_of_the_source_is_refused(root: Path) -> None:
    for split, seeds in (("train", (1, 2)), ("val", (3, 2))):
        for seed in seeds:
            (root / split).mkdir(exist_ok=True)
            (root / split / f"{split}{seed}.jpg").write_bytes(fake.picture(seed))
            (root / split / f"{split}{seed}.txt").write_text("0 0.5 0.5 0.4 0.4\n", encoding="utf-8")
    assert told(root) == ["val2.jpg:0: is in val, and the same image in train: train/train2.jpg"]


# --- Whatever a file holds, it is read or refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    *(("annotations", key) for key in ("image_id", "category_id", "bbox", "segmentation", "iscrowd")),
    *(("images", key) for key in ("id", "file_name", "width", "height")),
    *(("categories", key) for key in ("id", "name", "supercategory")),
]


@settings(max_examples=150)
@given(st.sampled_from(PLACES), JSON, st.booleans())
def test_whatever_stands_in_coco_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, str], value: object, whole: bool
) -> None:
    root = tmp_path_factory.mktemp("coco")
    document: dict[str, Any] = fake.coco_document({"shot01": fake.BOXES["shot01"]})
    (root / "shot01.jpg").write_bytes(PICTURE)
    if whole:
        document[place[0]] = value
    else:
        document[place[0]][0][place[1]] = value
        document["annotations"][0].setdefault("segmentation", value)
    (root / "a.json").write_text(json.dumps(document), encoding="utf-8")
    with contextlib.suppress(Refused):
        gathered = gather(locate(root / "a.json"))
        assert all(0 <= number <= 1 for sample in gathered.samples for box in sample.rows for number in box[1:])


@settings(max_examples=150)
@given(st.sampled_from(["voc", "cvat"]), st.integers(0, 10_000), st.binary(max_size=12), st.integers(0, 8))
def test_whatever_stands_in_xml_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, junk: bytes, cut: int
) -> None:
    root = tmp_path_factory.mktemp("xml")
    boxes = {"shot01": fake.BOXES["shot01"]}
    (root / "shot01.jpg").write_bytes(PICTURE)
    objects = "".join(fake.voc_object(fake.NAMES[label], *corners) for label, *corners in boxes["shot01"])
    text = (fake.voc_text("shot01", objects) if kind == "voc" else fake.cvat_text(boxes)).encode()
    at %= len(text)
    (root / "shot01.xml").write_bytes(text[:at] + junk + text[at + cut :])
    with contextlib.suppress(Refused):
        gather(Found(kind, root, (root / "shot01.xml",)))
