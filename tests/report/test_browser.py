"""The pages in a real browser: what no reading of the HTML can tell."""

import http.server
import threading
from datetime import UTC, datetime

import pytest
from fakes.browsers import CONTRAST, CUT, STRUCTURE, browser
from fakes.reports import HOSTILE, leave, leave_classifier
from fakes.sets import write_set

from containerid.dataset import sets
from containerid.dataset.check import check
from containerid.report import checked
from containerid.report import compare as comparison
from containerid.report import page as pages
from containerid.report import run as report
from containerid.report.outputs import read

WIDE, NARROW = 1280, 360


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    first = leave(folder / "a", run="exp001-20261121-080000-abc123")
    second = leave(folder / "b", run="exp002-20261121-090000-def456", metadata={"params": {"training": {"epochs": 9}}})
    report.write(first)
    report.write(second)
    report.write(leave_classifier(folder / "sorted"))
    both = comparison.compare([read(first), read(second)])
    pages.write(folder / "compared.html", comparison.compose(both))
    third = leave(folder / "c", run="exp003-20261121-100000-abcdef", metadata={"code": {"sha": "f" * 40}})
    three = comparison.compare([read(first), read(second), read(third)])
    pages.write(folder / "three.html", comparison.compose(three))
    (folder / "failed").mkdir()
    (folder / "failed/result.json").write_text('{"run": "r1", "outcome": "failed", "phase": "data", "reason": "gone"}')
    (folder / "failed/train.log").write_text(f"{'a long line ' * 30}\nFileNotFoundError: data/doors/images/train\n")
    report.write(folder / "failed", spec={"overrides": ["training.epochs=3"], "code": {"sha": "a" * 40}})
    _checked(folder)
    return folder


def _checked(folder):
    doors = write_set(folder / "doors")
    (doors / "labels/train/train1.txt").write_text("0 0.9 0.5 0.4 0.4\n7 0.5 0.5 0.2 0.2\n")
    (doors / "labels/train/train2.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n")
    (doors / "images/val/val1.jpg").write_bytes(b"")
    found = check(sets.survey(doors / "data.yaml"))
    checked.write(folder / "checked.html", found, doors, now=datetime(2026, 11, 21, tzinfo=UTC))


class Look:
    """A page that was opened.

    Attributes:
        said: console messages, errors and dialogs.
        asked: requests for anything but the file itself.
    """

    def __init__(self, chromium, path, width=WIDE, scheme="light"):
        self.context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._note)
        self.page.goto(path.as_uri())
        self.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    def _note(self, request):
        if not request.url.startswith(("file:", "data:")):
            self.asked.append(request.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize(
    "name", ["a/report.html", "sorted/report.html", "compared.html", "failed/report.html", "checked.html"]
)
def test_a_page_reads_well_at_any_width_by_day_and_by_night(chromium, folder, name, width, scheme):
    with Look(chromium, folder / name, width, scheme) as look:
        found = look.page.evaluate(STRUCTURE)
        contrast = look.page.evaluate(CONTRAST)
    assert look.said == []
    assert look.asked == []
    assert found["wide"] <= 0
    assert found["headings"][0] == "H1"
    assert set(found["headings"][1:]) == {"H2"}
    assert (found["dumb"], found["twice"], found["dead"]) == (0, [], 0)
    assert (found["unreachable"], found["nameless"], found["landmarks"]) == (0, 0, [])
    assert contrast["seen"] > 10
    assert contrast["faint"] == []


@pytest.mark.parametrize("width", [NARROW, 800, WIDE, 1800])
@pytest.mark.parametrize("name", ["a/report.html", "three.html", "failed/report.html", "checked.html"])
def test_nothing_is_cut_off_and_what_scrolls_shows_it(chromium, folder, name, width):
    with Look(chromium, folder / name, width) as look:
        found = look.page.evaluate(CUT)
        wide = look.page.evaluate(STRUCTURE)["wide"]
    assert found["over"] == []
    assert found["outside"] == []
    assert wide <= 0
    assert found["words"] > 5 or "report" not in name or name.startswith("failed")


def test_three_runs_stand_side_by_side_in_a_wide_window(chromium, folder):
    boxes = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth).length"
    with Look(chromium, folder / "three.html", WIDE) as look:
        look.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
        assert look.page.evaluate(boxes) == 0


def test_day_and_night_look_different_and_paper_is_white(chromium, folder):
    ground = "getComputedStyle(document.body).backgroundColor"
    line = "getComputedStyle(document.querySelector('.line')).stroke"
    with Look(chromium, folder / "a/report.html", scheme="light") as day:
        light = day.page.evaluate(f"[{ground}, {line}]")
    with Look(chromium, folder / "a/report.html", scheme="dark") as night:
        dark = night.page.evaluate(f"[{ground}, {line}]")
        night.page.emulate_media(media="print", color_scheme="dark")
        paper = night.page.evaluate(f"[{ground}, {line}]")
        hidden = night.page.evaluate("getComputedStyle(document.querySelector('nav')).display")
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert paper == ["rgb(255, 255, 255)", light[1]]
    assert hidden == "none"


def test_pictures_are_there_with_their_boxes(chromium, folder):
    with Look(chromium, folder / "a/report.html") as look:
        pictures = "[...document.querySelectorAll('.gallery svg')]"
        sizes = look.page.evaluate(f"{pictures}.map(e => [e.clientWidth, e.querySelectorAll('.box').length])")
    assert len(sizes) == 2
    assert all(width > 200 and boxes == 4 for width, boxes in sizes)


def test_names_that_are_scripts_run_nothing(chromium, tmp_path):
    metadata = {"experiment": HOSTILE, "project": HOSTILE, "data": {"classes": {HOSTILE: 3}}}
    leave(tmp_path, run=HOSTILE, metadata=metadata, evaluation={"names": [HOSTILE, HOSTILE]})
    with Look(chromium, report.write(tmp_path)) as look:
        assert look.page.evaluate("document.scripts.length") == 0
        assert look.page.inner_text("h1") == HOSTILE
    assert look.said == []


def test_the_policy_stops_what_escaping_would_have_missed(chromium, folder, tmp_path):
    asked = []

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    with http.server.HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = f"http://127.0.0.1:{server.server_address[1]}/"
        taken = "document.title = 'taken'"
        evil = f"<script>{taken}</script><img src='{there}' onerror=\"{taken}\"><style>@import '{there}'</style>"
        html = (folder / "a/report.html").read_text(encoding="utf-8").replace("<main>", f"<main>{evil}")
        (tmp_path / "evil.html").write_text(html, encoding="utf-8")
        with Look(chromium, tmp_path / "evil.html") as look:
            title = look.page.title()
        server.shutdown()
    assert title != "taken"
    assert asked == []
    assert len(look.said) >= 3  # the browser says what it refused
