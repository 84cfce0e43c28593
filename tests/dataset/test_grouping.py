import re
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import annotated as fake
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.dataset import pixels
from containerid.dataset.gathered import Gathered, Row, Sample
from containerid.dataset.grouping import group, key_of
from containerid.dataset.importing import Refused, arrange
from containerid.dataset.splitting import shares
from containerid.dataset.writing import named, text_of


@pytest.mark.parametrize(
    ("pattern", "name", "key"),
    [
        (r"cam\d+", "a/cam12_0001.jpg", "cam12"),
        (r"seq(\d+)_", "seq7_0001.jpg", "7"),
        (r"(?:a|(b))x", "ax.jpg", "ax"),
        ("folder", "site/day1/x.jpg", "site/day1"),
        (r"cam\d+", "other.jpg", ""),
    ],
)
def test_a_pattern_makes_a_group_of_what_it_finds(pattern: str, name: str, key: str) -> None:
    assert key_of(name, pattern) == key


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = []
    for number, seed in enumerate((1, 2, 1, 3, 4)):
        found.append(tmp_path / f"{number}.jpg")
        found[-1].write_bytes(fake.picture(seed))
    return found


def test_copies_are_found_by_their_bytes_without_any_package(paths: list[Path]) -> None:
    found = group(list("abcde"), paths, look=False)
    assert (found.same, found.alike, found.largest) == ([(0, 2)], None, 2)
    assert found.groups == [[0, 2], [1], [3], [4]]


def test_groups_by_name_and_by_content_grow_together(paths: list[Path]) -> None:
    found = group(["x1", "y1", "z1", "z2", "w"], paths, r"^[xyz]", look=False)
    assert found.groups == [[0, 2, 3], [1], [4]]
    assert found.named == 3


def test_a_pattern_that_is_none_is_an_error(paths: list[Path]) -> None:
    with pytest.raises(re.error):
        group(list("abcde"), paths, "(", look=False)


def gathered(folder: Path, keys: list[int], labels: list[set[int]]) -> Gathered:
    samples = []
    for number, (key, found) in enumerate(zip(keys, labels, strict=True)):
        name = f"cam{key}_{number:03}.jpg"
        (folder / name).write_bytes(f"{number}".encode())
        rows: list[Row] = [(label, 0.5, 0.5, 0.1, 0.1) for label in sorted(found)]
        samples.append(Sample(folder / name, name, (10, 10), rows))
    return Gathered(folder, names=["a", "b", "c"], samples=samples)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sets(st.integers(0, 2))), min_size=6, max_size=40).filter(
        lambda found: len({key for key, _ in found}) >= 3
    ),
    st.integers(0, 2),
)
def test_every_image_is_in_one_split_with_its_whole_group(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[int, set[int]]], seed: int
) -> None:
    source = gathered(tmp_path_factory.mktemp("s"), [key for key, _ in found], [labels for _, labels in found])
    mixed = replace(source, samples=source.samples[::-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "missing", lambda: ["numpy"])
        arranged, again = (
            arrange(each, shares("0.6/0.2/0.2"), seed=seed, pattern=r"cam\d+") for each in (source, mixed)
        )
    placed = [(sample.name, split) for split, samples in arranged.splits.items() for sample in samples]
    assert sorted(name for name, _ in placed) == sorted(sample.name for sample in source.samples)
    where: dict[str, set[str]] = {}
    for name, split in placed:
        where.setdefault(key_of(name, r"cam\d+"), set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert again.splits == arranged.splits


def test_a_pattern_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no image whose name has scene"):
        arrange(gathered(tmp_path, [1, 2, 3], [{0}, {0}, {0}]), pattern="scene")


@settings(max_examples=40)
@given(st.lists(st.from_regex(r"([a-b]{1,2}/){0,2}[a-bA]{1,2}\.(jpg|png)", fullmatch=True), unique=True, max_size=30))
def test_images_get_names_of_their_own_and_so_do_their_labels(names: list[str]) -> None:
    called = named(names)
    assert called.keys() == set(names)
    assert len({name.rpartition(".")[0].casefold() for name in called.values()}) == len(names)
    assert all(called[name].endswith(name[-4:]) and "/" not in called[name] for name in names)


@given(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(1e-6, 1), st.floats(1e-6, 1)))
def test_labels_are_plain_numbers_to_a_hundred_millionth(box: tuple[float, float, float, float]) -> None:
    words = text_of([(3, *box)]).decode().split()
    assert words[0] == "3"
    assert [float(word) for word in words[1:]] == pytest.approx(box, abs=5.1e-9)
    assert not any("e" in word for word in words)
