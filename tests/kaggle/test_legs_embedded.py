"""Two legs on the embedded Kaggle: the second finds what the first had installed, and nothing of it comes home."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.index import Index, serving, wheel
from fakes.kernels import STUB, embedded, write_tree

from containerid.clock import Clock
from containerid.home import Home
from containerid.job import PACKED_FILES, Data, Leg, Spec
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.plan import KaggleSettings
from containerid.runs.registry import Run
from containerid.runs.transfer import bring

pytestmark = pytest.mark.training
TELLS = """
import os, sys, doorlib, hinge
print("with", doorlib.version, hinge.version, flush=True)
weights = sys.argv[sys.argv.index("--out") + 1] + "/weights"
os.makedirs(weights, exist_ok=True)
open(weights + "/resume.pt", "w").close()
"""
RUN = "tiny-20261121-045528-3fa9c1"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving() as found:
        found.add(wheel("doorlib", "1.0", "hinge>=1"), wheel("hinge", "1.5"))
        monkeypatch.setenv("PIP_INDEX_URL", found.url)
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        yield found


def test_a_leg_on_kaggle_installs_from_the_outputs_of_the_one_before(
    index: Index, kaggle: EmbeddedKaggle, own_home: Path, tmp_path: Path
) -> None:
    home = Home.of_user()
    backend = KaggleBackend(home, KaggleSettings(), clock=Clock(sleep=lambda seconds: None))
    trainer = {"containerid/training/__main__.py": TELLS + STUB["containerid/training/__main__.py"]}
    pyproject = {"pyproject.toml": '[project]\nname = "doors"\ndependencies = ["doorlib"]\n'}
    code, archive = embedded(write_tree(tmp_path / "project", STUB | pyproject | trainer))
    (home.parcel(RUN) / "code.tar.xz").write_bytes(archive)
    spec = Spec(run=RUN, backend="kaggle", code=code, data=Data(provider="synthetic"), params={"behave": "pause"})

    def run(spec: Spec) -> tuple[Leg, list[str]]:
        index.asked.clear()
        leg = backend.submit(replace(spec, gpu=False))
        return leg, [line.text for line in backend.logs(leg, follow=True)]

    first, said = run(spec)
    assert "with 1.0 1.5" in said, said
    index.add(wheel("doorlib", "2.0", "hinge>=1"), wheel("hinge", "1.6"))
    past = backend.hand_over(spec, first, lambda event: None)
    assert past.kind == "kernel"
    second, said = run(replace(spec, leg=2, past=past))
    assert "with 1.0 1.5" in said, said
    assert index.asked == []

    names = [output.name for output in backend.outputs(second)]
    assert len([name for name in names if Path(name).match(PACKED_FILES)]) == 1
    row = Run(run=RUN, backend="kaggle", handle=second.handle, version=second.version)
    delivery = bring(backend, row, tmp_path / "fetched", lambda event: None)
    assert not list((tmp_path / "fetched").glob(PACKED_FILES))
    assert "packages.txt" in delivery.files
