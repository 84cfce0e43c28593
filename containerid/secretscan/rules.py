"""What secrets look like: the rules as data. Patterns are over bytes, so that any encoding based on ASCII is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from containerid.secretscan.literals import is_password, is_placeholder, is_template, is_token

Judge = Callable[[bytes, str], bool]
"""Decides whether a value, found in a file of this path, is a secret."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret.

    Attributes:
        name: as findings show it.
        anchors: in lower case; the pattern is tried where one of them stands, and nowhere else.
        pattern: its group `secret` is the secret, or the whole match where it has no such group.
        judge: has the last word on a match.
        sure: the shape alone gives it away, so that it is looked for in binary files too.
    """

    name: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    judge: Judge
    sure: bool


def _given(value: bytes, path: str) -> bool:
    return not is_placeholder(value) and not (is_template(path) and len(set(value[-12:])) <= 2)


def _any(_: bytes, __: str) -> bool:
    return True


def _shape(name: str, anchors: str, pattern: str, judge: Judge = _given) -> Rule:
    """A token that its own prefix gives away, wherever it stands."""
    return Rule(name, tuple(anchors.encode().split()), re.compile(rf"(?<![A-Za-z0-9]){pattern}".encode()), judge, True)


def _place(name: str, anchors: str, pattern: str, judge: Judge = _given, *, sure: bool = False) -> Rule:
    """A value that the words around it give away."""
    return Rule(name, tuple(anchors.encode().split()), re.compile(pattern.encode()), judge, sure)


_QUOTE = r"""\\?["']"""
_OPEN = r"""[\\"']*"""
_PEM_FILLING = r"""(?:\s|\\[rn]|["',+>|#*]|(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n]*)*"""

RULES: tuple[Rule, ...] = (
    _shape("Kaggle access token", "kgat_", r"KGAT_[A-Za-z0-9_-]{16,}"),
    _place(
        "Kaggle key",
        "username",
        rf"(?i)(?<=[\"'])username{_QUOTE}\s*:\s*{_QUOTE}[^\"'\\]+{_QUOTE}\s*,\s*"
        rf"{_QUOTE}key{_QUOTE}\s*:\s*{_QUOTE}(?P<secret>[^\"'\\]{{8,}})",
    ),
    _place(
        "Kaggle key",
        "key",
        rf"(?i)(?<=[\"'])key{_QUOTE}\s*:\s*{_QUOTE}(?P<secret>[^\"'\\]{{8,}}){_QUOTE}\s*,\s*{_QUOTE}username{_QUOTE}\s*:",
    ),
    _place(
        "Kaggle key",
        "kaggle",
        r"(?i)kaggle(?:(?!md5|sha|hash|etag|checksum|digest|commit|rev)[^\n]){0,80}?"
        r"(?<![0-9a-z._/@-])(?P<secret>[0-9a-f]{32})(?![0-9a-z])",
    ),
    _shape("W&B API key", "wandb_v", r"wandb_v\d+_[A-Za-z0-9_-]{20,}"),
    _place(
        "W&B API key",
        "wandb",
        r"(?i)wandb(?:(?!sha|hash|commit|rev|tree/|blob/|digest|checksum)[^\n]){0,80}?"
        r"(?<![0-9a-z._/@#-])(?P<secret>[0-9a-f]{40})(?![0-9a-z])",
    ),
    _place(
        "W&B API key",
        "wandb",
        rf"(?i)wandb[ \t]+login[ \t]+(?:--?[\w-]+[ \t]+)*{_OPEN}(?P<secret>[\w-]{{20,}})",
        is_token,
    ),
    _shape("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    _shape("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,255}"),
    _shape("GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    _shape("Google access token", "ya29.", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _shape("Google refresh token", "1//", r"1//0[A-Za-z0-9_-]{20,}"),
    _shape("Google client secret", "gocspx-", r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    _shape("Google API key", "aiza", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _shape("Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,}(?![A-Za-z0-9_])"),
    _shape("Hugging Face token", "api_org_", r"api_org_[A-Za-z0-9]{30,}"),
    _shape("AWS access key", "akia asia", r"A(?:KI|SI)A(?!.{9}EXAMPLE)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _place(
        "AWS secret key",
        "aws",
        rf"(?i)aws[_. -]?(?:secret|session)[\w. -]*[\\\"'\]]*\s*[=:,]\s*{_OPEN}(?P<secret>[A-Za-z0-9/+=]{{40,}})",
    ),
    _shape("OpenAI key", "sk-", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}"),
    _shape("OpenAI key", "sk-", r"sk-(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{32,}(?![A-Za-z0-9_-])"),
    _shape("Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    _shape("OpenRouter key", "sk-or-", r"sk-or-[A-Za-z0-9_-]{20,}"),
    _shape("Slack token", "xox xapp-", r"(?:xox[abeoprs](?:\.xox[bp])?|xapp)-[A-Za-z0-9-]{10,}"),
    _shape("Slack webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{20,}"),
    _shape("Discord webhook", "discord", r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{10,}/[\w-]{20,}"),
    _place(
        "Telegram bot token",
        ":aa",
        r"(?<=\d{8}):(?P<secret>AA[A-Za-z0-9_-]{33})(?![\w-])",
        sure=True,
    ),
    _shape("age secret key", "age-secret-key-", r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{20,}"),
    _shape("JSON web token", "eyj", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    _shape("Stripe key", "sk_live_ rk_live_", r"[rs]k_live_[A-Za-z0-9]{16,}"),
    _shape("PyPI token", "pypi-", r"pypi-AgE[A-Za-z0-9_-]{30,}"),
    _shape("npm token", "npm_", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _shape("SendGrid key", "sg.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    _shape("Docker token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    _shape("Replicate token", "r8_", r"r8_[A-Za-z0-9]{32,}"),
    _shape("Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?(?![0-9a-f])"),
    _place(
        "signed URL",
        "x-goog-signature x-amz-signature",
        r"(?i)X-(?:Goog|Amz)-Signature=(?P<secret>[0-9a-f]{32,})",
        sure=True,
    ),
    _place(
        "signed URL",
        "sig= signature=",
        r"(?i)(?<=[?&;])(?:sig|signature)=(?P<secret>[\w%+/=-]{20,})",
        sure=True,
    ),
    _place(
        "key in a URL",
        "key= token= secret= password=",
        r"(?i)(?:(?<=[?&;])|(?<=[?&;]api)|(?<=[?&;](?:api|hub)_)|(?<=[?&;]auth_)|(?<=[?&;](?:access|client)_)|(?<=[?&;]private_))"
        r"(?:key|token|secret|password)=(?P<secret>[^\s\"'<>&\\)\]]{8,})",
        is_token,
    ),
    _place(
        "password in a URL",
        "://",
        r"(?<=[A-Za-z0-9])://[^\s/:@\"'<>{}$\\]{0,100}:(?P<secret>[^\s/@\"'<>\\]{3,200})@[\w.-]",
        is_password,
    ),
    _place(
        "token in a URL",
        "://",
        r"(?<=[ps])://(?P<secret>[A-Za-z0-9_-]{20,200})@(?![\w.-]*(?:sentry\.|\.ingest\.))[\w.-]+",
        is_token,
    ),
    _place(
        "netrc password",
        "machine",
        r"(?<![\w-])machine[ \t]+\S+\s+(?:account\s+\S+\s+)?login\s+\S+\s+(?:account\s+\S+\s+)?"
        r"password\s+(?P<secret>[^\s\"'\\]{4,})",
        is_password,
    ),
    _place(
        "private key",
        "-----begin",
        rf"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----{_PEM_FILLING}(?P<secret>[A-Za-z0-9+/=_-]{{20,}})",
        _any,
        sure=True,
    ),
    _place("private key", "putty-user-key-file", r"PuTTY-User-Key-File-\d", _any, sure=True),
    _place(
        "password piped to chpasswd",
        "echo printf",
        rf"(?:echo|printf)[ \t]+(?:-\w+[ \t]+)*{_OPEN}[\w.-]+:(?P<secret>[^\s\"'|\\$`]{{3,}})[^\n|]*\|[^\n]*chpasswd",
        _any,
    ),
    _place(
        "password piped to chpasswd",
        "chpasswd",
        rf"chpasswd[ \t]*(?:-\w+[ \t]+)*<<<?-?[ \t]*{_OPEN}(?:\w+{_OPEN}\n)?[\w.-]+:(?P<secret>[^\s\"'|\\$`]{{3,}})",
        _any,
    ),
    _place(
        "password on a command line",
        "sshpass",
        rf"sshpass[ \t]+-p[ \t]*{_OPEN}(?P<secret>[^\s\"'\\$]{{4,}})",
        is_password,
    ),
    _place(
        "password on a command line",
        "curl",
        rf"(?<!\w)curl[ \t][^\n]{{0,200}}?(?:-u|--user)[ \t=]*{_OPEN}[\w.@-]+:(?P<secret>[^\s\"'\\$:]{{4,}})",
        is_password,
    ),
    _place(
        "authorization header",
        "authorization",
        rf"(?i)authorization[\\\"'\]]*\s*[:=,]\s*[bfru]?{_OPEN}(?:bearer|basic|token)[ \t]+"
        r"(?P<secret>[A-Za-z0-9+/_.=~-]{12,})",
        is_token,
    ),
    _place(
        "Azure account key",
        "accountkey= sharedaccesskey=",
        r"(?i)(?:Account|SharedAccess)Key=(?P<secret>[A-Za-z0-9+/]{30,}={0,2})",
    ),
)

FILES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"(?:.*/)?{pattern}"))
    for name, pattern in (
        ("Kaggle credentials file", r"kaggle\.json"),
        ("Kaggle credentials file", r"\.kaggle/(?:access_token|credentials\.json)"),
        ("netrc file", r"[._]netrc"),
        ("git credentials file", r"\.git-credentials"),
        ("SSH private key file", r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?"),
        ("key store", r"[^/]*\.(?:p12|pfx|jks|keystore|kdbx|ppk)"),
        ("AWS credentials file", r"\.aws/credentials"),
        ("PyPI credentials file", r"\.pypirc"),
        ("Hugging Face token file", r"\.?(?:cache/)?huggingface/(?:token|stored_tokens)"),
        ("rclone credentials file", r"rclone\.conf"),
        ("Google OAuth client file", r"client_secrets?(?:_[\w.-]*)?\.json"),
        ("htpasswd file", r"\.htpasswd"),
    )
)
"""Files that are credentials by their very name: the kind, and a pattern over the whole path."""
