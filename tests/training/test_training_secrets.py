import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerid.training import secrets
from containerid.training.log import Redactor

KEY = "w" * 20 + "0123456789" * 2
STORE = """
class UserSecretsClient:
    def get_secret(self, name):
        if name == "WANDB_API_KEY":
            return {key!r}
        raise ConnectionError("Connection error trying to communicate with service.")
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kaggle's own module, as it answers in a kernel that came over the API for all names but one."""
    (tmp_path / "kaggle_secrets.py").write_text(STORE.format(key=KEY), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("kaggle_secrets", None)


def test_the_environment_comes_first(store: None) -> None:
    redactor = Redactor()
    found = secrets.collect([secrets.WANDB], redactor, {secrets.WANDB: "e" * 40})
    assert found[secrets.WANDB].origin == "environment"
    assert redactor.clean("e" * 40) == "[redacted]"


def test_the_store_of_kaggle_is_asked_next_and_fills_the_environment(store: None) -> None:
    redactor, environ = Redactor(), dict[str, str]()
    found = secrets.collect([secrets.WANDB], redactor, environ)
    assert environ == {secrets.WANDB: KEY}
    assert KEY not in str(found[secrets.WANDB])
    assert redactor.clean(KEY) == "[redacted]"


def test_what_the_store_says_is_passed_on(store: None) -> None:
    found = secrets.collect([secrets.GDRIVE], Redactor(), {})
    assert str(found[secrets.GDRIVE]).endswith(
        "not set (Kaggle: ConnectionError: Connection error trying to communicate with service.)"
    )


def test_away_from_kaggle_nothing_is_asked() -> None:
    assert str(secrets.collect([secrets.WANDB], Redactor(), {})[secrets.WANDB]) == "WANDB_API_KEY: not set"


def test_a_secret_that_is_not_needed_is_hidden_all_the_same() -> None:
    redactor = Redactor()
    assert secrets.collect([], redactor, {secrets.GITHUB: "g" * 36}) == {}
    assert redactor.clean("g" * 36) == "[redacted]"


UNMASKED = """
import urllib.error

class UserSecretsClient:
    def get_secret(self, name):
        try:
            raise urllib.error.HTTPError("https://kaggle.example", 403, "Forbidden", None, None)
        except urllib.error.URLError as error:
            raise ConnectionError("Connection error trying to communicate with service.") from error
"""


def test_what_hides_behind_the_stores_connection_error_is_told(store: None, tmp_path: Path) -> None:
    (tmp_path / "kaggle_secrets.py").write_text(UNMASKED, encoding="utf-8")
    assert "(HTTP 403: it serves kernels that" in str(secrets.collect([secrets.GDRIVE], Redactor(), {})[secrets.GDRIVE])
