import math
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from containerid.dataset import geometry as g
from containerid.dataset.masks import across, letters, outlines, runs
from containerid.dataset.shapes import Drawn, boxed, cornered, outlined, posed
from containerid.dataset.skeletons import described, mirrored

SIZE = (200.0, 100.0)
PLACE = st.floats(-50, 250).map(lambda value: round(value, 3))
SIDE = st.floats(1, 90).map(lambda value: round(value, 3))
ANGLE = st.floats(-360, 360)
POINTS = st.lists(st.tuples(PLACE, PLACE), min_size=3, max_size=12)


def sides(corners: g.Outline) -> list[float]:
    return sorted(math.dist(corners[at], corners[(at + 1) % 4]) for at in range(4))


def star(radii: list[float], middle: g.Point = (100.0, 50.0)) -> list[g.Point]:
    """A polygon that does not cross itself."""
    steps = [2 * math.pi * at / len(radii) for at in range(len(radii))]
    return [
        (middle[0] + radius * math.cos(step), middle[1] + radius * math.sin(step))
        for step, radius in zip(steps, radii, strict=True)
    ]


STAR = st.lists(st.floats(1, 160), min_size=3, max_size=20).map(star)


@given(st.tuples(PLACE, PLACE), st.tuples(SIDE, SIDE), ANGLE)
def test_a_turned_box_keeps_its_middle_its_area_and_its_sides(
    middle: g.Point, size: tuple[float, float], angle: float
) -> None:
    corners = g.turned(middle, size, angle)
    assert g.area(corners) == pytest.approx(size[0] * size[1])
    assert tuple(sum(each) / 4 for each in zip(*corners, strict=True)) == pytest.approx(middle, abs=1e-6)
    assert sides(corners) == pytest.approx(sorted(size * 2))


def test_an_angle_turns_clockwise_on_the_screen() -> None:
    corners = g.turned((0, 0), (20, 2), 90)
    assert corners[0] == pytest.approx((1, -10))


@given(st.tuples(PLACE, PLACE), st.tuples(SIDE, SIDE), ANGLE)
def test_the_smallest_rectangle_around_a_turned_box_is_the_box(
    middle: g.Point, size: tuple[float, float], angle: float
) -> None:
    corners = g.turned(middle, size, angle)
    found = g.smallest_rectangle([*corners, middle])
    assert abs(g.area(found)) == pytest.approx(size[0] * size[1], rel=1e-6)
    assert sides(found) == pytest.approx(sides(corners), rel=1e-5)


@given(POINTS)
def test_the_smallest_rectangle_holds_every_point_and_is_no_larger_than_the_upright_one(points: list[g.Point]) -> None:
    left, top, right, bottom = g.around(points)
    corners = g.smallest_rectangle(points)
    assume(len(g.hull(points)) > 2)
    area = abs(g.area(corners))
    assert area <= (right - left) * (bottom - top) * (1 + 1e-9) + 1e-9
    whole = g.hull([*corners, *points])
    assert g.area(whole) == pytest.approx(area, rel=1e-6, abs=1e-3)


@given(STAR)
def test_opencv_finds_no_smaller_rectangle(points: list[g.Point]) -> None:
    import cv2
    import numpy as np

    (_, (wide, high), _) = cv2.minAreaRect(np.array(points, dtype=np.float32))
    assert abs(g.area(g.smallest_rectangle(points))) <= wide * high * 1.001 + 0.1


@given(STAR)
def test_what_is_cut_lies_in_the_image_and_what_lies_in_it_is_not_cut(points: list[g.Point]) -> None:
    cut = g.cut(points, *SIZE)
    assert all(0 <= x <= SIZE[0] and 0 <= y <= SIZE[1] for x, y in cut)
    assert abs(g.area(cut)) <= abs(g.area(points)) * (1 + 1e-9)
    if all(0 <= x <= SIZE[0] and 0 <= y <= SIZE[1] for x, y in points):
        assert cut == points


@given(STAR)
def test_what_is_cut_on_one_side_and_on_the_other_is_the_whole(points: list[g.Point]) -> None:
    moved = [(x + 300, y + 300) for x, y in points]
    left = g.cut(moved, 400, 1000)
    right = [(x + 400, y) for x, y in g.cut([(x - 400, y) for x, y in moved], 1000, 1000)]
    assert abs(g.area(left)) + abs(g.area(right)) == pytest.approx(abs(g.area(moved)))


@given(st.lists(st.tuples(st.integers(0, 5), STAR), min_size=1, max_size=4, unique_by=lambda each: each[0]))
def test_joined_parts_cover_the_sum_of_their_areas(parts: list[tuple[int, list[g.Point]]]) -> None:
    placed = [[(x + 1000 * at, y) for x, y in (points if at % 2 else points[::-1])] for at, points in parts]
    joined = g.join(placed)
    assert abs(g.area(joined)) == pytest.approx(sum(abs(g.area(each)) for each in placed))
    assert {point for each in placed for point in each} == set(joined)


@given(STAR, st.floats(0, 5))
def test_a_thinned_outline_stays_near(points: list[g.Point], tolerance: float) -> None:
    kept = g.thin(points, tolerance)
    assert set(kept) <= set(points)
    if not tolerance:
        assert abs(g.area(kept)) == pytest.approx(abs(g.area(points)))


# --- Labels


@given(st.lists(st.floats(1, 49), min_size=4, max_size=20).map(star))
def test_a_polygon_comes_back_from_its_label(points: list[g.Point]) -> None:
    row = outlined(Drawn(parts=(points,)), SIZE, Counter())
    assert row is not None
    back = [(x * SIZE[0], y * SIZE[1]) for x, y in zip(row[::2], row[1::2], strict=True)]
    assert [each for point in back for each in point] == pytest.approx([each for point in points for each in point])


@given(st.tuples(PLACE, PLACE), st.tuples(SIDE, SIDE), ANGLE)
def test_a_turned_box_comes_back_from_its_label_as_far_as_it_is_in_the_image(
    middle: g.Point, size: tuple[float, float], angle: float
) -> None:
    corners, counts = g.turned(middle, size, angle), Counter[str]()
    row = cornered(Drawn(corners=corners), SIZE, counts)
    seen = abs(g.area(g.cut(corners, *SIZE)))
    if row is None:
        assert (seen < 1e-3, counts["no-area"]) == (True, 1)
        return
    assert len(row) == 8
    assert all(0 <= each <= 1 for each in row)
    back = [(x * SIZE[0], y * SIZE[1]) for x, y in zip(row[::2], row[1::2], strict=True)]
    if seen == pytest.approx(size[0] * size[1], abs=1e-9):
        assert abs(g.area(back)) == pytest.approx(seen, rel=1e-3)


@pytest.mark.parametrize("take", [boxed, outlined, cornered])
@given(points=POINTS)
def test_whatever_is_drawn_is_in_the_image_or_counted(take: object, points: list[g.Point]) -> None:
    counts: Counter[str] = Counter()
    row = take(Drawn(parts=(points,)), SIZE, counts)  # type: ignore[operator]
    if row is None:
        assert counts["no-area"] == 1
    else:
        assert all(-1e-12 <= each <= 1 + 1e-12 for each in row)
        assert len(row) == 4 if take is boxed else len(row) >= 8


def test_a_triangle_gets_a_fourth_corner_since_seven_columns_may_be_a_box() -> None:
    row = outlined(Drawn(parts=([(0, 0), (200, 0), (0, 100)],)), SIZE, Counter())
    assert row == (0, 0, 0.5, 0, 1, 0, 0, 1)


def test_keypoints_outside_the_image_are_not_labelled() -> None:
    counts: Counter[str] = Counter()
    row = posed(Drawn(keypoints=((50, 50, 2), (100, 25, 1), (-9, 5, 2), (7, 7, 0))), SIZE, counts)
    assert row == (0.375, 0.375, 0.25, 0.25, 0.25, 0.5, 2, 0.5, 0.25, 1, 0, 0, 0, 0, 0, 0)
    assert counts["keypoint-outside"] == 1


def test_an_object_without_a_labelled_keypoint_is_left_out() -> None:
    counts: Counter[str] = Counter()
    assert posed(Drawn((1, 1, 9, 9), keypoints=((5, 5, 0),)), SIZE, counts) is None
    assert counts["no-keypoints"] == 1


# --- Masks


PIXELS = st.integers(1, 7).flatmap(
    lambda wide: st.lists(st.lists(st.booleans(), min_size=wide, max_size=wide), min_size=1, max_size=7)
)


def counted(pixels: list[bool]) -> list[int]:
    """The lengths of runs, the first of what is not covered."""
    counts, covered = [0], False
    for pixel in pixels:
        if pixel != covered:
            counts.append(0)
            covered = pixel
        counts[-1] += 1
    return counts


def spelled(counts: list[int]) -> str:
    """COCO's compressed form, as pycocotools writes it."""
    text = ""
    for at, count in enumerate(counts):
        value = count - counts[at - 2] if at > 2 else count
        while True:
            code = value & 31
            value >>= 5
            more = value != -1 if code & 16 else value != 0
            text += chr((code | (32 if more else 0)) + 48)
            if not more:
                break
    return text


@given(PIXELS)
def test_every_area_of_a_mask_gets_an_outline_and_every_hole_is_counted(pixels: list[list[bool]]) -> None:
    import cv2
    import numpy as np

    high, wide = len(pixels), len(pixels[0])
    flat = [pixel for row in pixels for pixel in row]
    found, holes = outlines(runs(counted(flat), wide, high))
    assert all(0 <= x <= wide and 0 <= y <= high for outline in found for x, y in outline)
    mask = np.array(pixels, dtype=np.uint8)
    # Areas hang together by their sides, and holes by their corners.
    inside = cv2.connectedComponents(mask, connectivity=4)[0] - 1
    outside = cv2.connectedComponents(np.pad(1 - mask, 1, constant_values=1), connectivity=8)[0] - 2
    assert (len(found), holes) == (inside, outside)


@given(PIXELS)
def test_columns_give_what_rows_give(pixels: list[list[bool]]) -> None:
    high, wide = len(pixels), len(pixels[0])
    flat = [pixel for row in pixels for pixel in row]
    turned = [pixels[row][column] for column in range(wide) for row in range(high)]
    one, other = outlines(runs(counted(flat), wide, high)), across(runs(counted(turned), high, wide))
    assert (one[1], len(one[0])) == (other[1], len(other[0]))
    for these, those in zip(sorted(map(g.around, one[0])), sorted(map(g.around, other[0])), strict=True):
        assert these == pytest.approx(those, abs=1)


def test_a_round_mask_becomes_few_points_of_its_area() -> None:
    flat = [(x - 60) ** 2 + (y - 40) ** 2 < 900 for y in range(100) for x in range(120)]
    [outline], holes = outlines(runs(counted(flat), 120, 100))
    assert holes == 0
    assert 8 < len(outline) < 40
    assert g.area(outline) == pytest.approx(sum(flat), rel=0.03)


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_the_compressed_form_is_read_back(counts: list[int]) -> None:
    assert letters(spelled(counts)) == counts


@given(st.text(max_size=12))
def test_letters_that_are_no_run_lengths_are_refused(text: str) -> None:
    try:
        assert len(letters(text)) <= len(text)
    except ValueError:
        return


@pytest.mark.parametrize("counts", [[], [-1], [5, 20], [10**12]])
def test_runs_that_do_not_fit_the_mask_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="no mask of that size"):
        runs(counts, 4, 5)


# --- Skeletons


@pytest.mark.parametrize(
    ("names", "flip"),
    [
        (["nose", "left_eye", "right_eye"], [0, 2, 1]),
        (["Left Ear", "Right Ear"], [1, 0]),
        (["l_hip", "hip", "r_hip"], [2, 1, 0]),
        (["top-left", "top-right", "bottom-right", "bottom-left"], [1, 0, 3, 2]),
        (["head", "tail"], None),
        (["left_eye", "nose"], None),
        (["left", "left", "right"], None),
        ([], None),
    ],
)
def test_left_and_right_change_places_in_a_mirror(names: list[str], flip: list[int] | None) -> None:
    assert mirrored(names) == flip


def test_classes_whose_keypoints_mirror_otherwise_get_no_flip_idx() -> None:
    both = {0: ["left", "right", "top"], 1: ["top", "left", "right"]}
    assert "flip_idx" not in described(both, 3)
    assert described({0: both[0]}, 3) == {"kpt_shape": [3, 3], "flip_idx": [1, 0, 2], "kpt_names": {0: both[0]}}
