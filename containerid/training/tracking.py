"""Weights & Biases, which must never stop a run or make it wait: every call is guarded, a slow one is left behind."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from containerid.config import Wandb
from containerid.training import environment, site
from containerid.training.log import say
from containerid.training.secrets import WANDB

if TYPE_CHECKING:
    from containerid.training.session import Session

Mode = Literal["offline", "online"]
PROGRESS_FILE = "progress.jsonl"
"""Among the outputs: a line of JSON for each epoch, those of earlier legs included."""
_PATIENCE = 12
"""Seconds to wait for the service at the start, once it has answered a first question (see `site.PATIENCE`)."""
_FAREWELL, _HURRY = 60.0, 10.0
"""Seconds to wait for it at the end, and at an end that nobody wanted."""


class Tracking:
    """A W&B run, or nothing at all: the calls are the same.

    Attributes:
        where: `wandb` with the run's URL, or `wandb_offline` with its folder among the outputs; empty for nothing.
    """

    def __init__(self, run: Any = None, where: Mapping[str, str] | None = None) -> None:
        self._run = run
        self.where = dict(where or {})

    def tell(self, metrics: Mapping[str, float], step: int) -> None:
        """Add one epoch."""
        self._guard(lambda run: run.log(dict(metrics), step=step))

    def finish(self, summary: Mapping[str, Any], pictures: Sequence[Path] = ()) -> None:
        """Add what is known at the end, and close the run; not longer than a minute."""
        self._guard(lambda run: _close(run, summary, pictures), _FAREWELL)
        self._run = None

    def abandon(self) -> None:
        """Close a run that did not come to its end; nothing happens after `finish`."""
        self._guard(lambda run: _close(run, {}, (), code=1), _HURRY)
        self._run = None

    def _guard(self, action: Callable[[Any], object], patience: float = 0) -> None:
        if self._run is None:
            return
        said: list[str] = []

        def attempt() -> None:
            try:
                action(self._run)
            except Exception as error:
                said.append(_short(error))

        if patience:
            thread = threading.Thread(target=attempt, daemon=True)
            thread.start()
            thread.join(patience)
            said += [f"no end within {patience:.0f} s"] if thread.is_alive() else []
        else:
            attempt()
        if said:
            say(f"caution: W&B: {said[0]}; the run goes on without it")
            self._run = None


def begin(session: "Session") -> None:
    """Open the W&B run of a session that is about to train."""
    spec = session.spec
    session.tracking = start(
        session.params.wandb, run=spec.run, project=spec.project, config=spec.params, folder=session.out
    )


def start(settings: Wandb, *, run: str, project: str, config: Mapping[str, Any], folder: Path) -> Tracking:
    """Open a W&B run as the settings say; where that fails, offline; where that fails too, none.

    All legs are one run there. A leg that goes on tells first what the ones before it measured: W&B puts the files of
    two offline runs with one id on top of each other, and what a leg had told when it was killed may be lost.

    Args:
        settings: the `wandb` section.
        run: the run id; also W&B's, and its name when the settings give none.
        project: the project's name; W&B's project when the settings give none.
        config: the parameters, to be shown beside the metrics.
        folder: the output folder; offline runs are written to `wandb/` in it.
    """
    if settings.mode == "disabled":
        return Tracking()
    if find_spec("wandb") is None:
        say("W&B is not installed: metrics are in results.csv")
        return Tracking()
    # Errors of its own that it reports home: three connections that wait 20 s for a server which hangs.
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    attempts: tuple[Mode, ...] = ("online", "offline") if _mode(settings) == "online" else ("offline",)
    earlier = list((folder / "wandb").glob(f"offline-run-*-{run}"))
    for attempt in attempts:
        try:
            opened = _open(settings, attempt, run, project, config, folder)
        except Exception as error:
            say(f"caution: W&B {attempt}: {_short(error)}")
            _let_go()
        else:
            where = _where(opened, attempt, folder)
            say(f"W&B: {attempt}, {', '.join(where.values())}")
            _warn_of_guests(opened, attempt)
            tracking = Tracking(opened, where)
            _retell(tracking, folder / PROGRESS_FILE, earlier)
            return tracking
    return Tracking()


def _mode(settings: Wandb) -> Mode:
    wanted = settings.mode
    if wanted == "auto":
        # A session on Kaggle has no key unless somebody sent one, and whoever did said `online`.
        wanted = "offline" if environment.kind() in {"kaggle", "rehearsal"} or not site.key() else "online"
    elif wanted == "online" and not site.key():
        say(f"caution: W&B: no {WANDB}: offline instead; `cid fetch` uploads it later")
        wanted = "offline"
    if wanted == "online" and not site.answers(site.address()):
        say(f"caution: W&B: {site.address()} does not answer: offline instead; `cid fetch` uploads it later")
        wanted = "offline"
    return "online" if wanted == "online" else "offline"


def _warn_of_guests(run: Any, mode: Mode) -> None:
    with suppress(Exception):
        if mode == "online" and site.is_public(run.settings.base_url.rstrip("/"), run.entity, run.project, site.key()):
            say(f"caution: W&B: the project {run.entity}/{run.project} is public: anybody can see this run")


def _retell(tracking: Tracking, path: Path, earlier: Sequence[Path]) -> None:
    rows = list(_rows(path))
    for row in rows:
        # A live run that goes on leaves out what W&B has: no epoch goes back behind the last one.
        tracking.tell({**row["losses"], **row["metrics"], **row["rates"]}, row["epoch"])
    if rows:
        for folder in earlier:
            shutil.rmtree(folder, ignore_errors=True)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with suppress(OSError, ValueError):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield {"losses": {}, "metrics": {}, "rates": {}, **json.loads(line)}


def _let_go() -> None:
    """Its service takes a run that could not be opened for one that is open, and refuses its id to the next attempt."""
    import wandb

    with suppress(Exception):
        wandb.teardown()


def _where(run: Any, mode: Mode, folder: Path) -> dict[str, str]:
    if mode == "online":
        return {"wandb": str(run.url)}
    return {"wandb_offline": Path(run.dir).parent.relative_to(folder).as_posix()}


def _open(settings: Wandb, mode: Mode, run: str, project: str, config: Mapping[str, Any], folder: Path) -> Any:
    import wandb

    return wandb.init(
        project=settings.project or project or "containerid",
        entity=settings.entity,
        name=settings.name or run,
        id=run,
        resume="allow" if mode == "online" else None,
        tags=list(settings.tags),
        config=dict(config),
        dir=str(folder),
        mode=mode,
        # The console is ours, and a git remote may hold credentials.
        settings=wandb.Settings(
            init_timeout=_PATIENCE, console="off", silent=True, disable_git=True, disable_code=True, save_code=False
        ),
    )


def _close(run: Any, summary: Mapping[str, Any], pictures: Sequence[Path], code: int = 0) -> None:
    import wandb

    run.summary.update(dict(summary))
    for picture in pictures:
        run.log({picture.stem: wandb.Image(str(picture))})
    run.finish(exit_code=code)
    # Its service keeps writing logs beside the run for a moment: it has to end before the files are listed.
    wandb.teardown()


def _short(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__
