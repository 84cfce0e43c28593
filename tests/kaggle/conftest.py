"""The embedded Kaggle for tests: real HTTP, real kernels, planned faults."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedKaggle]:
    """One that runs what is pushed. `CID_KAGGLE_URL` and credentials point to it; every planned fault must happen."""
    with EmbeddedKaggle(tmp_path / "kaggle") as server:
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "alice")
        monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
        yield server
    assert not server.faults.left, "a planned fault was never met"


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[EmbeddedKaggle]:
    """One that only records what is pushed: sessions stay queued."""
    with EmbeddedKaggle(tmp_path / "recorder", run=False) as server:
        yield server


@pytest.fixture
def alice(kaggle: EmbeddedKaggle) -> Wire:
    """A user of `kaggle`."""
    return Wire(kaggle.url)
