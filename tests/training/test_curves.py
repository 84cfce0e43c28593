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
    assert curves.best([first, second, third]) == second, "the first of equals"
    assert (curves.loss(first, "train"), curves.loss(first, "val"), curves.loss(second, "val")) == (4, 2.5, None)


def test_without_curves_there_is_no_best_epoch(tmp_path: Path) -> None:
    assert curves.read(tmp_path) == []
    assert curves.best([]) == curves.best([{"epoch": 1.0}]) == {}
