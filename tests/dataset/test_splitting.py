import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerid.dataset.splitting import Unit, shares, sizes, split

SHARES = st.sampled_from(["0.8/0.1/0.1", "0.7/0.2/0.1", "80/20", "0.5/0.5", "0.34/0.33/0.33", "0.9/0.1"])


@st.composite
def units(draw: st.DrawFn, largest: int = 6) -> list[Unit]:
    sizes = draw(st.lists(st.integers(1, largest), min_size=3, max_size=60))
    return [
        Unit(size, {label: draw(st.integers(1, size)) for label in draw(st.sets(st.integers(-1, 4), min_size=1))})
        for size in sizes
    ]


@given(units(), SHARES, st.integers(0, 3))
def test_every_unit_gets_one_split_and_no_split_is_empty(found: list[Unit], text: str, seed: int) -> None:
    given = split(found, shares(text), seed)
    assert len(given) == len(found)
    assert set(given) == set(shares(text))


@given(units(largest=1), SHARES, st.integers(0, 3))
def test_single_images_are_shared_out_to_the_rounded_number(found: list[Unit], text: str, seed: int) -> None:
    assert Counter(split(found, shares(text), seed)) == sizes(len(found), shares(text))


@given(units(), SHARES, st.integers(0, 3))
def test_groups_miss_a_share_by_less_than_the_largest_of_them_and_one_for_every_split(
    found: list[Unit], text: str, seed: int
) -> None:
    given = split(found, shares(text), seed)
    largest, wanted = max(unit.size for unit in found), sizes(sum(unit.size for unit in found), shares(text))
    for name, size in wanted.items():
        got = sum(unit.size for unit, each in zip(found, given, strict=True) if each == name)
        assert abs(got - size) <= 2 * largest


@given(units(), SHARES, st.integers(0, 3))
def test_the_same_seed_gives_the_same_split(found: list[Unit], text: str, seed: int) -> None:
    assert split(found, shares(text), seed) == split(list(found), shares(text), seed)


def test_the_split_of_a_known_set_is_the_same_on_every_machine() -> None:
    found = [Unit(1 + index % 3, {index % 4: 1}) for index in range(24)]
    letters = "".join(name[1] for name in split(found, shares("0.6/0.2/0.2"), 7))
    assert letters == "raraererraeraerearaarerr"


def test_another_seed_gives_another_split() -> None:
    found = [Unit(1, {index % 2: 1}) for index in range(40)]
    assert len({tuple(split(found, shares("0.8/0.2"), seed)) for seed in range(5)}) == 5


def test_a_rare_class_is_in_every_split() -> None:
    chance = random.Random(1)
    found = [Unit(1, {0: 1} if index >= 10 else {0: 1, 1: 1}) for index in range(200)]
    chance.shuffle(found)
    given = split(found, shares("0.8/0.1/0.1"))
    rare = Counter(name for unit, name in zip(found, given, strict=True) if 1 in unit.labels)
    assert rare == {"train": 8, "val": 1, "test": 1}


def test_every_class_and_the_background_have_their_share_in_each_split() -> None:
    chance = random.Random(2)
    weights = [0.6, 0.2, 0.1, 0.05]
    found = []
    for _ in range(1000):
        labels = {label: 1 for label, weight in enumerate(weights) if chance.random() < weight} or {-1: 1}
        found.append(Unit(1, labels))
    given = split(found, shares("0.7/0.2/0.1"))
    for label in range(-1, 4):
        counts = Counter(name for unit, name in zip(found, given, strict=True) if label in unit.labels)
        total = counts.total()
        for name, share in {"train": 0.7, "val": 0.2, "test": 0.1}.items():
            assert abs(counts[name] - total * share) <= max(2, 0.03 * total), (label, counts)


def test_fewer_units_than_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="2 cannot be shared among 3"):
        split([Unit(5, {0: 5}), Unit(3, {0: 3})], shares("0.8/0.1/0.1"))


@pytest.mark.parametrize(
    "text", ["", "0.8", "0.8/0.1", "1.2/-0.1/-0.1", "0.8/0/0.2", "a/b", "nan/nan", "inf/1", "0.4/0.3/0.2/0.1", "0/1"]
)
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        shares(text)


def test_a_test_split_may_be_left_out() -> None:
    assert shares("0.8/0.2/0") == {"train": 0.8, "val": 0.2}


@given(st.integers(3, 500), SHARES)
def test_sizes_add_up_and_leave_no_split_without_an_image(total: int, text: str) -> None:
    found = sizes(total, shares(text))
    assert sum(found.values()) == total
    assert min(found.values()) >= 1
