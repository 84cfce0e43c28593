"""summary.md and metadata.json of sessions that are made up."""

from pathlib import Path
from typing import Any

import pytest

from containerid.config import Params
from containerid.dataset.check import Report
from containerid.job import Code, Data, Spec
from containerid.training import records, summary
from containerid.training.budget import Budget
from containerid.training.data import Place
from containerid.training.hardware import Hardware
from containerid.training.log import Log
from containerid.training.session import Session
from containerid.training.stop import Stop

GATES = {"val/mAP50": 0.9, "speed/inference": 50}
METRICS = {"val/mAP50": 0.91, "val/mAP50-95": 0.7, "test/mAP50": 0.88, "test/precision": 0.9, "speed/inference": 9.1}
TOLD = {
    "advice": ["more epochs"],
    "best": {"confidence": 0.41, "precision": 0.93, "recall": 0.9, "f1": 0.91},
    "wanted_recall": 0.95,
    "wanted": None,
    "highest_recall": 0.93,
    "operating": {
        "confidence": 0.25,
        "precision": 0.9,
        "recall": 0.92,
        "f1": 0.91,
        "true": 80,
        "false": 9,
        "missed": 7,
    },
    "intervals": {
        "mAP50": {"value": 0.88, "low": 0.82, "high": 0.93},
        "recall": {"value": 0.92, "low": 0.86, "high": 0.96},
        "precision": None,
    },
    "speed": {
        "latency": {"median": 9.1, "p95": 12.4},
        "inference": {"median": 7.0, "p95": 8.0},
        "throughput": {"images_per_second": 120.4, "batch": 16},
    },
    "model": {"file": "best.pt", "bytes": 19_200_000, "parameters": 9_400_000, "gflops": 21.3},
    "per_class": {
        "door": {"boxes": 90, "precision": 0.9, "recall": 0.9, "mAP50": 0.9, "mAP50-95": 0.7},
        "a|b": {"boxes": 12, "precision": 0.8, "recall": 0.7, "mAP50": 0.7, "mAP50-95": 0.5},
    },
    "worst": [{"image": "images/test/a.jpg", "missed": 2, "false": 1, "score": 2.8}],
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/best.pt").write_bytes(b"weights")
    spec = Spec(
        run="exp001-1", experiment="exp001", code=Code(sha="a" * 40), data=Data(provider="kaggle", source="a/b")
    )
    params = Params.from_dict({"gates": GATES, "training": {"seed": 7}, "data": {"seed": 3}})
    place, log = Place(tmp_path, tmp_path, tmp_path), Log(tmp_path / "train.log", ("report",))
    made = Session(spec, params, tmp_path / "spec.json", tmp_path, place, log, Stop(), Budget(0, 0))
    made.hardware = Hardware("cuda", "1 × Tesla T4 (15 GiB, sm_75)")
    made.report = Report([], {"train": {"images": 10, "labels": 10, "boxes": 14, "backgrounds": 1}}, {"door": 14})
    made.metrics, made.extras, made.epochs, made.seconds = dict(METRICS), dict(TOLD), 40, 3700.0
    return made


def page(session: Session) -> str:
    return summary.write(session, records.judged(session))


def test_the_page_begins_with_the_verdict(session: Session) -> None:
    assert page(session).splitlines()[2] == (
        "**✓ 2 gates met.** yolo11s, 40 epochs in 1 h 1 min, on 1 × Tesla T4 (15 GiB, sm_75)."
    )
    session.metrics["val/mAP50"] = 0.5
    assert page(session).splitlines()[2].startswith("**✗ 1 of 2 gates is not met.** ")


@pytest.mark.parametrize(
    "line",
    [
        "| val/mAP50 | at least 0.9 | 0.91 | ✓ |",
        "| mAP50 | 0.91 | 0.88 | 0.820 to 0.930 |",
        "| precision |  | 0.9 |  |",
        "| speed/inference | 9.1 |",
        r"| a\|b | 12 | 0.7 | 0.5 | 0.8 | 0.7 |",
        "| best F1 | 0.41 | 0.93 | 0.9 | 0.91 |",
        "A recall of 0.95 is reached at no confidence; 0.93 is.",
        "As configured: 80 boxes right, 9 false, 7 missed.",
        "With other images of the same kind, 95 times in 100: recall 0.860 to 0.960.",
        "| one image to its boxes | 9.1 ms (95 % within 12.4 ms) |",
        "| weights/best.pt | 19.2 MB, 9.4 million parameters, 21.3 GFLOPs |",
        "| images/test/a.jpg | 2 | 1 |",
        "| train | 10 | 14 | 1 |",
        "| seed | 7 |",
        "- more epochs",
        "- `cid promote exp001-1`: make it the next version of the model",
    ],
)
def test_the_page_tells(session: Session, line: str) -> None:
    assert line in page(session).splitlines()


def test_every_table_has_one_width(session: Session) -> None:
    for block in page(session).split("\n\n"):
        widths = {line.replace(r"\|", "").count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_a_run_that_missed_a_gate_is_not_to_be_promoted(session: Session) -> None:
    session.metrics.pop("val/mAP50")
    assert "| val/mAP50 | at least 0.9 | not measured | ✗ |" in page(session)
    assert "cid promote" not in page(session)


def test_what_is_not_known_leaves_no_empty_section(session: Session) -> None:
    session.extras, session.metrics, session.report = {}, {"accuracy": 0.9}, Report()
    session.params = Params()
    text = page(session)
    assert [line for line in text.splitlines() if line.startswith("##")] == [
        "## Metrics",
        "## How it was made",
        "## Next",
    ]
    assert "| accuracy | 0.9 |" in text


def test_a_quick_run_is_held_to_no_gate(session: Session) -> None:
    session.spec = Spec(run="q", quick=True)
    assert "gate" not in page(session)
    assert records.metadata(session)["gates"] == []


def test_metadata_tells_all_that_makes_the_model_again(session: Session) -> None:
    (session.out / "results.csv").write_text(
        "epoch,time,metrics/mAP50-95(B)\n1,50,0.2\n2,100,0.7\n3,5000,0.6\n", encoding="utf-8"
    )
    told: dict[str, Any] = records.metadata(session)
    assert (told["experiment"], told["architecture"], told["started"]) == ("exp001", "yolo11s", session.started)
    assert (told["duration_seconds"], told["training_seconds"], told["leg"]) == (5000, 3700, 1), "over all legs"
    assert (told["best_epoch"], told["epochs"]) == (2, 40)
    assert told["seeds"] == {"training": 7, "data": 3}
    assert told["gates"][0] == {"metric": "val/mAP50", "bound": 0.9, "kind": "at least", "value": 0.91, "met": True}
    assert told["advice"] == ["more epochs"]
    assert told["code"]["sha"] == "a" * 40
    assert len(told["spec_sha256"]) == 64
    assert told["data"]["splits"]["train"]["images"] == 10
    assert told["hardware"] == "1 × Tesla T4 (15 GiB, sm_75)"
    assert told["weights"]["best.pt"]["size"] == 7
    assert told["packages"]["pyyaml"]
