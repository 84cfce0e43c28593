"""Outputs of a run that trained well: everything that a page about it is made from."""

import base64
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

HOSTILE = '<script>alert("x")</script>"\'&{{ 7 * 7 }}'
NAMES = ("door", "handle")
SMALL = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAKBueIx4ZKCMgoy0qqC+8P//8Nzc8P//////////////////////////////////////"
    "////////////////////wAALCABAAGABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAL/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oA"
    "CAEBAAA/AJAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB//2Q=="
)
"""A grey JPEG of 96 by 64 pixels: these outputs are also made where there is no Pillow."""
_VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


def jpeg(width: int = 96, height: int = 64, colour: tuple[int, int, int] = (120, 60, 90)) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(made, "JPEG")
    return made.getvalue()


def leave(folder: Path, *, epochs: int = 6, run: str = "exp001-20261121-080000-abc123", **changes: Any) -> Path:
    """Write a run's outputs into a folder.

    Args:
        folder: made if missing.
        epochs: rows of results.csv.
        run: the run id.
        changes: keys of metadata.json, result.json and evaluation.json, as `metadata={…}` and so on, laid over.
    """
    folder.mkdir(parents=True, exist_ok=True)
    documents = {"metadata": _metadata(run, epochs), "result": _result(run), "evaluation": _evaluation()}
    for name, document in documents.items():
        document.update(changes.get(name, {}))
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "data-check.json").write_text(json.dumps(_check()), encoding="utf-8")
    (folder / "results.csv").write_text(_history(epochs), encoding="utf-8")
    for number in (1, 2):
        path = folder / f"test/worst/0{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SMALL)
    (folder / "weights").mkdir(exist_ok=True)
    (folder / "weights/best.pt").write_bytes(b"weights")
    return folder


def _metadata(run: str, epochs: int) -> dict[str, Any]:
    params = {
        "model": {"architecture": "yolo11n"},
        "training": {"epochs": epochs, "learning_rate": 0.01, "imgsz": 640},
        "data": {"provider": "folder", "path": "data/doors"},
    }
    return {
        "run": run,
        "experiment": "exp001",
        "project": "doors",
        "architecture": "yolo11n",
        "quick": False,
        "training_seconds": 754.2,
        "epochs": epochs,
        "seed": 0,
        "gates": [
            {"metric": "test/mAP50", "bound": 0.88, "kind": "at least", "value": 0.91, "met": True},
            {"metric": "test/mAP50-95", "bound": 0.9, "kind": "at least", "value": 0.71, "met": False},
            {"metric": "speed/inference", "bound": 50, "kind": "at most", "value": 6.9, "met": True},
        ],
        "advice": ["more epochs: the last one was the best"],
        "params": params,
        "hyperparameters": {"lr0": 0.01, "imgsz": 640},
        "code": {
            "sha": "a" * 40,
            "tree": "b" * 40,
            "branch": "main",
            "remote": "https://git.example/doors",
            "ref": "r",
        },
        "data": {"provider": "folder", "source": "doors", "sha256": "c" * 64, "classes": {"door": 300, "handle": 20}},
        "weights": {"best.pt": {"size": 5_400_000, "sha256": "d" * 64}, "resume.pt": {"size": 1, "sha256": "e" * 64}},
        "packages": {"torch": "2.15.0"},
        "accelerator": {
            "device": "cuda",
            "threads": 4,
            "driver": "550.54",
            "gpus": [
                {"name": "Tesla T4", "memory_gib": 14.74, "capability": "7.5", "teraflops": 21.4, "used": True},
                {"name": "Tesla T4", "memory_gib": 14.74, "capability": "7.5", "teraflops": 21.4, "used": False},
            ],
        },
        "usage": {
            "images_per_second": 87.5,
            "cpus": 2.31,
            "memory_gib": 5.2,
            "gpus": {"0": {"busy": {"mean": 0.91, "max": 1.0}, "memory_gib": {"mean": 9.1, "max": 11.2}}},
        },
    }


def _result(run: str) -> dict[str, Any]:
    return {
        "run": run,
        "outcome": "failed",
        "phase": "report",
        "reason": "gates not met: test/mAP50-95 0.71 < 0.9",
        "started": "2026-11-21T08:00:00+00:00",
        "ended": "2026-11-21T08:13:00+00:00",
        "proof": "1 × Tesla T4 (15 GiB, sm_75)",
        "metrics": {
            "val/mAP50": 0.93, "val/mAP50-95": 0.72, "val/precision": 0.9, "val/recall": 0.88,
            "test/mAP50": 0.91, "test/mAP50-95": 0.71, "test/precision": 0.92, "test/recall": 0.87,
            "speed/inference": 6.9,
        },
        "timeline": {"environment": 3.1, "data": 1.0, "validate": 0.4, "train": 754.2, "evaluate": 9.0},
        "environment": {"python": "3.11.7", "cpus": 4, "versions": {"torch": "2.15.0"}},
        "tracking": {"wandb": "https://wandb.example/doors/runs/1", "wandb_offline": "wandb/offline-run-1"},
    }  # fmt: skip


def _evaluation() -> dict[str, Any]:
    grid = [step / 100 for step in range(101)]
    falling, rising = [1 - each**4 for each in grid], [min(1.0, 0.3 + each) for each in grid]
    f1 = [2 * p * r / (p + r) if p + r else 0.0 for p, r in zip(rising, falling, strict=True)]
    rows = [{"name": name, "precision": rising, "recall": falling, "f1": f1, "pr": falling} for name in NAMES]
    point = {"confidence": 0.41, "precision": 0.92, "recall": 0.87, "f1": 0.894}
    return {
        "task": "detect", "split": "test", "images": 73, "boxes": 143, "names": list(NAMES),
        "per_class": [
            {"index": index, "name": name, "images": 70, "boxes": 120, "precision": 0.9, "recall": 0.8, "f1": 0.85,
             "mAP50": 0.9, "mAP50-95": 0.7} for index, name in enumerate(NAMES)
        ],
        "curves": {
            "confidence": grid, "precision": rising, "recall": falling, "f1": f1,
            "pr": {"recall": grid, "precision": falling}, "classes": rows,
        },
        "best": point, "wanted_recall": 0.95, "wanted": None, "highest_recall": 0.93,
        "operating": {**point, "confidence": 0.25, "true": 130, "false": 9, "missed": 13},
        "confusion": {"conf": 0.25, "names": [*NAMES, "background"], "matrix": [[100, 2, 5], [1, 18, 4], [9, 4, 0]]},
        "intervals": {"mAP50": {"value": 0.91, "low": 0.86, "high": 0.95}, "recall": {"low": 0.1, "high": 0.2}},
        "speed": {"hardware": "1 × Tesla T4", "imgsz": 640, "latency": {"median": 9.1, "p95": 11.2}},
        "model": {"bytes": 19_253_321, "parameters": 9_413_187, "gflops": 21.3},
        "mistakes": {
            "images_with_errors": 17, "missed": 13, "false": 9, "confused": 2,
            "worst": [
                {"image": f"images/test/{number} b.jpg", "score": 2.8, "missed": 1, "false": 1, "confused": 0,
                 "picture": f"test/worst/0{number}.jpg", "width": 96, "height": 64,
                 "true": [{"class": 0, "box": [0.1, 0.1, 0.5, 0.5], "found": False}],
                 "predicted": [{"class": 1, "box": [0.6, 0.2, 0.9, 0.9], "confidence": 0.83, "kind": "false"}]}
                for number in (1, 2)
            ],
        },
    }  # fmt: skip


def _check() -> dict[str, Any]:
    finding = {"path": "labels/train/a.txt", "line": 3, "kind": "label-edge", "severity": "warning"}
    return {
        "findings": [{**finding, "message": "the box reaches over the edge", "fix": "cut it at the edge"}],
        "counts": {"warning": 1, "info": 2},
        "splits": {"train": {"images": 300, "labels": 300, "boxes": 320, "backgrounds": 0}},
        "classes": {"door": 300, "handle": 20},
    }


def _history(epochs: int) -> str:
    head = "epoch,time,train/box_loss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss,lr/pg0,lr/pg1"
    rows = (
        f"{n},{n * 10},{3 / n:.4f},{1 - 1 / n:.4f},{0.7 - 0.7 / n:.4f},{4 / n:.4f},{0.01 / n:.6f},{0.01 / n:.6f}"
        for n in range(1, epochs + 1)
    )
    return "\n".join([head, *rows, ""])


class Read(HTMLParser):
    """A page, read strictly: an end without its beginning is an error.

    Attributes:
        tags: of each kind, the attributes of every element.
        text: all that stands outside of style.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"{tag} ends and never began"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def leave_classifier(folder: Path, architecture: str = "timm/resnet18") -> Path:
    """The same of a run that has trained a classifier, one of whose classes is called `background`."""
    names = ("alpha", "background")
    share = {"value": 0.9, "low": 0.81, "high": 0.96}
    gates = [{"metric": "val/accuracy_top1", "bound": 0.95, "kind": "at least", "value": 0.91, "met": False}]
    metrics = {"val/accuracy_top1": 0.91, "test/accuracy_top1": 0.9, "test/accuracy_top5": 1.0, "speed/inference": 6.9}
    evaluation = {
        "task": "classify", "names": list(names), "images": 50, "best": {}, "operating": {}, "wanted_recall": None,
        "per_class": [
            {"index": 0, "name": "alpha", "images": 20, "precision": 0.95, "recall": 0.9, "f1": 0.92},
            {"index": 1, "name": "background", "images": 30, "precision": 0.87, "recall": 0.9, "f1": 0.88},
        ],
        "confusion": {"names": list(names), "matrix": [[18, 3], [2, 27]]},
        "curves": {"confidence": [0.0, 0.5, 1.0], "answered": [1.0, 0.9, 0.0], "accuracy": [0.9, 0.95, None]},
        "intervals": {
            "accuracy_top1": share, "accuracy_top5": None, "per_class": [{"precision": None, "recall": share}] * 2,
        },
        "mistakes": {
            "images_with_errors": 5, "sure": 2,
            "worst": [
                {
                    "image": "test/alpha/7.jpg", "score": 0.9, "true": "alpha", "predicted": "background",
                    "confidence": 0.93, "chance": 0.03, "picture": "test/worst/01.jpg", "width": 96, "height": 64,
                },
            ],
        },
    }  # fmt: skip
    metadata = {"architecture": architecture, "metrics": metrics, "gates": gates, "best_epoch": 3}
    leave(folder, metadata=metadata, result={"metrics": metrics}, evaluation=evaluation)
    checked = {"splits": {"train": {"images": 90, "classes": 2}}, "classes": dict.fromkeys(names, 45), "findings": []}
    (folder / "data-check.json").write_text(json.dumps(checked), encoding="utf-8")
    rows = "".join(f"{epoch},{0.7 + epoch / 20},1.0,{1 / epoch},0.5\n" for epoch in range(1, 5))
    head = "epoch,metrics/accuracy_top1,metrics/accuracy_top5,train/loss,val/loss\n"
    (folder / "results.csv").write_text(head + rows, encoding="utf-8")
    return folder
