from pathlib import Path

from containerid.training import curves

CSV = """epoch,time,train/box_loss,train/cls_loss,metrics/mAP50-95(B),val/box_loss
1,10.5,3.0,1.0,0.10,2.5
2,20.5,2.0,nan,0.30,
3,30.5,1.0,0.5,0.30,1.5
"""


def test_each_epoch_is_a_row_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(CSV)
    first, second, third = curves.read(tmp_path)
    assert (first["epoch"], first["time"], third["metrics/mAP50-95(B)"]) == (1, 10.5, 0.3)
    assert "val/box_loss" not in second
    assert curves.best([first, second, third]) == third, "the last of equals, which overwrote best.pt"
    assert (curves.loss(first, "train"), curves.loss(first, "val"), curves.loss(second, "val")) == (4, 2.5, None)


def test_a_classifier_is_rated_by_its_accuracies_and_has_one_loss() -> None:
    rows = [
        {"epoch": 1.0, "metrics/accuracy_top1": 0.5, "metrics/accuracy_top5": 0.9, "train/loss": 2.0, "val/loss": 3.0},
        {"epoch": 2.0, "metrics/accuracy_top1": 0.6, "metrics/accuracy_top5": 0.9},
        {"epoch": 3.0, "metrics/accuracy_top1": float("nan"), "metrics/accuracy_top5": 0.9},
    ]
    assert curves.best(rows) == rows[1]
    assert (curves.loss(rows[0], "train"), curves.loss(rows[0], "val")) == (2, 3)


def test_without_curves_there_is_no_best_epoch(tmp_path: Path) -> None:
    assert curves.read(tmp_path) == []
    assert curves.best([]) == curves.best([{"epoch": 1.0}]) == {}
