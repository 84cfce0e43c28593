"""Whether a literal that stands where a secret would is one: placeholders, look-ups and plain words are not."""

import re
from itertools import pairwise
from pathlib import PurePosixPath

_STAND_IN = re.compile(
    rb"your|^my[_-]|x{5}|\*\*\*|\.\.\.|<|>|\$\{|\$\(|\{\{|%\(|^\{|\{[A-Za-z_][^{}]*\}|example|placeholder"
    rb"|change[_-]?(?:me|it|this)|redacted|(?<![A-Za-z])(?:dummy|insert|replace|todo|sample)(?![A-Za-z])"
    rb"|secrets\.|process\.env|environ|getenv|vars\.|^\$|^%\w+%$|^@|^env[.:]|goes[_-]?here",
    re.IGNORECASE,
)
_WORDS = {
    b"none", b"null", b"nil", b"true", b"false", b"undefined", b"string", b"text", b"secret", b"token", b"optional",
    b"required", b"unset", b"empty", b"default", b"default_password", b"postgres", b"admin", b"root", b"guest", b"user",
    b"test", b"testing", b"pass", b"passwd", b"pwd", b"password", b"username", b"foobar", b"abc123", b"hidden",
    b"disabled", b"enabled", b"minioadmin", b"key", b"apikey",
}  # fmt: skip
_NAMING = re.compile(rb"[_.]?[A-Za-z]+(?:[-_./:]+[A-Za-z]+)*[_.:]?")
_PATH = re.compile(rb"[.~]{0,2}/|[A-Za-z][A-Za-z0-9+]*://")
_SPEAKING = re.compile(rb"pass|secret|token|key|credential|auth|login|user|field|input|label", re.IGNORECASE)
_GROUPS = re.compile(rb"[a-z]{4}(?: [a-z]{4}){3}")
_TEMPLATE = re.compile(
    r"[._-](?:example|sample|template|tmpl|dist|default|j2)s?(?:\.|$)|\b(?:example|sample|template)\.env"
)
_KEEPERS = re.compile(
    r"\.env(?:rc|\.[\w.-]+)?|[\w.-]*\.env|[\w.-]*(?:credential|secret)[\w.-]*|token(?:s|_[\w-]*)?\.json|\.npmrc"
)


def is_template(path: str) -> bool:
    """A file that shows how secrets are to be given, such as `.env.example`."""
    return bool(_TEMPLATE.search(PurePosixPath(path).name))


def is_keeper(path: str) -> bool:
    """A file whose name says that it keeps secrets, such as `.env`: there, short and plain values count as well."""
    return bool(_KEEPERS.fullmatch(PurePosixPath(path).name)) and not is_template(path) and not path.endswith(".py")


def is_naming(value: bytes) -> bool:
    """Words and what joins them in names, without a digit: `api-key`, `user.login`, `CURLOPT_PUT`."""
    return bool(_NAMING.fullmatch(value))


def is_speaking(value: bytes) -> bool:
    """A value that speaks of secrets: the name of one, or of what holds one."""
    return bool(_SPEAKING.search(value))


def is_placeholder(value: bytes) -> bool:
    """A value that stands for a secret: `your-key-here`, `${KEY}`, `xxxx`, `<token>`."""
    bare = value.strip(b"\"'` ")
    return (not bare.strip(b"xX*.-_#?0") and b"0" not in bare) or bool(_STAND_IN.search(bare)) or bare.lower() in _WORDS


def is_password(value: bytes, path: str) -> bool:
    """A value given to a password is one, unless it is a placeholder or names something."""
    if _GROUPS.fullmatch(value):
        return True
    least = 3 if is_keeper(path) else 6
    if len(value) < least or _is_no_value(value):
        return False
    if is_naming(value) and (is_speaking(value) or (not is_keeper(path) and len(value) < 8)):
        return False
    return not is_template(path) or _mixed(value, 20)


def is_token(value: bytes, path: str) -> bool:
    """A value given to a token, secret or key is one if it reads like one: long, of letters and digits mixed."""
    if _is_no_value(value):
        return False
    if is_template(path):
        return _mixed(value, 20) and len(set(value)) > 8
    if is_naming(value) and is_speaking(value):
        return False
    if is_keeper(path):
        return len(value) >= 4
    return _mixed(value, 12) or max(map(len, _chunks(value)), default=0) >= 20


def is_key(value: bytes, path: str) -> bool:
    """A value given to a mere `key`, which is mostly no secret: one long run of letters and digits."""
    if _is_no_value(value) or is_template(path):
        return False
    return any(len(chunk) >= 16 and _mixed(chunk, 16) for chunk in _chunks(value))


def _is_no_value(value: bytes) -> bool:
    path = _PATH.match(value) and not _mixed(value, 20)  # Base64 may start with a slash
    return bool(path) or any(space in value for space in b" \t") or is_placeholder(value)


def _mixed(value: bytes, least: int) -> bool:
    """Letters and digits alternate within a run, as they seldom do in names, paths and versions."""
    if len(value) < least:
        return False
    chunks = _chunks(value)
    changes = sum(_kind(a) != _kind(b) for chunk in chunks for a, b in pairwise(chunk))
    digits = sum(_kind(each) == "digit" for each in value)
    letters = sum(len(chunk) for chunk in chunks) - digits
    return bool(digits and letters) and changes >= 0.2 * len(value) and max(map(len, chunks)) >= 6


def _chunks(value: bytes) -> list[bytes]:
    return re.findall(rb"[A-Za-z0-9]+", value)


def _kind(char: int) -> str:
    return "digit" if 48 <= char <= 57 else "upper" if 65 <= char <= 90 else "lower"
