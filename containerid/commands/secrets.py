"""Commands about secrets: secrets set, list, rm, push, doctor."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command
from containerid.errors import CidError, UsageError

if TYPE_CHECKING:
    from containerid.console import Screen

secrets_app = typer.Typer(
    help="Secrets for the few runs that need one. A value is never an option, and never shown.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(secrets_app, name="secrets")


@command(secrets_app, "set")
def set_(
    screen: "Screen",
    name: o.SecretArg = "",
    from_file: o.FromFileOption = None,
    from_env_file: o.FromEnvFileOption = None,
    from_dvc: o.FromDvcOption = False,
) -> None:
    """Give cid a secret: from the environment, else asked for without echo.

    Example: cid secrets set WANDB_API_KEY
    """
    from containerid import runs
    from containerid.runs import secrets

    if sum((from_file is not None, from_env_file is not None, from_dvc)) > 1:
        raise UsageError("--from-file, --from-env-file and --from-dvc exclude each other")
    if not name and from_env_file is None:
        raise UsageError("say which secret", hint="cid secrets set WANDB_API_KEY")
    if name:
        secrets.expect(name)
    if from_env_file is not None:
        values = _of_env_file(from_env_file, name)
    else:
        values = {name: _value(screen, name, from_file, from_dvc=from_dvc)}
    home = runs.Home.of_user()
    kept = [secrets.keep(each, value, home=home, tell=screen.tell) for each, value in values.items()]
    screen.document({"secrets": [{"name": e.name, "length": e.length, "place": e.place} for e in kept]})
    for entry in kept:
        screen.say(f"{entry.name}: {entry.length} characters, in the {entry.place}")


def _of_env_file(path: Path, name: str) -> dict[str, str]:
    from containerid.keychain import sources
    from containerid.training.secrets import NAMES

    wanted = (name,) if name else NAMES
    found = {each: value for each, value in sources.of_env_file(path).items() if each in wanted}
    if not found:
        raise UsageError(f"{path} sets none of {', '.join(wanted)}")
    return found


def _value(screen: "Screen", name: str, file: Path | None, *, from_dvc: bool) -> str:
    if file is not None:
        from containerid.keychain import sources

        return sources.of_file(file)
    if from_dvc:
        from containerid.runs import secrets
        from containerid.training.secrets import GDRIVE

        if name != GDRIVE:
            raise UsageError(f"--from-dvc is for {GDRIVE}")
        value, path = secrets.from_dvc(Path.cwd())
        screen.hint(f"· from {path}")
        return value
    if value := os.environ.get(name, "").strip():
        screen.hint(f"· from the environment variable {name}")
        return value
    if not screen.asks:
        raise UsageError(f"nobody can be asked for {name} here", hint=f"--from-file, or {name} in the environment")
    return str(typer.prompt(name, hide_input=True, err=True)).strip()


@command(secrets_app, "list")
def list_(screen: "Screen") -> None:
    """List what cid has: name, length and age, never a value."""
    from containerid import runs
    from containerid.runs import secrets

    kept = secrets.kept(runs.Home.of_user())
    screen.document({"secrets": [each.document() for each in kept]})
    cells = [(e.entry.name, f"{e.entry.length} characters", f"{e.entry.days} days", e.entry.place) for e in kept]
    if cells:
        screen.table(("secret", "length", "age", "in the"), cells)
    else:
        screen.say("no secrets; most runs need none")
    for each in kept:
        if each.nag:
            screen.hint(f"! {each.entry.name}: {each.nag}", style="yellow")


@command(secrets_app, "rm")
def rm(screen: "Screen", name: o.SecretArg) -> None:
    """Forget a secret on this machine; where it was made it goes on to work until it is revoked there."""
    from containerid import runs
    from containerid.runs import secrets

    secrets.forget(name, home=runs.Home.of_user())
    screen.document({"removed": name})
    screen.say(f"{name} is gone from this machine")


@command(secrets_app, "push")
def push(screen: "Screen") -> None:
    """Bring a new key to your private dataset on Kaggle. Runs do that by themselves when they need one.

    The key before it stays for runs that wait; what was sealed earlier can never be opened again.
    """
    from containerid import runs
    from containerid.runs import secrets

    dataset = secrets.push(home=runs.Home.of_user(), tell=screen.tell)
    screen.document({"dataset": dataset})
    screen.say(f"{dataset} holds a new key; it is private, and attached to no run but those that need it")


@command(secrets_app, "doctor")
def doctor(screen: "Screen") -> None:
    """Check where secrets lie, whether they will work, how old they are."""
    from containerid import runs
    from containerid.custody import examine

    checks = list(examine(Path.cwd(), runs.Home.of_user()))
    screen.document({"checks": [check.document() for check in checks]})
    for check in checks:
        mark = "✓" if check.good else "✗"
        screen.say(f"{mark} {check.name:<24} {check.found}" + (f"\n  try: {check.mend}" if check.mend else ""))
    if not all(check.good for check in checks):
        raise typer.Exit(CidError.code)
