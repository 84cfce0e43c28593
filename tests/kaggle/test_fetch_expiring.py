"""A fetch that takes longer than its links are good for."""

from pathlib import Path

import pytest
from fakes.wire import Wire
from test_emulator_files import Clock

from containerid.events import Event, Fetched
from containerid.home import Home
from containerid.job import Spec
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.runs.registry import Run
from containerid.runs.transfer import bring

LEAVES = """
for number in range(200):
    open(f"{number:03}.txt", "w").write(f"file {number}")
"""


def test_two_hundred_files_whose_links_last_for_three_seconds_are_all_fetched(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, here = Clock(), tmp_path / "here"

    def tell(event: Event) -> None:
        clock.now += 0.03 if isinstance(event, Fetched) else 0

    with EmbeddedKaggle(tmp_path / "kaggle", clock=clock, link_seconds=3) as server:
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "alice")
        monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
        Wire(server.url).run("cid-r1", LEAVES)
        run = Run(run="r1", backend="kaggle", handle="alice/cid-r1", version="1", spec=Spec(run="r1").to_dict())
        delivery = bring(KaggleBackend(Home.of_user()), run, here, tell)
        listed = [call for call in server.calls if call.rpc == "ListKernelSessionOutput"]
    assert (len(delivery.files), delivery.missing) == (200, ())
    assert {path.read_text() for path in here.glob("*.txt")} == {f"file {number}" for number in range(200)}
    assert clock.now - Clock().now == pytest.approx(6), "twice as long as a link is good for"
    assert 3 <= len(listed) <= 20, "one new listing serves all files"
