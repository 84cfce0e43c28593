"""The live log over everything that can befall it: each line of a kernel that runs is given out once, in order."""

import threading
from pathlib import Path

import pytest
import stamina

from containerid.clock import Clock
from containerid.home import Home
from containerid.job import Leg, State
from containerid.kaggle import kernel, stream
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.plan import KaggleSettings

RUN = "tiny-20261121-045528-3fa9c1"
RPC = "GetKernelSessionLogsStream"
LINES = [f"line {number:02}" for number in range(30)]
SCRIPT = """
import time
for number in range(30):
    print(f"line {number:02}", flush=True)
    time.sleep(0.03)
"""
FAULTS = {
    "cut in the middle": [("truncate", {"keep": 200})],
    "cut inside an event": [("truncate", {"keep": 333}), ("truncate", {"keep": 777})],
    "reset": [("reset", {}), ("reset", {"commit": True})],
    "closed without an answer": [("drop", {})],
    "half open": [("stall", {"keep": 150, "seconds": 60})],
    "a pause is asked for": [("answer", {"status": 429, "headers": {"Retry-After": "1"}})],
    "an HTML page": [("answer", {"status": 503, "body": "<html><title>503</title></html>"})],
    "an error in a good answer": [("answer", {"status": 200, "body": {"error": {"code": 500, "message": "x"}}})],
    "cut, then 503, then cut": [("truncate", {"keep": 200}), ("answer", {"status": 503}), ("truncate", {"keep": 400})],
    "six failures in a row": [("answer", {"status": 502})] * 6,
}


@pytest.mark.training
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_no_line_is_doubled_or_lost(kaggle, own_home: Path, monkeypatch, faults):
    monkeypatch.setattr(stream, "_SILENCE", 0.5)
    home = Home.of_user()
    pause = threading.Event()
    backend = KaggleBackend(home, KaggleSettings(), clock=Clock(sleep=lambda seconds: pause.wait(min(seconds, 0.02))))
    slug = kernel.slug(RUN)
    metadata = {"id": f"alice/{slug}", "title": slug, "language": "python", "kernel_type": "script", "is_private": True}
    for effect, details in faults:
        kaggle.plan(RPC, effect, **details)
    pushed = backend._account.api.push(metadata, SCRIPT)
    leg = Leg(pushed.kernel, str(pushed.version), pushed.url)
    with stamina.set_testing(testing=True, attempts=2):
        seen = [line.text for line in backend.logs(leg, follow=True)]
    assert [text for text in seen if text.startswith("line ")] == LINES
    assert backend.status(leg).state is State.SUCCEEDED
