"""Secrets are found wherever they are left, what only looks like one is not, and no value is ever shown."""

import base64
import json
import random
import re
import time
from pathlib import Path

import pytest
from fakes.secrets import HEX, drawer, innocent, planted, service_account, tokens
from fakes.surroundings import held_out

from containerid import secretscan
from containerid.errors import SecretFound
from containerid.secretscan import Finding, permitted, refuse, scan
from containerid.secretscan.rules import FILES, RULES

PLANTED, INNOCENT = list(planted()), list(innocent())
DRAW = drawer("here")
KEY = DRAW(32, HEX)


def test_the_corpora_are_as_large_as_they_should_be() -> None:
    assert len(PLANTED) >= 40
    assert len(INNOCENT) >= 25
    assert len(RULES) + len(FILES) >= 30


@pytest.mark.parametrize(("kind", "path", "content"), PLANTED, ids=[kind for kind, _, _ in PLANTED])
def test_a_planted_secret_is_found(kind: str, path: str, content: bytes) -> None:
    assert scan(path, content)


@pytest.mark.parametrize(("kind", "path", "content"), INNOCENT, ids=[kind for kind, _, _ in INNOCENT])
def test_what_only_looks_like_a_secret_is_no_alarm(kind: str, path: str, content: bytes) -> None:
    assert [str(each) for each in scan(path, content)] == []


def test_of_secrets_in_places_unknown_to_the_rules_few_are_missed() -> None:
    cases = list(held_out())
    missed = [(kind, place) for kind, place, path, content in cases if not scan(path, content)]
    assert len(cases) == 15 * 37
    assert len(missed) <= 0.01 * len(cases), missed


def test_no_value_is_ever_shown() -> None:
    for kind, path, content in PLANTED:
        for found in scan(path, content):
            assert re.fullmatch(r"|(?:.{4})?… \(\d+ characters\)", found.masked, re.DOTALL), kind
    token = tokens(DRAW)["github-classic"]
    (finding,) = scan("a.py", f"\n\nx = '{token}'\n".encode())
    assert finding == Finding("a.py", 3, "GitHub token", f"{token[:4]}… (40 characters)")
    assert str(finding) == f"a.py:3: GitHub token {token[:4]}… (40 characters)"
    (short,) = scan("a.py", b"password = '" + b"hunter2x" + b"'")
    assert short.masked == "… (8 characters)"


def test_every_secret_of_a_file_is_found_on_its_line() -> None:
    lines = [f'"{token}",' for token in tokens(DRAW).values()]
    found = scan("list.txt", "\n".join(lines).encode())
    assert [each.line for each in found] == list(range(1, len(lines) + 1))


def test_every_rule_that_knows_a_shape_finds_it_in_a_binary_file_too() -> None:
    for kind, token in tokens(DRAW).items():
        if not kind.startswith("url-password"):
            assert scan("weights.bin", b"\x00\x01\x02" + token.encode() + b"\x00"), kind


def test_a_service_account_is_found_in_base64_on_one_line_and_on_many() -> None:
    packed = base64.b64encode(service_account(DRAW).encode())
    assert scan("x.txt", b"SA=" + packed)[0].rule == "private key, in Base64"
    wrapped = b"\n".join(packed[at : at + 76] for at in range(0, len(packed), 76))
    assert scan("x.txt", b"here it is:\n" + wrapped)[0].line == 2
    urlsafe = base64.urlsafe_b64encode(service_account(DRAW).encode())
    assert scan("x.json", json.dumps({"blob": urlsafe.decode()}).encode())
    assert not scan("x.txt", base64.b64encode(json.dumps({"epochs": list(range(100))}).encode()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
def test_any_encoding_is_read(encoding: str) -> None:
    (finding,) = scan("notes.txt", f"Übung\r\napi_key: {KEY}\r\n".encode(encoding))
    assert finding.line == 2


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('admin_password = "s3cr3t-Wort"', True),  # cid: allow
        ('password = "correcthorsebatterystaple"', True),  # cid: allow
        ("smtp_pass: Kn0bl4uch!", True),
        ("password: correcthorse", False),  # not in quotes, and one word: perhaps a name
        ('password = "abcd efgh ijkl mnop"', True),  # an app password of Google; cid: allow
        ('password = "Enter your password"', False),
        ('first_pass = "wxyz1234"', False),
        ('new_password = SecretStr("Tr0mpete!")', True),  # cid: allow
        (f'apiKey: "{KEY}"', True),
        (f'cacheKey: "{KEY}"', False),
        (f'monkey = "{KEY}"', False),
        (f'key = "{KEY}"', True),
        ('key = "linux-py311-cache-v2"', False),
        ('key = "0f8fad5b-d9cb-469f-a165-70867728950e"', False),
        (f'next_page_token = "{KEY}"', False),
        (f'token = "{KEY}"', True),
        (f'tokens = "{KEY}"', False),
        ('token = "/var/run/secrets/token"', False),
        ('secret_key = "django-insecure-" + rest', False),
        (f"token == '{KEY}'", True),
        (f"setenv('SERVICE_TOKEN', '{KEY}')", True),
        (f"['service_token', '{KEY[:10]}']", False),
        (f"names = ['x', 'service_token', 'hex{KEY}']", False),
        (f"token = generate(seed={KEY[:3]})", False),
        ("token = load2sh.Commit()", False),
        ("passwd: (2.0-3.12)", False),
        ("SECRET=${SECRET:-}", False),
        ("api_key=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", False),
        ("https://user:pass@host/x", False),
        ("https://ada:$TOKEN@host/x", False),
        (f"https://ada:{KEY}@host/x", True),
        (f"https://api.x.org/?page=2&api_key={KEY}", True),
        (f"https://api.x.org/?page_key={KEY}", False),
        (f"Authorization: Bearer {KEY}", True),
        ("Authorization: Bearer ${TOKEN}", False),
        (f"curl -u ada:{KEY} https://x.org", True),
        (f"sshpass -p {KEY} ssh x", True),
        (f"kaggle 2.2.4 md5 {KEY}", False),
        (f"wandb run {DRAW(40, HEX)}", True),
        (f"wandb commit {DRAW(40, HEX)}", False),
    ],
)
def test_a_line_is_judged_by_name_and_value(line: str, found: bool) -> None:
    assert bool(scan("notes.txt", line.encode())) is found


def test_what_is_not_in_quotes_is_code_in_code_and_a_literal_elsewhere() -> None:
    line = b"api_key = model4.heads2.first3\n"
    assert not scan("train.py", line)
    assert scan("conf.ini", f"api_key = {KEY}".encode())
    assert scan("train.py", f"# api_key = {KEY}".encode())


def test_a_file_that_keeps_secrets_is_read_more_strictly_and_a_template_less() -> None:
    weak = b"DB_PASSWORD=abc\nAPI_TOKEN=mytok\n"
    assert len(scan(".env", weak)) == 2
    assert len(scan("conf/prod.env", weak)) == 2
    assert not scan("run.sh", weak)
    assert not scan(".env", b"DB_PASSWORD=\nAPI_TOKEN=your-token\nMODE=dev\n")
    assert not scan(".env.example", weak + b"WANDB_API_KEY=" + b"0" * 40)
    assert scan(".env.example", b"WANDB_API_KEY=" + DRAW(40, HEX).encode())


def test_a_file_is_named_by_its_name_unless_it_is_empty() -> None:
    assert scan("deep/down/kaggle.json", b"{}") == (Finding("deep/down/kaggle.json", 0, "Kaggle credentials file", ""),)
    assert str(scan("kaggle.json", b"{}")[0]) == "kaggle.json: Kaggle credentials file"
    assert not scan("kaggle.json", b" \n")
    assert not scan("my-kaggle.json", b"{}")
    assert not scan("id_rsa.pub", b"ssh-rsa AAAA ada")


def test_a_marker_permits_its_line_and_no_other() -> None:
    text = f"a_token = '{KEY}'  # cid: allow\nb_token = '{KEY}'\n".encode()
    assert [each.line for each in scan("a.py", text)] == [2]


def test_the_allow_list_takes_a_path_a_line_a_folder_and_a_glob() -> None:
    for entry in ("tests/data/a.py", "tests/data/a.py:7", "tests/data", "tests/", "tests/**", "*.py", "tests/*/a.p?"):
        assert permitted("tests/data/a.py", [entry], 7), entry
    for entry in ("tests/data/a.py:8", "tests/dat", "a.py", "data/a.py", "", "/"):
        assert not permitted("tests/data/a.py", [entry], 7), entry
    assert not permitted("a.py", ["a.py:7"])


def test_a_refusal_lists_every_finding_and_what_permits_it() -> None:
    refuse([])
    old = Finding("b.py", 3, "GitHub token", "ghp_… (40 characters)", commit="0123456789abcdef")
    with pytest.raises(SecretFound) as caught:
        refuse([Finding("a.py", 7, "GitHub token", "ghp_… (40 characters)"), old])
    assert caught.value.message == (
        "2 secrets would leave this machine:\n"
        "  a.py:7: GitHub token ghp_… (40 characters)\n"
        "  b.py:3: GitHub token ghp_… (40 characters) in commit 0123456789, no longer in the work tree"
    )
    assert 'params.yaml, git.allow: ["a.py:7"]' in caught.value.hint
    assert "or put `cid: allow` in a comment on the line" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "password" * 40_000,
        "key = " * 20_000,
        "token: 'x" * 30_000,
        "://a:" * 60_000,
        "eyJ" * 100_000,
        "-----BEGIN PRIVATE KEY-----\\n" * 5_000,
        'name="token" value ' * 15_000,
        "wandb " * 50_000,
        "echo a:b " * 30_000,
        "curl -u " * 30_000,
        "?key=" + "a-" * 150_000,
        "secret='" + "Aa-" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    scan("x.txt", text.encode())
    assert time.process_time() - started < 1.5


def test_random_bytes_and_packed_code_are_no_alarm() -> None:
    noise = random.Random(7).randbytes(300_000)
    assert not scan("blob.bin", noise)
    assert not scan("kernel.py", b'CARGO = "' + base64.b85encode(noise) + b'"\n')
    assert not scan("image.txt", base64.b64encode(noise))


def test_the_scanner_finds_nothing_in_this_project() -> None:
    root = Path(secretscan.__file__).parents[1]
    for file in [*root.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]:
        assert [str(each) for each in scan(file.name, file.read_bytes())] == []
