"""The command line: parse, wire, delegate. Heavy imports wait until a command needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from containerid import options as o
from containerid.command import command, explain
from containerid.errors import CidError, Detached, UsageError

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Request, Run

app = typer.Typer(
    name="cid",
    help="Train on Kaggle's free GPUs from your own shell, follow the run, bring back verified outputs.",
    epilog="First steps: cid init · cid doctor · cid train --rehearse -e smoke · cid train --kaggle -e exp001",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_SOURCES = ("dataset_source", "kernel_source", "competition_source", "model_source")
emulator_app = typer.Typer(help="The embedded Kaggle.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(emulator_app, name="emulator")


@command(app, "train")
def train(  # noqa: PLR0913, PLR0917
    screen: "Screen",
    kaggle: o.KaggleOption = False,
    local: o.LocalOption = False,
    rehearse: o.RehearseOption = False,
    experiment: o.ExperimentOption = "",
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
    run = runs.submit(request, home=home, tell=screen.tell, ask=(lambda _: True) if yes else screen.ask)
    _finish(screen, run if detach else _attend(screen, run, watching))


def _request(asked: dict[str, Any], backend: str) -> "Request":
    """The options of `train` as a request; what was not given is left to params.yaml."""
    from containerid.runs import Request

    limit = asked["session_limit"]
    given = {name: asked[name] for name in ("accelerator", "gpu", "internet", "slug")}
    given |= {f"{name}s": tuple(asked[name] or ()) for name in _SOURCES}
    given |= {"public": asked["public"] or None, "session_limit": o.seconds(limit) if limit else None}
    return Request(
        backend=backend,
        experiment=asked["experiment"] or None,
        overrides=tuple(asked["sets"] or ()),
        git=asked["git"] or None,
        options={name: value for name, value in given.items() if value not in {None, "", ()}},
        **{name: asked[name] for name in ("quick", "device", "transport", "message", "data")},
    )


def _backend(*, kaggle: bool, local: bool, rehearse: bool) -> str:
    chosen = [name for name, wanted in (("kaggle", kaggle), ("local", local), ("rehearsal", rehearse)) if wanted]
    if len(chosen) != 1:
        raise UsageError(
            "say where to train: exactly one of --kaggle, --local, --rehearse", hint="cid train --rehearse"
        )
    return chosen[0]


def _attend(screen: "Screen", run: "Run", timeout: float | None) -> "Run":
    """Follow a run to its end and fetch it. Ctrl-C leaves; the run goes on."""
    from containerid import runs

    home = runs.Home.of_user()
    try:
        run = runs.watch(run, home=home, tell=screen.tell, timeout=timeout)
        screen.rest()
        return runs.fetch(run, home=home, tell=screen.tell)
    except KeyboardInterrupt:
        raise Detached(
            f"detached; {run.run} goes on", hint=f"cid logs {run.run} -f, then cid fetch {run.run}"
        ) from None
    except CidError as error:
        run = runs.find(runs.Registry(home.registry), run.run)
        if run.state.final and runs.error_of(run) is not None:
            screen.complain(error)
            return run
        raise


def _finish(screen: "Screen", run: "Run") -> None:
    """Show a run and end with the code of its state."""
    from containerid import runs
    from containerid.views import next_steps, show_run

    screen.document(run.document())
    show_run(screen, run)
    next_steps(screen, run)
    if error := runs.error_of(run):
        screen.complain(error)
        raise typer.Exit(error.code)


@command(app, "status")
def status(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Ask how a run stands.

    Example: cid status exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.status(runs.find(runs.Registry(home.registry), run), home=home)
    screen.document(found.document())
    show_run(screen, found)
    _mirror(found, wanted=exit_code)


def _mirror(run: "Run", *, wanted: bool) -> None:
    from containerid import runs
    from containerid.errors import StillRunning

    if wanted and not run.state.final:
        raise typer.Exit(StillRunning.code)
    if wanted and (error := runs.error_of(run)):
        raise typer.Exit(error.code)


@command(app, "logs")
def logs(screen: "Screen", run: o.RunArg = "", follow: o.FollowOption = False, tail: o.TailOption = None) -> None:
    """Show a run's log.

    Example: cid logs exp001 -f
    """
    from containerid import runs
    from containerid.runs.logs import read

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run)
    lines = []
    for line in read(found, home=home, follow=follow, tail=tail):
        lines.append(line)
        screen.say(line.text)
    screen.document({"run": found.run, "lines": [{"time": e.time, "stream": e.stream, "text": e.text} for e in lines]})


@command(app, "fetch")
def fetch(screen: "Screen", run: o.RunArg = "", to: o.ToOption = None) -> None:
    """Download a run's outputs, verified.

    They are filed under runs/<run>. Example: cid fetch exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run)
    fetched = runs.fetch(found, home=home, to=to.absolute() if to else None, tell=screen.tell)
    screen.document(fetched.document())
    show_run(screen, fetched)


@command(app, "ls")
def ls(screen: "Screen") -> None:
    """List the runs of this user, the newest first."""
    from containerid import runs
    from containerid.views import show_runs

    found = runs.Registry(runs.Home.of_user().registry).runs()
    screen.document({"runs": [run.document() for run in found]})
    show_runs(screen, found)


@command(app, "show")
def show(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Show all that is known about a run."""
    from containerid import runs
    from containerid.views import show_history, show_run

    registry = runs.Registry(runs.Home.of_user().registry)
    found = runs.find(registry, run)
    history = [{"state": state, "reason": reason, "at": at} for state, reason, at in registry.transitions(found.run)]
    screen.document({**found.document(), "plan": dict(found.plan), "transitions": history})
    show_run(screen, found)
    show_history(screen, found, registry)
    _mirror(found, wanted=exit_code)


@command(app, "params")
def params(screen: "Screen", experiment: o.ExperimentOption = "", sets: o.SetOption = None) -> None:
    """Print an experiment's parameters, merged.

    Example: cid params -e exp001
    """
    import yaml

    from containerid import config

    project = config.load(config.find(Path.cwd()))
    merged = project.params(experiment or None, tuple(sets or ()))
    screen.document(merged.to_dict())
    screen.say(yaml.safe_dump(merged.to_dict(), sort_keys=False, allow_unicode=True).rstrip())


@command(app, "init")
def init(screen: "Screen") -> None:
    """Set up this folder: params.yaml, ignore lines.

    Asks nothing, never overwrites.
    """
    from containerid.runs.init import init as write

    written = write(Path.cwd(), screen.tell)
    screen.document({"written": [str(path) for path in written]})
    screen.say("ready; next: cid doctor, then cid train --rehearse -e smoke")


@command(app, "doctor")
def doctor(screen: "Screen") -> None:
    """Check what a run needs, name what mends it."""
    from containerid import runs
    from containerid.doctor import examine

    checks = list(examine(Path.cwd(), runs.Home.of_user()))
    screen.document({"checks": [check.document() for check in checks]})
    for check in checks:
        screen.say(f"{check.mark} {check.name:<12} {check.found}" + (f"\n  try: {check.mend}" if check.mend else ""))
    if any(check.needed and not check.good for check in checks):
        raise typer.Exit(CidError.code)


@command(app, "demo")
def demo(screen: "Screen", to: o.ToOption = None) -> None:
    """See the main job, in about two minutes.

    Draws container doors, makes a repository with a remote, and trains through the embedded Kaggle.
    """
    from containerid.demo import show

    run = show(to, tell=screen.tell)
    _finish(screen, run)


@command(emulator_app, "serve")
def serve(screen: "Screen", port: o.PortOption = 0, state: o.StateOption = None) -> None:
    """Serve the embedded Kaggle on loopback, for Kaggle's own client or for cid, until Ctrl-C."""
    from containerid.home import Home
    from containerid.kaggle.emulator import serve as run
    from containerid.views import show_server

    folder = state.absolute() if state else Home.of_user().emulator
    run(folder, port, lambda kaggle: show_server(screen, kaggle.url))


def main() -> None:
    """Run the command line. A wrong option is one line, or a document in JSON mode, and exit 2; a defect is exit 1."""
    try:
        code = app(standalone_mode=False)
    except BrokenPipeError:
        raise
    except (typer.Abort, KeyboardInterrupt):
        code = Detached.code
    except Exception as error:
        code = explain(error)
    sys.exit(code if isinstance(code, int) else 0)
