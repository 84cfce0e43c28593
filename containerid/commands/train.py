"""The main command: train."""

from typing import TYPE_CHECKING, Any

from containerid import options as o
from containerid.command import app, command, finish
from containerid.errors import CidError, Detached, Refused, UsageError

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Request, Run
    from containerid.runs.draft import Ask

_SOURCES = ("dataset_source", "kernel_source", "competition_source", "model_source")


@command(app, "train")
def train(  # noqa: PLR0913, PLR0917
    screen: "Screen",
    kaggle: o.KaggleOption = False,
    local: o.LocalOption = False,
    rehearse: o.RehearseOption = False,
    experiment: o.ExperimentOption = None,
    sets: o.SetOption = None,
    quick: o.QuickOption = False,
    data: o.DataOption = "",
    device: o.DeviceOption = "auto",
    accelerator: o.AcceleratorOption = "",
    gpu: o.GpuOption = None,
    internet: o.InternetOption = None,
    detach: o.DetachOption = False,
    dry_run: o.DryRunOption = False,
    session_limit: o.SessionLimitOption = "",
    timeout: o.TimeoutOption = "",
    git: o.GitOption = "",
    transport: o.TransportOption = "auto",
    message: o.MessageOption = "",
    slug: o.SlugOption = "",
    dataset_source: o.DatasetSourceOption = None,
    kernel_source: o.KernelSourceOption = None,
    competition_source: o.CompetitionSourceOption = None,
    model_source: o.ModelSourceOption = None,
    public: o.PublicOption = False,
    wait: o.WaitOption = False,
    new: o.NewOption = False,
    until_done: o.UntilDoneOption = False,
    yes: o.YesOption = False,
) -> None:
    """Train on Kaggle, here, or in rehearsal.

    Example: cid train --kaggle --experiment exp001
    """
    asked = locals()
    from containerid import runs
    from containerid.views import show_plan

    watching = o.seconds(timeout) if timeout else None
    request = _request(asked, _backend(kaggle=kaggle, local=local, rehearse=rehearse))
    home = runs.Home.of_user()
    if dry_run:
        show_plan(screen, runs.plan(request, home=home, tell=screen.tell))
        return
    run = runs.submit(request, home=home, tell=screen.tell, ask=_asker(screen, yes=yes))
    finish(screen, run if detach else _attend(screen, run, watching, until_done=until_done, wait=wait))


@command(app, "resume")
def resume(
    screen: "Screen",
    run: o.RunArg = "",
    detach: o.DetachOption = False,
    timeout: o.TimeoutOption = "",
    wait: o.WaitOption = False,
    until_done: o.UntilDoneOption = False,
    yes: o.YesOption = False,
) -> None:
    """Go on with a run that stopped short.

    Its submit was interrupted, or its session ended before its training did. Example: cid resume exp001
    """
    from containerid import runs

    watching = o.seconds(timeout) if timeout else None
    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    going = runs.resume(found, home=home, tell=screen.tell, ask=_asker(screen, yes=yes), wait=wait)
    finish(screen, going if detach else _attend(screen, going, watching, until_done=until_done, wait=wait))


def _asker(screen: "Screen", *, yes: bool) -> "Ask | None":
    """Who answers questions: the user, `--yes`, or nobody where there is no terminal."""
    if yes:
        return lambda _: True
    return screen.ask if screen.asks else None


def _request(asked: dict[str, Any], backend: str) -> "Request":
    """The options of `train` as a request; what was not given is left to params.yaml."""
    from containerid.runs import Request

    limit = asked["session_limit"]
    given = {name: asked[name] for name in ("accelerator", "gpu", "internet", "slug")}
    given |= {f"{name}s": tuple(asked[name] or ()) for name in _SOURCES}
    given |= {"public": asked["public"] or None, "session_limit": o.seconds(limit) if limit else None}
    return Request(
        backend=backend,
        experiment=asked["experiment"],
        overrides=tuple(asked["sets"] or ()),
        git=asked["git"] or None,
        options={name: value for name, value in given.items() if value not in {None, "", ()}},
        **{name: asked[name] for name in ("quick", "device", "transport", "message", "data", "wait", "new")},
    )


def _backend(*, kaggle: bool, local: bool, rehearse: bool) -> str:
    chosen = [name for name, wanted in (("kaggle", kaggle), ("local", local), ("rehearsal", rehearse)) if wanted]
    if len(chosen) != 1:
        raise UsageError(
            "say where to train: exactly one of --kaggle, --local, --rehearse", hint="cid train --rehearse"
        )
    return chosen[0]


def _attend(screen: "Screen", run: "Run", timeout: float | None, *, until_done: bool, wait: bool) -> "Run":
    """Follow a run to its end, with `until_done` over all its legs, and fetch it. Ctrl-C leaves; the run goes on."""
    from containerid import runs

    home = runs.Home.of_user()
    try:
        if until_done:
            run = runs.until_done(run, home=home, tell=screen.tell, timeout=timeout, wait=wait)
        else:
            run = runs.watch(run, home=home, tell=screen.tell, timeout=timeout)
        screen.rest()
        return runs.fetch(run, home=home, tell=screen.tell)
    except KeyboardInterrupt:
        raise Detached(
            f"detached; {run.run} goes on", hint=f"cid logs {run.run} -f, then cid fetch {run.run}"
        ) from None
    except Refused:
        raise
    except CidError as error:
        run = runs.find(runs.Registry(home.registry), run.run)
        if run.state.final and runs.error_of(run) is not None:
            screen.complain(error)
            return run
        raise
