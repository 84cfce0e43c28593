"""Literals that are given to names like key, token, secret and password, in whatever language."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from containerid.secretscan.literals import is_keeper, is_key, is_naming, is_password, is_speaking, is_token

_ANCHORS = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential")
_NAMES = rb"(?P<word>pass(?:word|wd|phrase)?|pwd|secret|token|key|credentials?)"
_SUFFIX = rb"(?:_?(?:b64|base64|value|plain|prod|dev|live|\d{1,2}))?"
_BETWEEN = (
    # ] = "…" · : str = "…" · := · => · == · : · a quoted name and a comma · <key>…</key>
    rb"(?P<close>\\?[\"'`]?[\])]?)(?:"
    rb"(?:[ \t]*:[ \t]*[A-Za-z_&][\w\[\]|. ,&'<>]{0,40}?)?[ \t]*(?:[?:+|]?={1,3}>?|<-)[ \t]*"
    rb"|[ \t]*:(?!:)[ \t]*(?:![\w!/:.,]+[ \t]+|&\w+[ \t]+)?"
    rb"|(?P<comma>,[ \t]*|\t[ \t]*)"
    rb"|[ \t]*\|[ \t]*"
    rb"|>"
    rb")"
)
_VALUE = (
    rb"(?:(?:SecretStr|SecretBytes|Secret|Password|str|bytes|quote|quote_plus|(?:base64\.)?b64decode)\(\s*)?"
    rb"(?:[bfruBFRU@]{0,2}(?P<quote>\\?(?:\"\"\"|'''|[\"'`]))(?P<quoted>[^\"'`\n\\]{3,500}?)(?P=quote)"
    rb"|(?P<bare>[^\s\"'`\\,;(){}\[\]<>#|&]{3,500}))"
)
_ASSIGNED = re.compile(_NAMES + _SUFFIX + _BETWEEN + _VALUE, re.IGNORECASE)
_WORD = rb"(?P<quote>[\"']?)(?P<quoted>[^\s\"'`\\,;(){}\[\]<>]{6,500})(?P=quote)"
_SPACED = re.compile(_NAMES + rb"[ \t]+" + _WORD, re.IGNORECASE)
_SPACED_AFTER = re.compile(rb"(?:--[\w-]*|(?:\b(?:env|arg|set|setx|setenv)|#define)[ \t]+(?:-\w+[ \t]+)*\w*)\Z")
_NAMED = re.compile(
    _NAMES + rb"[\"']?\s*,?\s*(?:[^\n]{0,80}?[\s,])?[\"']?(?:value|content|default)[\"']?\s*[:=]\s*" + _WORD,
    re.IGNORECASE,
)
_NAMED_AFTER = re.compile(rb"(?:(?:name|key|id)[\"']?\s*[:=]\s*[\"']?|[\"']--)[\w.-]*\Z")
_PLACES = ((_ASSIGNED, None), (_SPACED, _SPACED_AFTER), (_NAMED, _NAMED_AFTER))
"""Name and value, and what must come before the name."""
_PAIR = re.compile(rb"(?:[(\[]\s*\\?[\"'`]|^)[\w.-]*\Z", re.MULTILINE)
_BEFORE = re.compile(rb"[A-Za-z0-9_.-]*\Z")
_HARMLESS = re.compile(
    rb"(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    rb"(?:public|publickey|publishable|pub|primary|foreign|sort|cache|partition|group|dedup\w*|idempotency|site|host|object|s3|index"
    rb"|search|map|dict|column|i18n|translation|registry|answer|short|hot|eos|bos|pad|unk|sep|cls|mask|image|special|stop"
    rb"|next|page|prev|cursor|continuation|sitemap|storage|bucket|file|route|menu|event|row|item|react|config|resource"
    rb"|lookup|query|json|yaml|state|data|metric|label|text|class|target|by|num|max|min|no|any|per)[_.-]?\Z",
    re.IGNORECASE,
)
_STRONG = re.compile(
    rb"(?:api|access|auth|private|secret|account|service|client|deploy|encryption|encrypt|signing|sign|master|admin"
    rb"|session|licen[cs]e|webhook|bot|app|user|ssh|jwt|hmac|aes|kaggle|wandb|roboflow|openai|hf|gh|github|gitlab|aws"
    rb"|azure|gcp|google|comet|neptune|clearml|mlflow|sentry|stripe|twilio|sendgrid|slack|project|write|read|upload"
    rb"|subscription)[_.-]?\Z",
    re.IGNORECASE,
)
_PASSED = re.compile(
    rb"(?:db|user|root|admin|smtp|mail|mysql|pg|postgres|ftp|ssh|sudo|login|redis|mongo)[_.-]?\Z", re.IGNORECASE
)
_CODE = re.compile(
    r"\.(?:pyi?|ipynb|[jt]sx?|[mc]js|[ch]|cc|[ch]pp|[ch]xx|cuh?|inc|go|rs|java|kt|scala|swift|rb|php|lua|r|jl|cs|mm?|dart|exs?"
    r"|html?|s?css|vue|svelte|json|lock|sum|map|svg|[ct]sv|sql)",
    re.IGNORECASE,
)
"""Where a literal is in quotes, and what is not is a name or an expression."""


def assignments(data: bytes, lowered: bytes, path: str) -> Iterator[tuple[int, bytes]]:
    """Where each literal that is a secret by its name starts, and the literal.

    Args:
        data: the file.
        lowered: the same in lower case.
        path: says whether what is not in quotes is a literal.
    """
    for at in positions(lowered, _ANCHORS):
        for pattern, after in _PLACES:
            match = pattern.match(data, at)
            if match and (after is None or after.search(lowered, max(0, at - 80), at)):
                yield from _literal(data, match, path)


def positions(lowered: bytes, anchors: Sequence[bytes]) -> Iterator[int]:
    """Where one of the anchors stands; several times faster than a regular expression that looks for them."""
    for anchor in anchors:
        at = lowered.find(anchor)
        while at >= 0:
            yield at
            at = lowered.find(anchor, at + 1)


def _literal(data: bytes, match: re.Match[bytes], path: str) -> Iterator[tuple[int, bytes]]:
    found = match.groupdict()
    group = "quoted" if found["quoted"] is not None else "bare"
    value, start = found[group], match.start()
    if group == "bare" and _is_expression(data, match, value, path):
        return
    # ("name", "value") and the line name,value are pairs; ["name", "name"] is a list
    if found.get("comma") and (is_naming(value) or not _PAIR.search(data, max(0, start - 80), start)):
        return
    if _is_secret(data, match, value, path, quoted=bool(found["quote"])):
        yield match.start(group), value


def _is_expression(data: bytes, match: re.Match[bytes], value: bytes, path: str) -> bool:
    """What is not in quotes is code, unless it looks like nothing that is written in code."""
    if data[match.end() : match.end() + 1] in (b"(", b"["):
        return True
    return bool(_CODE.fullmatch(PurePosixPath(path).suffix)) and (is_speaking(value) or not is_key(value, path))


def _is_secret(data: bytes, match: re.Match[bytes], value: bytes, path: str, *, quoted: bool) -> bool:
    start = match.start("word")
    before = _BEFORE.search(data, max(0, start - 60), start)
    name = before.group() if before else b""
    word = match["word"].lower()
    if word == b"key":
        return _is_secret_key(name, match["word"], value, path)
    if word == b"token":
        return not _HARMLESS.search(name) and is_token(value, path)
    if word == b"secret" or word.startswith(b"credential"):
        return is_token(value, path)
    apart = not name or (word == b"pwd" and not name[-1:].isalpha())  # neither first_pass nor spwd
    if word in (b"pass", b"pwd") and not apart and not _PASSED.search(name):
        return False
    return is_password(value, path) and (quoted or is_keeper(path) or not value.islower() or not value.isalpha())


def _is_secret_key(name: bytes, word: bytes, value: bytes, path: str) -> bool:
    if _HARMLESS.search(name):
        return False
    if _STRONG.search(name):
        return is_token(value, path)
    apart = not name or not name[-1:].isalpha() or (word[:1].isupper() and name[-1:].islower())  # not: monkey
    return apart and is_key(value, path)
