"""What must not leave this machine: secrets, by file name and by content. Values are shown masked, never whole."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from containerid.errors import SecretFound
from containerid.secretscan.assignments import assignments, positions
from containerid.secretscan.literals import is_template
from containerid.secretscan.rules import FILES, RULES

MARKER = b"cid: allow"
"""In a comment on the same line, it permits what the line holds."""

_WRAPPED_ANCHORS = (b"ey", b"ew", b"ls0tls1crudjti")
_WRAPPED = re.compile(
    rb"(?<![A-Za-z0-9+/])(?:ey[JAI]|ew[o0k]|LS0t)[A-Za-z0-9+/_-]{37,}"
    rb"(?:(?:\s|\\n|[\"',+])*[A-Za-z0-9+/_-]{16,})*={0,2}"
)
"""Base64 of what begins as JSON or PEM does, on one line or on several."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret, and where it is.

    Attributes:
        path: from the repository's root.
        line: 1-based; 0 when the file as a whole is meant.
        rule: what kind of secret.
        masked: at most its first four characters, and its length.
        commit: the commit that holds it, when only the history does.
    """

    path: str
    line: int
    rule: str
    masked: str
    commit: str = ""

    def __str__(self) -> str:
        past = f" in commit {self.commit[:10]}, no longer in the work tree" if self.commit else ""
        return f"{self.place}: {self.rule} {self.masked}".rstrip() + past

    @property
    def place(self) -> str:
        """`path:line`, as the allow-list takes it."""
        path = _CONTROL.sub("?", self.path)
        return f"{path}:{self.line}" if self.line else path


def scan(path: str, content: bytes) -> tuple[Finding, ...]:
    """Look for secrets in one file.

    Args:
        path: from the repository's root; some names are enough, some say how to read the content.
        content: in UTF-8, UTF-16, Latin-1 or any other encoding that is based on ASCII; in binary files, only shapes
            that nothing else has are looked for.

    Returns:
        Findings by line. Those on a line that holds the marker `cid: allow` are left out.
    """
    named = [Finding(path, 0, name, "") for name, pattern in FILES if content.strip() and pattern.fullmatch(path)]
    data, binary = _read(content)
    spans: dict[int, tuple[int, str, bytes]] = {}
    for start, value, rule in _matches(data, path, binary=binary):
        if not any(start < end and at < start + len(value) for at, (end, _, _) in spans.items()):
            spans[start] = (start + len(value), rule, value)
    found = [
        Finding(path, data.count(b"\n", 0, start) + 1, rule, _masked(value))
        for start, (_, rule, value) in sorted(spans.items())
        if MARKER not in _line(data, start)
    ]
    return (*named, *found)


def permitted(path: str, allow: Sequence[str], line: int = 0) -> bool:
    """Whether the allow-list names a file or a line: a path, `path:line`, a folder, or a glob (`*` crosses folders)."""
    for entry in allow:
        if line and entry == f"{path}:{line}":
            return True
        if path == entry or fnmatchcase(path, entry) or path.startswith(entry.rstrip("/*") + "/"):
            return True
    return False


def refuse(findings: Sequence[Finding]) -> None:
    """Refuse what was found, if anything was.

    Raises:
        SecretFound: the message lists every finding, the hint tells what permits one.
    """
    if not findings:
        return
    rows = sorted({str(each) for each in findings})
    count = "a secret" if len(rows) == 1 else f"{len(rows)} secrets"
    mend = (
        "take it out, and out of the commits that hold it" if any(each.commit for each in findings) else "take it out"
    )
    permit = f'permit it in params.yaml, git.allow: ["{findings[0].place}"]'
    raise SecretFound(
        f"{count} would leave this machine:" + "".join(f"\n  {row}" for row in rows),
        hint=f"{mend} (or into .gitignore); or {permit}, or put `{MARKER.decode()}` in a comment on the line",
    )


def _matches(data: bytes, path: str, *, binary: bool) -> Iterator[tuple[int, bytes, str]]:
    lowered = data.lower()
    for rule in RULES if not binary else (rule for rule in RULES if rule.sure):
        for at in positions(lowered, rule.anchors):
            match = rule.pattern.match(data, at)
            group = "secret" if "secret" in rule.pattern.groupindex else 0
            if match and rule.judge(match[group], path):
                yield match.start(group), match[group], rule.name
    if not binary:
        yield from ((at, value, "literal given to a secret's name") for at, value in assignments(data, lowered, path))
    for at in positions(lowered, _WRAPPED_ANCHORS):
        if match := _WRAPPED.match(data, at):
            yield from _unwrapped(match, path)


def _unwrapped(match: re.Match[bytes], path: str) -> Iterator[tuple[int, bytes, str]]:
    """What lies in Base64, where that begins as JSON or as a PEM file does."""
    text = re.sub(rb"\\n|[^A-Za-z0-9+/_-]", b"", match.group()).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        inner = base64.b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return
    for _, _, rule in _matches(inner, path, binary=False):
        yield match.start(), match.group(), f"{rule}, in Base64"
        return


def _read(content: bytes) -> tuple[bytes, bool]:
    """The content as bytes that ASCII patterns can read, and whether it is binary."""
    head = content[:4096]
    if b"\0" not in head:
        return content, False
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if zeros and zeros.count(0) > 0.4 * len(zeros):
            return content.decode(encoding, "replace").encode("utf-8", "replace"), False
    return content, True


def _line(data: bytes, start: int) -> bytes:
    end = data.find(b"\n", start)
    return data[data.rfind(b"\n", 0, start) + 1 : end if end >= 0 else None]


def _masked(value: bytes) -> str:
    shown = value[:4].decode("ascii", "replace") if len(value) >= 16 else ""
    return f"{_CONTROL.sub('?', shown)}… ({len(value)} characters)"


__all__ = ["MARKER", "Finding", "is_template", "permitted", "refuse", "scan"]
