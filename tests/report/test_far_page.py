"""The page at the end of a leg: whatever becomes of the leg, and of the page."""

import io
import sys
import tarfile

import pytest
from fakes.legs import Leg, of_folder

from containerid.kaggle.package import gather


@pytest.fixture
def leg(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "leg").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path / "leg")


def test_a_leg_that_failed_leaves_a_page_that_its_manifest_lists(leg):
    result = leg.run(data=of_folder(leg.folder / "none"), experiment="exp<b>")
    page = (leg.out / "report.html").read_text(encoding="utf-8")
    assert result.outcome == "failed"
    assert "Failed in data." in page
    assert "exp&lt;b&gt;" in page
    assert leg.manifest()["report.html"]["size"] == len(page.encode())


def test_a_page_that_cannot_be_made_costs_the_leg_nothing(leg, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = leg.run(data=of_folder(leg.folder / "none"))
    assert (result.outcome, result.phase) == ("failed", "data")
    assert "caution: report.html cannot be made (ModuleNotFoundError" in capsys.readouterr().out
    assert "result.json" in leg.manifest()
    assert not [path for path in leg.out.iterdir() if "report" in path.name]


def test_the_page_of_the_leg_before_never_stands_for_this_one(leg, monkeypatch):
    leg.run(data=of_folder(leg.folder / "none"))
    assert (leg.out / "report.html").exists()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    leg.run(data=of_folder(leg.folder / "none"))
    assert not (leg.out / "report.html").exists()


def test_a_secret_of_the_spec_is_in_no_page(leg, monkeypatch):
    secret = "ghp_" + "0a" * 18
    monkeypatch.setenv("GITHUB_TOKEN", secret)
    leg.run(data=of_folder(leg.folder / "none"), experiment=f"e {secret}")
    assert secret not in (leg.out / "report.html").read_text(encoding="utf-8")


def test_the_far_side_gets_the_page_and_leaves_comparisons_here():
    with tarfile.open(fileobj=io.BytesIO(gather())) as archive:
        names = set(archive.getnames())
    assert {
        f"containerid/{name}" for name in ("report/run.py", "templates/page.html.j2", "templates/page.css")
    } <= names
    assert "containerid/report/compare.py" not in names
