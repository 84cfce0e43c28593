import math
import re
import sys
from xml.etree import ElementTree as ET

import pytest
from fakes.reports import HOSTILE, jpeg
from hypothesis import given
from hypothesis import strategies as st

from containerid.report import pictures
from containerid.report.charts import HEIGHT, WIDTH, Axes, Line, bar_chart, line_chart, number
from containerid.report.curves import charts

NAN = math.nan


def places(svg):
    return [float(each) for path in re.findall(r' d="M([^"]*)"', svg) for each in re.split(r"[L ]", path)]


def test_a_line_is_drawn_inside_the_chart_with_axis_and_legend():
    chart = line_chart("Loss", [Line("train", [(1, 4.0), (2, 2.0), (3, 1.5)])], Axes(x="epoch", low=0, whole=True))
    assert chart.legend == [("train", "1.5")]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart.svg)
    assert texts[-1] == "epoch"
    assert {"0", "4", "1", "2", "3"} <= set(texts)
    assert all(0 <= x <= WIDTH for x in places(chart.svg)[::2])
    assert all(0 <= y <= HEIGHT for y in places(chart.svg)[1::2])


def test_pointing_at_an_epoch_tells_every_line_there():
    lines = [Line("train", [(1, 4.0), (2, 2.0)]), Line("val", [(1, 5.0), (2, NAN)])]
    titles = re.findall(r"<title>([^<]*)</title>", line_chart("Loss", lines, Axes(x="epoch")).svg)
    assert titles == ["epoch 1\ntrain 4\nval 5", "epoch 2\ntrain 2"]


def test_what_is_no_number_is_a_gap():
    chart = line_chart("Loss", [Line("a", [(1, 1.0), (2, 2.0), (3, NAN), (4, math.inf), (5, 2.0)])], Axes(x="epoch"))
    assert chart.svg.count("<path") == 1
    assert chart.svg.count("<circle") == 1


@pytest.mark.parametrize("points", [[], [(1, NAN)], [(NAN, 1)]])
def test_nothing_to_draw_is_no_chart(points):
    assert line_chart("Loss", [Line("a", points)], Axes(x="epoch")) is None
    assert bar_chart("Boxes", []) is None


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-300, 1e300])
def test_a_line_that_never_moves_is_drawn_too(value):
    chart = line_chart("Flat", [Line("a", [(1, value), (2, value)])], Axes(x="epoch"))
    ET.fromstring(chart.svg)
    assert all(math.isfinite(each) for each in places(chart.svg))


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(allow_nan=True, allow_infinity=True, width=32)), max_size=30),
    st.text(max_size=20),
)
def test_any_numbers_and_any_name_make_a_chart_or_none(points, name):
    chart = line_chart(name, [Line(name, sorted(points, key=lambda each: each[0]))], Axes(x="x", whole=True))
    if chart:
        assert "nan" not in chart.svg.split("aria-label")[1].partition('">')[2].replace(name, "")
        assert len(chart.svg) < 60_000


def test_a_thousand_epochs_stay_a_small_chart():
    chart = line_chart("Loss", [Line("a", [(n, 1 / n) for n in range(1, 1001)])], Axes(x="epoch", whole=True))
    assert chart.svg.count("<title>") <= 150
    assert len(chart.svg) < 50_000


def test_names_are_text_in_charts_and_pictures():
    chart = line_chart(HOSTILE, [Line(HOSTILE, [(1, 1.0), (2, 2.0)])], Axes(x=HOSTILE, mark=(1.5, HOSTILE)))
    bars = bar_chart(HOSTILE, [(HOSTILE, 3)])
    image = pictures.load(jpeg())
    picture = pictures.draw(image, HOSTILE, shapes=[pictures.Box(0.5, 0.5, 0.1, 0.1, pictures.GUESS, HOSTILE)])
    for svg in (chart.svg, bars.svg, picture.svg):
        assert "<script" not in svg
        ET.fromstring(svg)


def test_the_longest_bars_are_shown_in_their_order_and_the_rest_is_told():
    bars = [(f"c{n}", n) for n in range(20)]
    chart = bar_chart("Boxes", bars, limit=3)
    assert re.findall(r">(c\d+)</text>", chart.svg) == ["c17", "c18", "c19"]
    assert chart.note == "the largest 3 of 20"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00012, "1.2e-04"), (0.0123, "0.0123"), (1.23456, "1.235"), (12.34, "12.3"), (4567.8, "4568"),
     (1e6, "1.0e+06"), (100.0, "100"), (NAN, "–")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_a_picture_is_shrunk_and_keeps_its_shape():
    image = pictures.load(jpeg(1000, 500), longest=200)
    assert (image.width, image.height) == (200, 100)
    assert image.uri.startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff\xe0" + b"\0" * 20, b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_left_out(data, monkeypatch):
    assert pictures.load(data) is None
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert pictures.load(data) is None


def test_what_is_no_picture_is_left_out_beside_ultralytics_too(monkeypatch):
    from PIL import Image

    def ask_for_more(*_):
        raise ModuleNotFoundError("No module named 'pi_heif'")

    monkeypatch.setattr(Image, "open", ask_for_more)
    assert pictures.load(b"no image") is None


def test_a_file_that_is_gone_is_left_out(tmp_path):
    assert pictures.load(tmp_path / "none.jpg") is None


def test_without_pillow_a_small_picture_is_taken_as_it_is(monkeypatch):
    data = jpeg(96, 64)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    image = pictures.load(data)
    assert (image.width, image.height) == (96, 64)
    assert pictures.load(data + b"\0" * 200_000) is None


def test_what_is_there_and_what_was_predicted_are_drawn_apart():
    image = pictures.load(jpeg(100, 50))
    boxes = [pictures.Box(0.5, 0.5, 0.2, 0.4, pictures.TRUE, "door"), pictures.Box(0.5, 0.5, 0.4, 0.4, pictures.GUESS)]
    svg = pictures.draw(image, "a door", "caption", "title", boxes).svg
    assert '<rect class="box true" x="40.0" y="15.0" width="20.0" height="20.0"/>' in svg
    assert '<rect class="box guess" x="30.0" y="15.0" width="40.0" height="20.0"/>' in svg
    assert 'aria-label="a door"' in svg
    assert svg.count("<text") == 1


def test_a_legend_tells_the_place_that_is_pointed_out():
    line = Line("val", [(1, 4.0), (2, 1.0), (3, 2.0)])
    assert line_chart("Loss", [line], Axes(x="epoch", mark=(2, "best: 2"))).legend == [("val", "1")]
    assert line_chart("Loss", [line], Axes(x="epoch", mark=(9, "best: 9"))).legend == [("val", "2")]
    assert line_chart("Loss", [line], Axes(x="epoch")).legend == [("val", "2")]


@pytest.mark.parametrize(
    ("highest", "names"),
    [(0.002, ["0", "0.0005", "0.0010", "0.0015", "0.0020"]), (1, ["0", "0.25", "0.50", "0.75", "1.00"]),
     (8, ["0", "2", "4", "6", "8"]), (4e-7, ["0", "1.0e-07", "2.0e-07", "3.0e-07", "4.0e-07"])],
)  # fmt: skip
def test_the_marks_of_an_axis_have_the_places_of_their_step(highest, names):
    chart = line_chart("Rate", [Line("a", [(1, 0.0), (2, highest)])], Axes(x="epoch", low=0, whole=True))
    texts = re.findall(r'<text[^>]*text-anchor="end">([^<]*)</text>', chart.svg)
    assert texts == names


def test_a_rate_that_warms_up_from_far_above_does_not_press_the_others_flat():
    history = {"epoch": [1, 2, 3], "lr/pg0": [0.001, 0.002, 0.001], "lr/pg1": [0.001, 0.002, 0.001],
               "lr/pg2": [0.07, 0.01, 0.001]}  # fmt: skip
    chart = charts(history)[-1]
    assert chart.note == "not drawn: biases start at 0.07, to warm up"
    assert [name for name, _ in chart.legend] == ["learning rate"]
    assert "0.0020" in chart.svg


def test_groups_whose_rates_differ_a_little_are_drawn_by_their_names():
    history = {"epoch": [1, 2], "lr/pg0": [0.001, 0.002], "lr/pg1": [0.001, 0.002], "lr/pg2": [0.003, 0.002]}
    assert [name for name, _ in charts(history)[-1].legend] == ["weights", "biases"]


def test_a_label_stays_inside_its_picture():
    image = pictures.load(jpeg(100, 50))
    boxes = [pictures.Box(0.97, 0.02, 0.06, 0.04, pictures.GUESS, "container_door 0.93")]
    x = float(re.search(r'class="tag" font-size="[\d.]+" x="([\d.]+)"', pictures.draw(image, "a", shapes=boxes).svg)[1])
    assert 0 <= x < 70
