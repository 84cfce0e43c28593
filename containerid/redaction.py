"""What must not be seen, taken out of everything that is shown, kept or sent. Standard library only.

A value is known by its pieces: every run of eight characters of it, and of what it looks like in base64, in a URL and
in JSON. So it is found as well when it is cut in two by a line end, a chunk or a narrow column; at most seven
characters on either side of a cut are left.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 8
"""Characters of a piece. A shorter value is no secret, and cannot be told from a word."""

_SENSITIVE = re.compile(r"token|secret|key|password", re.IGNORECASE)
_PLAIN = re.compile(r"https?://[^@]*|\d{4}-\d\d-\d\dT.*|true|false|null", re.IGNORECASE | re.DOTALL)
"""Parts of a credentials document whose names sound secret and which everybody may see: addresses and times."""

_ARMOUR = re.compile(r"-----[A-Z ]+-----")


class Redactor:
    """Takes known secrets out of text. Values may be added by several threads."""

    def __init__(self) -> None:
        self._pieces: frozenset[str] = frozenset()
        self._wholes: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, secret: str) -> None:
        """Never let this value through: of a JSON document its sensitive parts, and the document as base64."""
        forms = [form for form in {*_forms(secret)} if len(form) >= SHORTEST]
        self._pieces |= {form[at : at + SHORTEST] for form in forms for at in range(len(form) - SHORTEST + 1)}
        self._wholes = tuple({*self._wholes, *(form.encode("utf-8", "surrogatepass") for form in forms)})

    def clean(self, text: str) -> str:
        """The text with every known secret replaced, and every part of one of eight characters and more."""
        if not self._pieces or len(text) < SHORTEST:
            return text
        spans: list[list[int]] = []
        for at in range(len(text) - SHORTEST + 1):
            if text[at : at + SHORTEST] in self._pieces:
                if spans and at <= spans[-1][1]:
                    spans[-1][1] = at + SHORTEST
                else:
                    spans.append([at, at + SHORTEST])
        for start, end in reversed(spans):
            text = text[:start] + REDACTED + text[end:]
        return text

    def clean_all(self, document: Any) -> Any:
        """A JSON document with every string in it cleaned, keys too; it stays one."""
        if isinstance(document, str):
            return self.clean(document)
        if isinstance(document, dict):
            return {self.clean_all(key): self.clean_all(value) for key, value in document.items()}
        return [self.clean_all(each) for each in document] if isinstance(document, (list, tuple)) else document

    def is_in(self, content: bytes) -> bool:
        """Some known secret is in these bytes, whole, in one of its forms. Fast enough for a model."""
        return any(whole in content for whole in self._wholes)


HIDDEN = Redactor()
"""What this process has read: whoever reads a secret adds it, and errors and the console go through it."""


def _forms(secret: str) -> Iterator[str]:
    parts = list(_parts(secret))
    for part in parts:
        yield from _written(part)
    for value in {secret, *parts}:
        yield from _encoded(value)


def _parts(secret: str) -> Iterator[str]:
    """What is secret in a value: all of it, or the leaves of a JSON document whose names say so."""
    try:
        document = json.loads(secret)
    except ValueError:
        document = None
    leaves = _leaves(document, "") if isinstance(document, dict) else [secret]
    for leaf in leaves:
        yield from (part.strip() for part in _ARMOUR.split(leaf) if part.strip())


def _leaves(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, str(key))
    elif isinstance(value, str) and _SENSITIVE.search(name) and not _PLAIN.fullmatch(value):
        yield value


def _written(value: str) -> Iterator[str]:
    """As it stands, line by line, and as JSON, Python and URLs write it."""
    yield value
    yield from (line.strip() for line in value.splitlines())
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    for escaped in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield escaped
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), escaped)


def _encoded(value: str) -> Iterator[str]:
    """As base64, in both alphabets, wherever in the encoded bytes it begins."""
    raw = value.encode("utf-8", "surrogatepass")
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        # Characters that also depend on what stands before and after are left out.
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        core = encoded[first:last].decode()
        yield core
        yield core.translate(_URLSAFE)


_URLSAFE = str.maketrans("+/", "-_")
