"""A real browser: Debian's Chromium, or whichever the machine has; what CI must have and a laptop may lack."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find_browser() -> str:
    """Its path; empty when there is none."""
    named = (*(shutil.which(name) or "" for name in _NAMES), _MAC)
    return next((path for path in named if path and Path(path).is_file()), "")


@contextmanager
def browser() -> Iterator[Any]:
    """A browser that is running; without one the test is skipped aloud, and fails where one is required."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _do_without("playwright is not installed")
    with sync_playwright() as playwright:
        path = find_browser() or playwright.chromium.executable_path
        if not Path(path).is_file():
            _do_without("no Chromium was found (apt-get install chromium, or playwright install chromium)")
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


def _do_without(why: str) -> None:
    if os.environ.get("CID_BROWSER_REQUIRED"):
        pytest.fail(f"{why}, and CID_BROWSER_REQUIRED is set")
    warnings.warn(f"the pages were NOT looked at in a browser: {why}", stacklevel=2)
    pytest.skip(why)


CONTRAST = """() => {
  const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
  const colour = text => { const p = text.match(/[\\d.]+/g).map(Number); return p.length < 4 ? [...p, 1] : p; };
  const over = (top, below) => below.map((v, i) => i < 3 ? top[i] * top[3] + v * (1 - top[3]) : 1);
  const ground = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const c = colour(getComputedStyle(at).backgroundColor);
      if (c[3]) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const faint = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || element.closest('title, .tag, .unseen')) continue;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (!box.width || style.visibility === 'hidden') continue;
    const below = ground(element);
    const ink = over(colour(element.closest('svg') ? style.fill : style.color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    seen += 1;
    const contrast = (a + .05) / (b + .05);
    if (contrast < (large ? 3 : 4.5))
      faint.push([walk.currentNode.data.trim().slice(0, 40), style.color, String(below), contrast.toFixed(2)]);
  }
  return {seen, faint};
}"""
"""How many texts are seen, and those whose contrast with what lies under them is below WCAG's AA."""

STRUCTURE = """() => ({
  wide: document.documentElement.scrollWidth - window.innerWidth,
  headings: [...document.querySelectorAll('h1, h2, h3')].map(each => each.tagName),
  dumb: [...document.querySelectorAll('svg, img')].filter(each => each.getAttribute('role') !== 'img'
    || !(each.getAttribute('aria-label') || each.alt || '').trim()).length,
  twice: [...document.querySelectorAll('[id]')].map(each => each.id).filter((id, at, all) => all.indexOf(id) !== at),
  dead: [...document.querySelectorAll('a[href^="#"]')].filter(
    each => !document.getElementById(decodeURIComponent(each.hash.slice(1)))).length,
  unreachable: [...document.querySelectorAll('.scroll, pre')].filter(
    each => each.scrollWidth > each.clientWidth && each.tabIndex < 0).length,
  nameless: [...document.querySelectorAll('table')].filter(each => !each.caption || !each.tHead).length,
  landmarks: ['header', 'main', 'footer'].filter(name => !document.querySelector(name)),
})"""
"""What a person who cannot see the page, or has a narrow screen, would stumble over."""

CUT = """() => {
  const over = [];
  const boxed = element => element.closest('.scroll, pre');
  for (const each of document.querySelectorAll('th, td, dd, dt, h1, h2, p, li, figcaption, summary, code, .value')) {
    if (each.closest('.unseen') || !each.getClientRects().length) continue;
    const cell = getComputedStyle(each).display === 'inline' ? each.getBoundingClientRect() : null;
    const wide = cell ? cell.right - document.documentElement.clientWidth : each.scrollWidth - each.clientWidth;
    if (wide > 1 && !(cell && boxed(each))) over.push([each.tagName, each.textContent.trim().slice(0, 50), wide]);
  }
  for (const each of document.querySelectorAll('.scroll, pre'))
    if (each.scrollWidth > each.clientWidth && !getComputedStyle(each).backgroundImage.includes('gradient'))
      over.push([each.className, 'scrolls, and nothing shows it', each.scrollWidth - each.clientWidth]);
  const outside = [];
  let words = 0;
  for (const each of document.querySelectorAll('svg text')) {
    const box = each.getBBox(), view = each.ownerSVGElement.viewBox.baseVal;
    words += 1;
    if (box.x < -1 || box.y < -1 || box.x + box.width > view.width + 1 || box.y + box.height > view.height + 1)
      outside.push([each.textContent, box.x, box.y, box.width, view.width]);
  }
  return {over, outside, words};
}"""
"""Text that is wider than its place, boxes that scroll and do not show it, and words of pictures beyond their edge."""
