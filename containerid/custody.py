"""How the user's secrets stand: where they lie, whether they will work, how old they are, what the project needs."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from containerid.doctor import Check
from containerid.errors import CidError
from containerid.home import Home
from containerid.keychain import Keychain, google
from containerid.keychain.store import place_of
from containerid.runs import secrets
from containerid.training import dvc
from containerid.training.secrets import GDRIVE, NAMES, needed


def examine(folder: Path, home: Home) -> Iterator[Check]:
    """Look at every secret, what surrounds it and what a run from `folder` would need. No value is shown."""
    yield Check("kept in", good=True, found=place_of(home.root))
    try:
        kept = {each.entry.name: each for each in secrets.kept(home)}
    except CidError as error:
        yield Check("kept in", good=False, found=error.message, mend=error.hint, needed=True)
        return
    for name in NAMES:
        yield from _value(name, kept.get(name), home)
    yield from _project(folder, set(kept))
    yield from _surroundings(folder)
    yield from _vault(home)


def _value(name: str, kept: "secrets.Kept | None", home: Home) -> Iterator[Check]:
    if kept is None:
        yield Check(name, good=True, found=f"not set; it is for {secrets.PURPOSE[name]}")
        return
    entry = kept.entry
    found = f"{entry.length} characters, {entry.days} days old, in the {entry.place}"
    yield Check(name, not kept.nag, found, kept.nag)
    if name == GDRIVE:
        value = Keychain(home).get(GDRIVE)
        document = google.examine(value)
        mend = f"cid secrets set {GDRIVE} --from-dvc" if document.faults else ""
        yield Check(
            "  google", not document.faults, "; ".join([document.kind, *document.faults, *document.notes]), mend
        )
        lasting = google.lasts(value)
        yield Check(
            "  access token",
            lasting.good,
            lasting.words,
            "" if lasting.good else f"cid secrets set {GDRIVE} --from-dvc",
        )


def _project(folder: Path, here: set[str]) -> Iterator[Check]:
    """What the default experiment of the project in this folder asks for."""
    from containerid import config

    with suppress(CidError):
        project = config.load(config.find(folder))
        params = project.params(None)
        online = params.wandb.mode == "online"
        pushes = project.versioning.pushes(gates=bool(params.gates))
        drive = (params.data.provider in {"auto", "dvc"} or pushes) and dvc.on_drive(project.folder)
        wanted = needed(online=online, drive=drive, pushes=pushes)
        found = ", ".join(wanted) or "none: code rides along, data is attached, W&B records offline"
        missing = [name for name in wanted if name not in here]
        yield Check("needed here", not missing, found, "; ".join(f"cid secrets set {name}" for name in missing))


def _surroundings(folder: Path) -> Iterator[Check]:
    """Files that DVC and people leave readable for everybody, or in git."""
    for path in sorted((Path.home() / ".cache/pydrive2fs").glob("*/*.json")):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Check("dvc cache", good=False, found=f"{path} can be read by others", mend=f"chmod 600 {path}")
    tracked = folder / ".dvc" / "config"
    with suppress(OSError):
        if "gdrive_client_secret" in tracked.read_text(encoding="utf-8"):
            mend = "dvc remote modify --local NAME gdrive_client_secret …, and take the line out of .dvc/config"
            yield Check("dvc config", good=False, found=".dvc/config, which git holds, has a client secret", mend=mend)


def _vault(home: Home) -> Iterator[Check]:
    try:
        dataset, fault = secrets.vault(home=home)
    except CidError as error:
        yield Check("vault", good=True, found=f"could not be looked at: {error.message}")
        return
    found = f"{dataset} (private)" + (f": {fault}" if fault else "") if dataset else "none yet: made when first needed"
    yield Check("vault", not fault, found, "cid secrets push" if fault else "")
