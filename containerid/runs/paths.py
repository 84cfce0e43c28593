"""Names that come from elsewhere, confined to a folder of ours."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from containerid.job import Output

PARTS_FOLDER = ".cid-parts"
"""Where files lie while they arrive, inside the folder that they are for: a rename does the rest."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|\.git|git~\d+|\.cid-parts", re.IGNORECASE)


def log_names(name: str) -> tuple[str, str]:
    """Under which names a log is kept beside the outputs: as text, and as JSON lines."""
    return f"{name}.log", f"{name}.log.jsonl"


def confine(name: str, folder: Path) -> Path | None:
    """Where an output of this name may be written; None when the name is not safe.

    Refused are absolute names, `..`, drive letters, backslashes, control characters, names that systems reserve or that
    look like options, `.git`, parts over 255 bytes, and ways that lead through a symbolic link.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or not all(_safe(part) for part in parts):
        return None
    path = folder.joinpath(*parts)
    between = [path, *path.parents][: len(parts)]
    return None if any(each.is_symlink() for each in between) else path


def _safe(part: str) -> bool:
    return not (
        part in {"", ".", ".."}
        or "\\" in part
        or ":" in part
        or part.startswith("-")
        or part.endswith((" ", "."))
        or len(part.encode("utf-8", errors="replace")) > 255
        or _RESERVED.fullmatch(part)
        or any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} for letter in part)
    )


def _same(name: str) -> str:
    """What two names share that are one file on some file system."""
    return unicodedata.normalize("NFC", "/".join(PurePosixPath(name).parts)).casefold()


def sort(outputs: Iterable[Output], folder: Path, taken: Iterable[str]) -> tuple[list[Output], list[str]]:
    """Outputs that may be written, one a file, and the names that may not.

    Args:
        outputs: as the platform lists them; of two that would be one file the first is kept.
        folder: where they would be written.
        taken: names that something else is written under, such as the log's.
    """
    seen = {_same(name) for name in taken}
    safe, unsafe = [], []
    for output in outputs:
        if confine(output.name, folder) is None or _same(output.name) in seen:
            unsafe.append(output.name)
        else:
            seen.add(_same(output.name))
            safe.append(output)
    return safe, unsafe


@dataclass(frozen=True, slots=True)
class Wish:
    """Which outputs are asked for, by globs: `*.pt`, `weights/*`, or a folder's name. All of them by default.

    Attributes:
        include: what is asked for; nothing named is everything.
        exclude: what is left out all the same.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return not self.include and not self.exclude

    def covers(self, name: str) -> bool:
        """The output of this name is asked for."""
        wanted = not self.include or any(_fits(name, glob) for glob in self.include)
        return wanted and not any(_fits(name, glob) for glob in self.exclude)


def _fits(name: str, glob: str) -> bool:
    last = PurePosixPath(name).name
    return fnmatchcase(name, glob) or fnmatchcase(last, glob) or name.startswith(glob.rstrip("/") + "/")
