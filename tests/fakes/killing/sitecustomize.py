"""In front of PYTHONPATH, this kills `python -m containerid.training`, with SIGKILL, where KILLED_AT says."""

import os
import signal
from pathlib import Path

from containerid.training import evaluate, progress, run
from containerid.training.classify import phases

WHERE = os.environ.get("KILLED_AT", "")
LATER = 1
"""The epoch, from 0, in which it is killed where the place is not the first one."""


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def half(path, content):
    Path(path).write_bytes(content[: len(content) // 2])
    die()


def ask(*_):
    os.kill(os.getpid(), signal.SIGTERM)


def in_batch(epoch, number, do=die):
    whole = progress.Follower._on_train_batch_end

    def end(self, trainer):
        whole(self, trainer)
        if trainer.epoch == epoch and trainer.batch_number % len(trainer.train_loader) == number:
            do()

    progress.Follower._on_train_batch_end = end


def in_validation():
    follow, seen = progress.Follower.follow, []

    def count(_):
        seen.append(1)
        if len(seen) > LATER:
            die()

    def watch(self, model):
        follow(self, model)
        model.add_callback("on_val_batch_end", count)

    progress.Follower.follow = watch


def in_own_checkpoint():
    save = progress.Follower._on_model_save

    def broken(self, trainer):
        import torch

        written = torch.save

        def write(content, path):
            written(content, path)
            half(path, Path(path).read_bytes())

        if trainer.epoch == LATER:
            torch.save = write
        save(self, trainer)

    progress.Follower._on_model_save = broken


def in_weights(name, nth):
    written, seen = Path.write_bytes, []

    def write(self, content):
        if self.name == name:
            seen.append(1)
            if len(seen) == nth:
                self.unlink(missing_ok=True)
                with self.open("wb") as file:
                    file.write(content[: len(content) // 2])
                die()
        return written(self, content)

    Path.write_bytes = write


def in_stripping():
    tell = progress.Follower._on_fit_epoch_end

    def last(self, trainer):
        tell(self, trainer)
        if trainer.epoch + 1 == trainer.epochs:
            import torch

            torch.save = lambda content, path: half(path, b"\0" * 1000)

    progress.Follower._on_fit_epoch_end = last


def in_evaluation():
    evaluate._second = die


def in_last_words():
    """The weights are measured, and what was found is about to be written."""
    phases.keep = die


def in_report():
    def write(out, **_):
        half(out / "report.html.part", b"<!doctype html>" * 100)

    run.report.write = write


def after_patience():
    from ultralytics.utils import torch_utils

    torch_utils.EarlyStopping.__call__ = lambda self, epoch, fitness: epoch > LATER
    in_evaluation()


def before_tidying():
    run.checkpoint.prune = die


PLACES = {
    "the first epoch": lambda: in_batch(0, 1),
    "the middle of an epoch": lambda: in_batch(LATER, 0),
    "the asking in the middle of an epoch": lambda: in_batch(LATER, 0, ask),
    "a validation": in_validation,
    "the writing of a checkpoint": in_own_checkpoint,
    "the writing of the best weights": lambda: in_weights("best.pt", 2),
    "the stripping of the weights": in_stripping,
    "the evaluation": in_evaluation,
    "the evaluation of a classifier": in_last_words,
    "the writing of the report": in_report,
    "the evaluation after patience": after_patience,
    "the tidying up": before_tidying,
}

if WHERE:
    PLACES[WHERE]()
