import base64
import json
import textwrap
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerid.errors import CidError
from containerid.redaction import HIDDEN, REDACTED, Redactor

KEY = "k3Y/" + "a8F+9zQw_" * 4 + "=="


def knowing(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.add(value)
    return redactor


@pytest.mark.parametrize(
    "disguise",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        quote_plus(KEY),
        quote(KEY, safe="").lower() if KEY.islower() else quote(KEY, safe="").replace("%2F", "%2f"),
        json.dumps(KEY)[1:-1],
        repr(KEY)[1:-1],
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)
def test_a_value_is_hidden_in_every_disguise(disguise):
    cleaned = knowing(KEY).clean(f"before {disguise} after")
    assert cleaned.startswith(f"before {REDACTED}")
    assert cleaned.endswith(" after")
    assert len(cleaned) < len(f"before {REDACTED} after") + 4, "a piece is left"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "u", "uv"])
def test_base64_is_hidden_wherever_the_value_begins_in_it(before, after):
    encoded = base64.b64encode(f"{before}{KEY}{after}".encode()).decode()
    cleaned = knowing(KEY).clean(encoded)
    assert REDACTED in cleaned
    assert len(cleaned.replace(REDACTED, "")) <= 12


@given(cut=st.integers(8, len(KEY) - 8))
def test_a_value_that_is_cut_in_two_is_hidden_in_both_halves(cut):
    redactor = knowing(KEY)
    assert redactor.clean(KEY[:cut]) == redactor.clean(KEY[cut:]) == REDACTED


def test_a_column_of_base64_is_hidden_line_by_line():
    wrapped = textwrap.wrap(base64.b64encode((KEY * 3).encode()).decode(), 20)
    assert all(len(knowing(KEY * 3).clean(line)) <= len(REDACTED) + 4 for line in wrapped)


def test_a_value_of_several_lines_is_hidden_as_it_stands_and_line_by_line():
    value = "first line of it\nsecond line of it\nthird"
    redactor = knowing(value)
    assert redactor.clean(f"[{value}]") == f"[{REDACTED}]"
    assert [redactor.clean(line) for line in value.splitlines()[:2]] == [REDACTED, REDACTED]
    assert redactor.clean(json.dumps({"k": value})) == '{"k": "' + REDACTED + '"}'


def credentials() -> str:
    armour = "-----{} PRIVATE KEY-----"
    body = "\n".join("abcdefghij0123456789"[n:] + "ABCDEFGHIJ" for n in range(5))
    document = {
        "type": "service_account",
        "private_key": f"{armour.format('BEGIN')}\n{body}\n{armour.format('END')}\n",
        "client_secret": "-".join(("GOCSPX", "abc123def456")),
        "token_uri": "https://oauth2.googleapis.com/token",
        "token_expiry": "2026-11-21T06:00:00Z",
        "client_email": "robot@project.example",
    }
    return json.dumps(document)


def test_of_a_credentials_document_the_secret_parts_are_hidden_and_words_stay_readable():
    redactor = knowing(credentials())
    plain = (
        "POST https://oauth2.googleapis.com/token at 2026-11-21T06:00:00Z for robot@project.example, "
        "-----BEGIN PRIVATE KEY-----, client_secret"
    )
    assert redactor.clean(plain) == plain
    assert redactor.clean(json.loads(credentials())["client_secret"]) == REDACTED
    for line in json.loads(credentials())["private_key"].splitlines()[1:-1]:
        assert redactor.clean(line) == REDACTED
    assert len(redactor.clean(base64.b64encode(credentials().encode()).decode())) <= len(REDACTED) + 4


def test_a_document_stays_json_whatever_is_hidden_in_it():
    value = 'quote " and \\ backslash \n and more'
    document = {"reason": f"got {value}", value: [1, None, {"deep": value}]}
    cleaned = knowing(value).clean_all(document)
    assert cleaned == {"reason": f"got {REDACTED}", REDACTED: [1, None, {"deep": REDACTED}]}


@given(st.text(max_size=60))
def test_what_holds_no_secret_stays_as_it_is(text):
    assert knowing(KEY).clean(text) == text


def test_bytes_are_searched_for_every_form():
    redactor = knowing(KEY)
    assert redactor.is_in(b"\0\1" + KEY.encode())
    assert redactor.is_in(b"\xff" + base64.b64encode(b"x" + KEY.encode() + b"y"))
    assert not redactor.is_in(KEY[:20].encode())


def test_no_error_says_what_this_process_has_read():
    HIDDEN.add(KEY)
    error = CidError(f"refused {KEY}", hint=f"not {KEY}")
    assert (error.message, error.hint, str(error)) == (f"refused {REDACTED}", f"not {REDACTED}", f"refused {REDACTED}")
