"""A training that does not fit into the memory goes on with half the batch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.legs import TINY, Leg, of_folder
from fakes.sets import draw_set

from containerid.training import memory
from containerid.training.progress import Follower

PARAMS = {**TINY, "training": {**TINY["training"], "epochs": 3, "batch_size": 8}}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make a GPU that, from an epoch on, does not hold batches larger than so many images."""
    whole = Follower.follow

    def of(batch: int, epoch: int) -> None:
        import torch

        def fill(trainer: Any) -> None:
            if trainer.batch_size > batch and trainer.epoch >= epoch:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        def follow(self: Follower, model: Any) -> None:
            whole(self, model)
            model.add_callback("on_train_batch_start", fill)

        monkeypatch.setattr(Follower, "follow", follow)

    return of


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    draw_set(tmp_path / "doors")
    return Leg(tmp_path)


@pytest.mark.training
def test_it_goes_on_from_the_last_checkpoint_with_half_the_batch(leg: Leg, small: Callable[[int, int], None]) -> None:
    small(4, 1)
    result = leg.run(data=of_folder(leg.folder / "doors"), params=PARAMS)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["halved"] == [{"after_epoch": 1, "from": 8, "to": 4}]
    assert told["epochs"] == 3
    assert told["hyperparameters"]["batch"] == 4
    assert told["usage"]["images_per_second"] > 0
    rows = (leg.out / "results.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    epochs = [json.loads(line)["epoch"] for line in (leg.out / "progress.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3]
    assert "caution: out of memory with batch_size 8: it goes on after epoch 1 with 4" in leg.log()


@pytest.mark.training
def test_two_halvings_are_the_most(leg: Leg, small: Callable[[int, int], None]) -> None:
    small(1, 0)
    result = leg.run(data=of_folder(leg.folder / "doors"), params=PARAMS)
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "train")
    assert result.reason.startswith("the GPU's memory is too small for it; halve training.batch_size")
    assert leg.log().count("caution: out of memory") == 2


def test_memory_that_ran_out_is_known_by_its_words() -> None:
    import torch

    assert memory.is_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert memory.is_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not memory.is_out(RuntimeError("shape mismatch"))
    assert not memory.is_out(ValueError("out of memory"))


def test_images_are_kept_in_memory_where_half_of_it_holds_them() -> None:
    photos = {"images": 1000, "side": 640}
    assert memory.holds_images(**photos, left=4 * 2**30)
    assert not memory.holds_images(**photos, left=2 * 2**30)
    assert (memory.available() or 0) > 2**20
