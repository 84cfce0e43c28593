import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from containerid.errors import RunPaused
from containerid.job import Past, Spec
from containerid.training import history
from containerid.training.budget import Budget
from containerid.training.log import Log
from containerid.training.progress import Follower, flat
from containerid.training.stop import Stop, Stopped
from containerid.training.tracking import Tracking


class Trainer:
    """What a follower sees of Ultralytics' trainer, called in its order; an epoch takes ten seconds of `now`."""

    def __init__(self, now: list[float], folder: Path, epochs: int = 5) -> None:
        self.now, self.epochs, self.start_epoch, self.epoch, self.stop = now, epochs, 0, 0, False
        self.last = folder / "last.pt"
        self.tloss, self.lr = {"box_loss": 1.5}, {"lr/pg0": 0.01}
        self.metrics = {"metrics/mAP50(B)": 0.5, "val/box_loss": 2.0}
        self.train_loader = [0, 0]
        self.calls: dict[str, Any] = {}

    def add_callback(self, event: str, call: Any) -> None:
        self.calls[event] = call

    def train(self) -> None:
        self.calls["on_train_start"](self)
        for epoch in range(self.start_epoch, self.epochs):
            self.epoch = epoch
            self.calls["on_train_epoch_start"](self)
            for _ in range(2):
                self.calls["on_train_batch_start"](self)
                self.now[0] += 4
                self.calls["on_train_batch_end"](self)
                if self.stop:
                    break
            self.calls["on_train_epoch_end"](self)
            self.now[0] += 2
            self.last.write_bytes(f"epoch {self.epoch}".encode())
            self.stop |= self.epoch + 1 == self.epochs
            self.calls["on_model_save"](self)
            self.calls["on_fit_epoch_end"](self)
            if self.stop:
                break
        self.last.write_bytes(b"stripped")
        self.epoch += 1
        self.calls["on_fit_epoch_end"](self)


class Training(SimpleNamespace):
    """A training under way: the trainer, its follower, and what was written."""

    trainer: Trainer
    follower: Follower
    path: Path
    stop: Stop

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


def start(tmp_path: Path, seconds: float = 0, *, kept: bool = False, **more: Any) -> Training:
    """With a budget of this many seconds beside what is kept for the unknown."""
    now, stop, path = [100.0], Stop(), tmp_path / "progress.jsonl"
    trainer = Trainer(now, tmp_path, **more)
    log = Log(tmp_path / "train.log", ())
    budget = Budget((seconds + 5) / 0.99 if seconds else 0, 100.0, lambda: now[0])
    record = history.recorder(tmp_path, Spec(run="r1", leg=2, past=Past(kind="kernel", source="ada/one")), "CPU")
    follower = Follower(log, stop, Tracking(), record, budget, clock=lambda: now[0], keep=_copy, kept=kept)
    follower.follow(trainer)
    return Training(trainer=trainer, follower=follower, path=path, stop=stop)


def _copy(trainer: Trainer) -> None:
    trainer.last.with_name("resume.pt").write_bytes(trainer.last.read_bytes())


def test_every_epoch_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = start(tmp_path)
    training.trainer.train()
    assert [(line["epoch"], line["eta"], line["seconds"]) for line in training.lines()] == [
        (1, 40, 10), (2, 30, 20), (3, 20, 30), (4, 10, 40), (5, 0, 50)
    ]  # fmt: skip
    assert history.seconds(training.lines()) == 50
    assert training.lines()[0]["metrics"] == {"val/mAP50": 0.5}
    assert training.lines()[0]["losses"] == {"train/box_loss": 1.5}
    assert capsys.readouterr().out.count("CID_PROGRESS ") == 5


def test_the_best_epoch_is_the_one_that_was_saved_as_such(tmp_path: Path) -> None:
    """Of equals the last one is saved; what makes one better than another is the trainer's own business."""
    training = start(tmp_path)
    trainer: Any = training.trainer
    ratings, saves = iter([0.1, 0.5, 0.5, 0.4, 0.4]), trainer.calls["on_model_save"]
    trainer.best_fitness = 0.0

    def rate(_: Any) -> None:
        trainer.fitness = next(ratings)
        trainer.best_fitness = max(trainer.best_fitness, trainer.fitness)
        saves(trainer)

    trainer.calls["on_model_save"] = rate
    trainer.train()
    lines = training.lines()
    assert [line["best"] for line in lines] == [True, True, True, False, False]
    assert history.best_epoch(lines) == 3
    assert {(line["leg"], line["hardware"], line["after"]) for line in lines} == {(2, "CPU", "ada/one")}


def test_a_leg_that_goes_on_reckons_with_its_own_epochs(tmp_path: Path) -> None:
    training = start(tmp_path)
    training.trainer.start_epoch = 3
    training.trainer.train()
    assert [(line["epoch"], line["eta"]) for line in training.lines()] == [(4, 10), (5, 0)]


def test_a_budget_ends_it_before_an_epoch_that_would_not_fit(tmp_path: Path) -> None:
    training = start(tmp_path, 35)
    with pytest.raises(RunPaused, match="after epoch 3"):
        training.trainer.train()
    assert training.trainer.now == [130.0], "the third ends at 30, a fourth would at 40"
    assert (tmp_path / "resume.pt").read_bytes() == b"epoch 2"
    assert training.follower.checkpoint == {"epoch": 3, "epochs": 5}


def test_what_follows_a_last_epoch_has_to_fit_as_well(tmp_path: Path) -> None:
    training = start(tmp_path, 41)
    with pytest.raises(RunPaused, match="after epoch 3"):
        training.trainer.train()


def test_a_session_that_is_too_short_for_one_epoch_still_completes_one(tmp_path: Path) -> None:
    training = start(tmp_path, 3)
    with pytest.raises(RunPaused, match="after epoch 1"):
        training.trainer.train()
    assert training.trainer.now == [110.0]


def test_an_epoch_that_takes_too_long_is_given_up_for_the_checkpoint_before_it(tmp_path: Path) -> None:
    training = start(tmp_path, 3, kept=True)
    training.trainer.start_epoch = 2
    with pytest.raises(RunPaused, match="after epoch 2"):
        training.trainer.train()
    assert training.trainer.now == [104.0]


def test_a_budget_that_suffices_changes_nothing(tmp_path: Path) -> None:
    training = start(tmp_path, 52)
    training.trainer.train()
    assert training.follower.epoch == 5


def test_a_training_that_has_ended_is_no_pause(tmp_path: Path) -> None:
    training = start(tmp_path, 3, epochs=1)
    training.trainer.train()
    assert training.follower.epoch == 1


def test_who_is_asked_to_stop_ends_the_epoch_and_pauses(tmp_path: Path) -> None:
    training = start(tmp_path)
    training.stop.pause()
    with pytest.raises(RunPaused, match="asked to stop after epoch 1"):
        training.trainer.train()
    assert training.follower.checkpoint == {"epoch": 1, "epochs": 5, "asked": True}


def test_an_end_of_the_epoch_that_is_far_away_is_not_waited_for(tmp_path: Path) -> None:
    training = start(tmp_path, kept=True)
    training.trainer.start_epoch = 2
    training.stop.pause()
    with pytest.raises(RunPaused, match="asked to stop after epoch 2"):
        training.trainer.train()
    assert training.trainer.now == [104.0]


def test_a_callback_that_fails_is_said_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = start(tmp_path)
    training.trainer.tloss = None  # type: ignore[assignment]
    training.trainer.train()
    assert training.trainer.epoch == 5
    assert capsys.readouterr().out.count("caution: on_fit_epoch_end: AttributeError") == 1


def test_a_signal_that_got_lost_is_raised_at_the_next_batch(tmp_path: Path) -> None:
    training = start(tmp_path)
    training.stop.signal = "SIGTERM"
    with pytest.raises(Stopped):
        training.trainer.train()


def test_metrics_get_our_names() -> None:
    theirs = {"metrics/precision(B)": 0.1, "metrics/mAP50-95(B)": 0.2, "metrics/mAP50(M)": 0.3, "val/box_loss": 9}
    assert flat(theirs, "val") == {"val/precision": 0.1, "val/mAP50-95": 0.2, "val/mAP50(M)": 0.3}


def test_the_first_batch_is_timed_from_the_beginning_of_the_session(tmp_path: Path) -> None:
    training = start(tmp_path)
    training.trainer.train()
    assert training.follower._budget.first_batch == 4.0
