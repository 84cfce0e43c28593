import base64
import hashlib
import re

import pytest
from fakes.reports import HOSTILE, Read

from containerid.report import page as p

SECTIONS = [
    p.Section("Numbers & more", [p.Tiles([p.Tile(HOSTILE, HOSTILE, HOSTILE, p.BAD)])]),
    p.Section("Tables", [p.Table(HOSTILE, [HOSTILE, "n"], [[HOSTILE, p.Cell(HOSTILE, p.WARN, note=HOSTILE)]], {1})]),
    p.Section("Words", [p.Words(HOSTILE), p.Note(HOSTILE, p.GOOD, HOSTILE), p.Commands(HOSTILE)]),
    p.Section("More", [p.More(HOSTILE, [p.Facts([(HOSTILE, HOSTILE), ("empty", "")])])]),
    p.Section("Nothing", []),
]
PAGE = p.Page(
    title=HOSTILE, kind=HOSTILE, status=p.Cell(HOSTILE, p.BAD), subtitle=HOSTILE, sections=SECTIONS, foot=HOSTILE
)


def test_a_page_is_one_well_formed_document_that_asks_for_nothing():
    read = Read(p.render(PAGE))
    assert not {"script", "iframe", "object", "form", "base"} & set(read.tags)
    assert [each["href"] for each in read.tags["link"]] == ["data:,"]
    assert not any(value for each in read.tags["meta"] if (value := each.get("src")))
    assert len(read.tags["h1"]) == 1
    assert read.tags["html"][0]["lang"] == "en"


def test_the_policy_allows_this_very_style_and_nothing_else():
    html = p.render(PAGE)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert " style=" not in html  # an attribute would need `unsafe-inline`
    assert not re.search(r"url\(|@import|https?:", style)


def test_what_somebody_called_a_run_is_text_wherever_it_stands():
    html = p.render(PAGE)
    assert "<script" not in html
    assert "49" not in Read(html).text  # nothing is a template but the template
    assert Read(html).text.count(HOSTILE) >= 12


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "file:///etc/passwd"])
def test_only_a_web_address_is_a_link(url):
    html = p.render(p.Page(title="t", kind="k", sections=[p.Section("s", [p.Facts([("at", p.Cell("x", url=url))])])]))
    assert "<a " not in html


def test_a_web_address_is_a_link():
    facts = p.Facts([("at", p.Cell("W&B", url="https://wandb.example/a?b=1&c=2"))])
    read = Read(p.render(p.Page(title="t", kind="k", sections=[p.Section("s", [facts])])))
    assert [each["href"] for each in read.tags["a"]] == ["https://wandb.example/a?b=1&c=2"]


def test_sections_that_say_nothing_and_facts_without_a_value_are_left_out():
    read = Read(p.render(PAGE))
    assert "Nothing" not in read.text
    assert "empty" not in read.text
    assert [each["href"] for each in read.tags["a"]] == ["#numbers-more", "#tables", "#words", "#more"]
    ids = [each["id"] for each in read.tags["h2"]]
    assert ids == ["numbers-more", "tables", "words", "more"]


def test_a_tone_is_a_word_or_a_mark_and_never_a_colour_alone():
    cells = [p.Cell("error", tone) for tone in (p.GOOD, p.BAD, p.WARN)]
    assert [cell.mark for cell in cells] == ["✓", "✗", "!"]


def test_a_table_tells_its_name_its_columns_and_its_rows():
    table = p.Table("Findings", ["path", "n"], [["a.txt", "3"]], {1})
    read = Read(p.render(p.Page(title="t", kind="k", sections=[p.Section("s", [table])])))
    assert [each["scope"] for each in read.tags["th"]] == ["col", "col", "row"]
    assert read.tags["caption"]
    assert read.tags["td"][0]["class"].strip() == "number"


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = p.write(tmp_path / "deep/page.html", PAGE)
    before = path.read_text(encoding="utf-8")
    monkeypatch.setattr(p, "render", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        p.write(path, PAGE)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]


def test_half_a_character_in_a_name_does_not_stop_a_page(tmp_path):
    page = p.Page(title="a\ud800b\0c", kind="k")
    assert "a?b" in p.write(tmp_path / "page.html", page).read_text(encoding="utf-8")
