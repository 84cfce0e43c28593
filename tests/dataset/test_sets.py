from pathlib import Path

import pytest
import yaml
from fakes.sets import content_of, write_set

from containerid.dataset import sets
from containerid.dataset.check import check
from containerid.dataset.junk import sweep
from containerid.dataset.sets import DatasetError
from containerid.dataset.view import view


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "doors")


def rewrite(folder: Path, text: str) -> Path:
    file = folder / "data.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def names_of(found: sets.Dataset, split: str) -> list[str]:
    return [image.name for image in found.splits[split]]


def test_a_plain_set_is_read(folder: Path) -> None:
    found = sets.read(folder / "data.yaml")
    assert found.names == ("door",)
    assert {split: len(images) for split, images in found.splits.items()} == {"train": 8, "val": 4, "test": 4}


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\nval: images/val\nnames: {0: door}\n",
        "path: /kaggle/working/data\ntrain: images/train\nval: images/val\nnc: 1\n",
        "path: C:\\data\\doors\ntrain: images\\train\nvalid: images\\val\nnames: [door]\n",
        "train: ../images/train\nvalidation: ../images/val\nnames: [door]\n",
        "\ufefftrain: [images/train]\nval: [images/val]\nnames: [door]\n",
    ],
    ids=["path-dot", "path-of-kaggle", "windows", "roboflow", "lists-and-bom"],
)
def test_the_forms_of_the_field_are_read(folder: Path, text: str) -> None:
    found = sets.read(rewrite(folder, text))
    assert (len(found.splits["train"]), len(found.splits["val"]), "test" in found.splits) == (8, 4, False)


def test_a_list_of_images_is_read(folder: Path) -> None:
    (folder / "train.txt").write_text("./images/train/train0.jpg\n\nimages/train/train3.jpg\n", encoding="utf-8")
    found = sets.read(rewrite(folder, "train: train.txt\nval: images/val\nnames: [door]\n"))
    assert names_of(found, "train") == ["train0.jpg", "train3.jpg"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("names: [door]\ndownload: |\n  import os\n", 2, "`download:` would be executed"),
        ("train: images/train\nnames: [door]\n", 0, "no `val:`"),
        ("train: images/none\nval: images/val\nnames: [door]\n", 1, "images/none is not there"),
        ("train: images/train\nval: images/val\nnc: 2\nnames: [door]\n", 3, "`nc` is 2, but there is 1 name"),
        ("train: images/train\nval: images/val\n", 0, "must list the classes"),
        ("train: [\n", 2, "not valid YAML"),
        ("just words\n", 1, "holds no keys"),
    ],
)
def test_a_data_yaml_that_cannot_be_used_is_refused_at_its_line(
    folder: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as error:
        sets.read(rewrite(folder, text))
    assert error.value.line == line


def test_a_data_yaml_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "data.yaml").write_bytes("names: [tür]".encode("latin-1"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        sets.read(folder / "data.yaml")


def test_a_missing_data_yaml_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        sets.read(tmp_path / "data.yaml")


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("/d/images/train/a.jpg", "/d/labels/train/a.txt"),
        ("/d/train/images/a.b.png", "/d/train/labels/a.b.txt"),
        ("/images/d/images/a.jpg", "/images/d/labels/a.txt"),
        ("/d/pictures/a.jpg", "/d/pictures/a.txt"),
    ],
)
def test_a_label_is_where_ultralytics_looks_for_it(image: str, label: str) -> None:
    assert sets.label_of(Path(image)) == Path(label)


def test_a_view_reads_like_the_set_and_lies_elsewhere(folder: Path, tmp_path: Path) -> None:
    before = content_of(folder)
    file = view(sets.read(folder / "data.yaml"), tmp_path / "view")
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert document["path"] == str(tmp_path / "view")
    seen = sets.read(file)
    assert {split: len(images) for split, images in seen.splits.items()} == {"train": 8, "val": 4, "test": 4}
    assert all(sets.label_of(image).read_text(encoding="utf-8") for image in seen.splits["train"])
    (tmp_path / "view" / "labels" / "train.cache").write_bytes(b"cache")
    saved_anew = seen.splits["train"][0].with_name("new.jpg")
    saved_anew.write_bytes(b"new")
    saved_anew.replace(seen.splits["train"][0])
    assert content_of(folder) == before


def test_a_view_can_hold_a_handful_evenly_taken(folder: Path, tmp_path: Path) -> None:
    file = view(sets.read(folder / "data.yaml"), tmp_path / "view", {"train": 4, "val": 9})
    seen = sets.read(file)
    assert names_of(seen, "train") == ["train0.jpg", "train2.jpg", "train4.jpg", "train6.jpg"]
    assert len(seen.splits["val"]) == 4


def test_images_of_one_name_from_two_folders_both_stay(folder: Path, tmp_path: Path) -> None:
    for part in ("a", "b"):
        write_set(folder / part, {"train": 1}, label=f"0 0.5 0.5 0.{ord(part) - 96} 0.4\n")
    text = "train: [a/images/train, b/images/train]\nval: images/val\nnames: [door]\n"
    seen = sets.read(view(sets.read(rewrite(folder, text)), tmp_path / "view"))
    assert sorted(sets.label_of(image).read_text() for image in seen.splits["train"]) == [
        "0 0.5 0.5 0.1 0.4\n",
        "0 0.5 0.5 0.2 0.4\n",
    ]


def test_two_images_of_one_stem_share_their_label(folder: Path, tmp_path: Path) -> None:
    (folder / "images/train/train0.png").write_bytes(b"x")
    seen = sets.read(view(sets.read(folder / "data.yaml"), tmp_path / "view"))
    assert names_of(seen, "train")[:2] == ["train0.jpg", "train0.png"]
    assert sets.label_of(seen.splits["train"][1]).is_file()


def test_images_that_are_links_themselves_are_seen(folder: Path, tmp_path: Path) -> None:
    (folder / "images/train/train0.jpg").rename(folder / "train0.jpg")
    (folder / "images/train/train0.jpg").symlink_to("../../train0.jpg")
    seen = sets.read(view(sets.read(folder / "data.yaml"), tmp_path / "view"))
    assert seen.splits["train"][0].read_bytes() == (folder / "train0.jpg").read_bytes()


def test_hidden_files_are_no_images(folder: Path) -> None:
    (folder / "images/train/._train0.jpg").write_bytes(b"x")
    (folder / "images/train/.thumbs").mkdir()
    (folder / "images/train/.thumbs/t.jpg").write_bytes(b"x")
    assert len(sets.read(folder / "data.yaml").splits["train"]) == 8


def test_a_data_yaml_a_folder_deeper_is_found_when_it_is_the_only_one(tmp_path: Path) -> None:
    assert sets.find_yaml(tmp_path) is None
    write_set(tmp_path / "archive" / "doors", {"train": 1})
    assert sets.find_yaml(tmp_path) == tmp_path / "archive/doors/data.yaml"
    assert sets.find_yaml(tmp_path, depth=1) is None
    write_set(tmp_path / "archive" / "more", {"train": 1})
    assert sets.find_yaml(tmp_path) is None


@pytest.mark.parametrize(
    "entry",
    [
        "/kaggle/input/doors/images/train",
        "C:\\Users\\ada\\doors\\images\\train",
        "//server/share/doors/images/train",
        "[images/train]",
        "./images/train/",
        "images/../images/train",
    ],
)
def test_a_folder_of_another_machine_is_found_here(folder: Path, entry: str) -> None:
    found = sets.read(rewrite(folder, f"train: {entry}\nval: images/val\nnames: [door]\n"))
    assert (len(found.splits["train"]), found.bases["train"]) == (8, (folder / "images/train",))


def test_images_of_another_machine_are_found_in_a_list(folder: Path) -> None:
    lines = ("/kaggle/input/doors/images/train/train0.jpg", "D:\\doors\\images\\train\\train1.jpg")
    (folder / "train.txt").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    found = sets.read(rewrite(folder, "train: train.txt\nval: images/val\nnames: [door]\n"))
    assert names_of(found, "train") == ["train0.jpg", "train1.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: {door: 0}", "must number the classes"),
        ("names: door", "must list the classes"),
        ("names: [{0: door}]", "must be a list of words"),
        ("names: [door]\nnc: two", "`nc` must be a whole number"),
        ("names: [door]\npath: 7", "`path` must be a folder"),
        ("names: [door]\ntest: 7", "`test` must name a folder"),
        ("names: [door]\nval: null", "no `val:`"),
        ("names: [door]\n--- \nnames: [lock]", "not valid YAML"),
        ("names: [!!python/object/apply:os.system [ls]]", "not valid YAML"),
        ("names: [\x07]", "not valid YAML"),
    ],
)
def test_what_ultralytics_would_trip_over_is_named(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        sets.read(rewrite(folder, f"train: images/train\nval: images/val\n{text}\n"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("{0: a, 2: b, 5: c}", "gaps: 1, 3, 4 are missing"),
        ("{1: a, 2: b}", "gaps: 0 is missing"),
        ("{0: a, 2: b}\nnc: 2", "class_1"),
        ("{0: a, 2: b}\nnc: 3", "class_1"),
    ],
)
def test_gaps_in_the_names_are_filled_and_said(folder: Path, names: str, message: str) -> None:
    found = sets.read(rewrite(folder, f"train: images/train\nval: images/val\nnames: {names}\n"))
    assert [(note.line, note.severity) for note in found.notes] == [(3, "warning")]
    assert message in found.notes[0].message


def test_a_list_may_name_folders_that_lie_elsewhere_by_their_end(folder: Path) -> None:
    (folder / "train.txt").write_text("data/images/train/train0.jpg\n./images/train/train3.jpg\n")
    found = sets.read(rewrite(folder, "train: train.txt\nval: images/val\nnames: [door]\n"))
    assert names_of(found, "train") == ["train0.jpg", "train3.jpg"]
    assert found.bases["train"] == (folder / "images/train",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nc: 2.0", ("class_0", "class_1")),
        ("nc: '1'\nnames: ['0']", ("0",)),
        ("names: {'1': b, 0: a}", ("a", "b")),
    ],
)
def test_odd_but_clear_names_are_understood(folder: Path, text: str, names: tuple[str, ...]) -> None:
    found = sets.read(rewrite(folder, f"train: images/train\nval: images/val\n{text}\n"))
    assert (found.names, found.notes) == (names, ())


def test_what_is_unusual_in_a_data_yaml_is_noted_and_read(folder: Path) -> None:
    text = "\ufefftrain: images/train\r\nval: images/val\r\npath: /gone\r\npath: .\r\nnames: [no, a, a]\r\n"
    (folder / "data.yaml").write_bytes(text.encode())
    found = sets.read(folder / "data.yaml")
    assert sorted({(each.kind, each.severity) for each in found.notes}) == [
        ("yaml-bom", "warning"),
        ("yaml-crlf", "warning"),
        ("yaml-names", "warning"),
        ("yaml-repeated", "warning"),
    ]


def test_a_link_that_leads_around_in_a_circle_ends(folder: Path) -> None:
    (folder / "images/train/again").symlink_to(folder / "images/train")
    assert len(sets.read(folder / "data.yaml").splits["train"]) == 8


def test_images_behind_a_link_have_their_labels_beside_them(folder: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", {"train": 2})
    link = folder / "pictures"
    link.symlink_to(other / "images/train")
    found = sets.read(rewrite(folder, "train: pictures\nval: images/val\nnames: [door]\n"))
    assert all(sets.label_of(image).is_file() for image in found.splits["train"])


def test_boxes_are_drawn_around_the_polygons_of_a_label_that_mixes_both(folder: Path, tmp_path: Path) -> None:
    mixed = folder / "labels/train/train0.txt"
    mixed.write_text("0 0.5 0.5 0.4 0.4\n0 0.1 0.1 0.3 0.1 0.3 0.3 0.1 0.3\n")
    before = content_of(folder)
    made = view(sets.read(folder / "data.yaml"), tmp_path / "view", boxes=[mixed]).parent
    assert (made / "labels/train/train0.txt").read_text() == "0 0.5 0.5 0.4 0.4\n0 0.2 0.2 0.2 0.2\n"
    assert (made / "labels/train/train1.txt").samefile(folder / "labels/train/train1.txt")
    assert content_of(folder) == before


def test_images_that_differ_by_letter_case_alone_are_named(folder: Path) -> None:
    twin = folder / "images/train/TRAIN0.jpg"
    twin.write_bytes((folder / "images/train/train0.jpg").read_bytes() + b"\0")
    (folder / "labels/train/TRAIN0.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    dataset = sets.survey(folder / "data.yaml")
    assert [each.path for each in sweep(dataset) if each.kind == "image-case"] == ["images/train/train0.jpg"]


def test_a_test_split_that_points_nowhere_is_none(folder: Path) -> None:
    found = sets.read(rewrite(folder, "train: images/train\nval: images/val\ntest: ../gone/images\nnames: [door]\n"))
    assert set(found.splits) == {"train", "val"}
    assert [(note.line, note.kind, note.severity) for note in found.notes] == [(3, "yaml-test", "warning")]


@pytest.mark.parametrize("value", ["", " ''", " null"])
def test_an_empty_download_downloads_nothing(folder: Path, value: str) -> None:
    found = sets.read(rewrite(folder, f"train: images/train\nval: images/val\nnames: [door]\ndownload:{value}\n"))
    assert [(note.line, note.kind, note.severity) for note in found.notes] == [(4, "yaml-download", "warning")]


def test_folders_between_the_images_of_a_list_are_not_nested_in_a_split(folder: Path) -> None:
    for kind, name in (("images", "deep.jpg"), ("labels", "deep.txt")):
        deep = folder / kind / "train/2026/may" / name
        deep.parent.mkdir(parents=True)
        (folder / kind / "train" / f"train0{deep.suffix}").rename(deep)
    rows = [f"./{path.relative_to(folder)}\n" for path in sorted((folder / "images/train").rglob("*.jpg"))]
    (folder / "train.txt").write_text("".join(rows))
    yaml = "train: {}\nval: images/val\ntest: images/test\nnames: [door]\n"
    listed = sets.survey(rewrite(folder, yaml.format("train.txt")))
    assert [each for each in sweep(listed) if each.kind == "nested"] == []
    named = sets.survey(rewrite(folder, yaml.format("images/train")))
    assert {each.path for each in sweep(named) if each.kind == "nested"} >= {"images/train/2026", "labels/train/2026"}


def test_a_few_aliases_that_stand_for_billions_of_names_cost_nothing(folder: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for one, other in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True):
        lines.append(f"{other}: &{other} [{', '.join([f'*{one}'] * 9)}]")
    splits = {split: f"images/{split}" for split in ("train", "val")}
    for key, message in (
        ("names", "a list of words"),
        ("nc", "not a list"),
        ("path", "not a list"),
        ("train", "a list"),
    ):
        text = "\n".join([*lines, *(f"{name}: {value}" for name, value in {**splits, key: "*q"}.items())])
        said = [each.message for each in sets.survey(rewrite(folder, text)).faults]
        assert any(each.endswith(message) for each in said), said


@pytest.mark.parametrize("names", ["", "names: []\n", "names: door\n", "names: {}\n"])
def test_a_set_whose_classes_nobody_knows_is_not_blamed_for_each_label(folder: Path, names: str) -> None:
    (folder / "labels/train/train1.txt").write_text("7 0.5 0.5 0.4 0.4\n-1 0.5 0.5 0.2 0.2\n")
    found = sets.survey(rewrite(folder, f"train: images/train\nval: images/val\n{names}"))
    assert [str(each) for each in check(found).errors if each.path != "data.yaml"] == [
        "labels/train/train1.txt:2: error: class -1 is no class"
    ]


@pytest.mark.parametrize("key", ["99999999999", "'" + "9" * 5000 + "'", "[a]"])
def test_names_by_what_is_no_index_are_refused(folder: Path, key: str) -> None:
    text = f"train: images/train\nval: images/val\nnames: {{{key}: door}}\n"
    assert [each.line for each in sets.survey(rewrite(folder, text)).faults] == [3]
