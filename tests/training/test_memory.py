"""A training that does not fit into the memory goes on with half the batch."""

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.legs import TINY, Leg, of_folder
from fakes.memory import OUT, SmallGpu
from fakes.sets import draw_set

from containerid.job import Past
from containerid.training import memory, train
from containerid.training.progress import Follower

PARAMS = {**TINY, "training": {**TINY["training"], "epochs": 3, "batch_size": 8, "cache": "auto"}}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make a GPU that, from an epoch on, holds no larger batches than of so many images, nor after the training."""
    whole = Follower.follow

    def of(batch: int, epoch: int) -> None:
        import torch

        def fill(trainer: Any) -> None:
            if trainer.batch_size > batch and trainer.epoch >= epoch:
                raise torch.OutOfMemoryError(OUT)

        def look(validator: Any) -> None:
            if not validator.training and validator.args.batch > batch:
                raise torch.OutOfMemoryError(OUT)

        def follow(self: Follower, model: Any) -> None:
            whole(self, model)
            model.add_callback("on_train_batch_start", fill)
            monkeypatch.setitem(callbacks(), "on_val_start", [look])

        monkeypatch.setattr(Follower, "follow", follow)

    return of


def callbacks() -> dict[str, Any]:
    """Those that every model of Ultralytics gets."""
    from ultralytics.utils.callbacks.base import default_callbacks

    return default_callbacks


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    draw_set(tmp_path / "doors")
    return Leg(tmp_path)


@pytest.fixture
def freed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each time that memory is given back: whether what the attempt had held is gone by then."""
    seen: list[Any] = []
    gone: list[bool] = []
    attempt, free = train.attempt, memory.free

    def watched(session: Any, model: Any) -> Any:
        seen.append(weakref.ref(model))
        return attempt(session, model)

    def watch() -> None:
        free()
        gone.append(seen[-1]() is None)

    monkeypatch.setattr(train, "attempt", watched)
    monkeypatch.setattr(memory, "free", watch)
    return gone


@pytest.mark.training
def test_it_goes_on_from_the_last_checkpoint_with_half_the_batch(
    leg: Leg, small: Callable[[int, int], None], freed: list[bool]
) -> None:
    small(4, 1)
    result = leg.run(data=of_folder(leg.folder / "doors"), params=PARAMS)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["halved"] == [{"after_epoch": 1, "from": 8, "to": 4}]
    assert told["epochs"] == 3
    assert (told["hyperparameters"]["batch"], told["hyperparameters"]["cache"]) == (4, "ram")
    assert json.loads((leg.out / "evaluation.json").read_text())["speed"]["throughput"]["batch"] == 4
    assert freed == [True], "the second attempt has the memory of the first"
    assert told["usage"]["images_per_second"] > 0
    rows = (leg.out / "results.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    epochs = [json.loads(line)["epoch"] for line in (leg.out / "progress.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3]
    assert "caution: out of memory with batch_size 8: it goes on after epoch 1 with 4" in leg.log()


@pytest.mark.training
def test_in_the_first_epoch_too_it_is_halved_by_us_alone_and_written_down(leg: Leg) -> None:
    with SmallGpu(holds=2):
        result = leg.run(data=of_folder(leg.folder / "doors"), params=PARAMS)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["halved"] == [{"after_epoch": 0, "from": 8, "to": 4}, {"after_epoch": 0, "from": 4, "to": 2}]
    assert told["batch"] == told["hyperparameters"]["batch"] == 2
    assert "caution: out of memory with batch_size 4: it goes on after epoch 0 with 2" in leg.log()
    assert [json.loads(line)["epoch"] for line in (leg.out / "progress.jsonl").read_text().splitlines()] == [1, 2, 3]


@pytest.mark.training
def test_two_halvings_are_the_most(leg: Leg) -> None:
    with SmallGpu(holds=0) as gpu:
        result = leg.run(data=of_folder(leg.folder / "doors"), params=PARAMS)
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "train")
    assert result.reason.startswith("the GPU's memory is too small for it; halve training.batch_size")
    assert leg.log().count("caution: out of memory") == 2
    assert gpu.refused == [8, 4, 2]


@pytest.mark.training
def test_a_leg_to_come_knows_what_was_halved_and_halves_the_rest_alone(leg: Leg) -> None:
    data = of_folder(leg.folder / "doors")
    with SmallGpu(holds=4):
        assert leg.run(data=data, params=PARAMS, budget=0.01).outcome == "paused"
    past = Past(kind="folder", source=str(leg.out))
    with SmallGpu(holds=0) as gpu:
        assert leg.run(data=data, params=PARAMS, leg=2, past=past).outcome == "failed"
    assert gpu.refused == [4, 2]
    assert leg.run(data=data, params=PARAMS, leg=2, past=past).outcome == "succeeded"
    told = json.loads((leg.out / "metadata.json").read_text())
    assert (told["halved"], told["batch"]) == ([{"after_epoch": 0, "from": 8, "to": 4}], 4)


def test_memory_that_ran_out_is_known_by_its_words() -> None:
    import torch

    assert memory.is_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert memory.is_out(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert memory.is_out(RuntimeError("GET was unable to find an engine to execute this computation"))
    assert not memory.is_out(RuntimeError("shape mismatch"))
    assert not memory.is_out(ValueError("out of memory"))


def test_images_are_kept_in_memory_where_half_of_it_holds_them() -> None:
    photos = {"images": 1000, "side": 640}
    assert memory.holds_images(**photos, left=4 * 2**30)
    assert not memory.holds_images(**photos, left=2 * 2**30)
    assert (memory.available() or 0) > 2**20


@pytest.mark.parametrize(("left", "cache"), [(2**30, "ram"), (2**10, False)])
def test_a_cache_that_is_left_to_the_machine_is_one_where_it_fits(
    left: int, cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: left)
    counts = {"train": {"images": 100}, "val": {"images": 10}, "test": {"images": 10**9}}
    session: Any = SimpleNamespace(report=SimpleNamespace(counts=counts))
    assert train._cache(session, {"imgsz": 64}) == cache
