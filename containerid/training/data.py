"""Getting the images to where the training is: from a folder, an attached Kaggle dataset, DVC, or drawn on the spot."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from containerid.dataset import classes
from containerid.dataset.sets import YAML, find_yaml
from containerid.errors import RunFailed, UsageError
from containerid.job import Data
from containerid.training import ahead, dvc
from containerid.training.log import say

_CACHES = (".cache", ".npy")
_PARTS = frozenset({"images", "labels"})
NOTE_FILE = "cid-data.json"
"""Lies beside a set that cid has sent: its digest, and the hash that DVC has for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where data may come from.

    Attributes:
        project: the project's folder; relative sources start there.
        mounts: where Kaggle attaches datasets.
        scratch: a folder that goes away with the run.
        timeout: seconds that a pull may take.
        ahead: where a pull was begun ahead; None when none was.
    """

    project: Path
    mounts: Path
    scratch: Path
    timeout: float = ahead.TIMEOUT
    ahead: Path | None = None


def provide(data: Data, place: Place) -> Path:
    """Bring the data here.

    Returns:
        The folder that holds data.yaml, or what an own trainer makes of the source.

    Raises:
        RunFailed: it is not there, or cannot be brought; the message says what would mend it.
        CredentialsError: a DVC remote needs credentials that are not there.
    """
    provider = _PROVIDERS.get(data.provider)
    if provider is None:
        raise RunFailed(f"no data provider is called {data.provider}", hint=f"one of: {', '.join(_PROVIDERS)}")
    return provider(data, place)


def verify(folder: Path, expected: str) -> str:
    """The folder's digest.

    Raises:
        RunFailed: another one was expected: this is not the data that the run was submitted with.
    """
    found = digest(folder)
    if expected and found != expected:
        raise RunFailed(
            f"the data in {folder.name} is not what was submitted (SHA-256 {found[:12]}…, not {expected[:12]}…)",
            hint="submit again with the data as it is now",
        )
    return found


def digest(folder: Path) -> str:
    """SHA-256, hex, over the content of a set: data.yaml and what lies in folders named images or labels.

    All files of a classification set. Relative POSIX paths, sorted, each with the SHA-256 of its content; caches of
    trainers do not count, so that a set keeps its digest when it is trained on.

    Raises:
        UsageError: a file cannot be read.
    """
    total = hashlib.sha256()
    for name in sorted(_content(folder)):
        try:
            with (folder / name).open("rb") as file:
                total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        except OSError as error:
            what = "is a link to nowhere" if (folder / name).is_symlink() else f"cannot be read ({error.strerror})"
            raise UsageError(f"{folder / name} {what}", hint=f"cid data check {folder}") from error
    return total.hexdigest()


def _content(folder: Path) -> Iterator[str]:
    classified = classes.is_set(folder)
    for at, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(at).relative_to(folder)
        for name in files:
            wanted = (
                (classified and name != NOTE_FILE)
                or not _PARTS.isdisjoint(inside.parts)
                or (name == YAML and inside == Path())
            )
            if wanted and not name.startswith(".") and not name.endswith(_CACHES):
                yield (inside / name).as_posix()


def _folder(data: Data, place: Place) -> Path:
    source = (place.project / data.source).expanduser()
    folder = source.parent if source.name == YAML else source
    if not folder.is_dir():
        raise RunFailed(
            f"the data folder {data.source} is not there", hint="data.path in params.yaml, or --data FOLDER"
        )
    return folder.resolve()


def _kaggle(data: Data, place: Place) -> Path:
    owner, _, slug = data.source.partition("/")
    slug = slug.partition("/")[0]
    candidates = (place.mounts / "datasets" / owner / slug, place.mounts / slug)
    folder = next((each for each in candidates if each.is_dir()), None)
    if folder is None:
        attached = ", ".join(_attached(place.mounts)) or "none"
        raise RunFailed(
            f"the Kaggle dataset {data.source} is not attached (attached: {attached})",
            hint="check its name, and that your account may read it",
        )
    # An archive that Kaggle unpacked often holds one folder more.
    file = find_yaml(folder)
    found = file.parent if file else folder
    if recorded := data.options.get("dvc"):
        _check_note(folder / NOTE_FILE, found, str(recorded), data.source)
    return found


def _check_note(note: Path, folder: Path, recorded: str, source: str) -> None:
    """The dataset is the one that was made from what DVC has recorded under this hash, and is whole."""
    try:
        document = json.loads(note.read_text(encoding="utf-8"))
        named, sha256 = str(document["dvc"]), str(document["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFailed(f"{source} does not say which data it holds", hint="cid data push") from error
    if named != recorded:
        raise RunFailed(f"{source} holds DVC's {named[:12]}…, not {recorded[:12]}…", hint="cid data push")
    verify(folder, sha256)
    say(f"{source} is what DVC calls {recorded}")


def _attached(mounts: Path) -> list[str]:
    found = [*mounts.glob("datasets/*/*"), *mounts.glob("*")]
    return sorted(each.relative_to(mounts).as_posix() for each in found if each.is_dir() and each.name != "datasets")


def _dvc(data: Data, place: Place) -> Path:
    target, pull = data.source, ahead.Pull()
    if place.ahead:
        pull = ahead.wait(place.ahead, lambda: say(f"dvc pull {target} has begun with the session, and goes on"))
    if pull.late:
        raise RunFailed(pull.late)
    if not pull.done:
        return dvc.pull(target, place.project, place.scratch, place.timeout)
    say(f"dvc: {target} was pulled beside the other phases, in {pull.seconds:.1f} s")
    return dvc.folder_of(target, place.project)


def _synthetic(data: Data, place: Place) -> Path:
    from containerid.training import synthetic

    images, imgsz, seed = (int(data.options.get(name, usual)) for name, usual in _DRAWN.items())
    folder = place.scratch / "synthetic"
    say(f"drawing {images} images of {imgsz} px (seed {seed})")
    synthetic.draw(folder, images, imgsz, seed)
    return folder


_DRAWN = {"images": 24, "imgsz": 96, "seed": 0}
_PROVIDERS: dict[str, Callable[[Data, Place], Path]] = {
    "folder": _folder,
    "kaggle": _kaggle,
    "dvc": _dvc,
    "synthetic": _synthetic,
}
