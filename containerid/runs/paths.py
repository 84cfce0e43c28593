"""Names that come from elsewhere, confined to a folder of ours."""

import re
import unicodedata
from pathlib import Path, PurePosixPath

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def confine(name: str, folder: Path) -> Path | None:
    """Where an output of this name may be written; None when the name is not safe.

    Refused are absolute names, `..`, drive letters, backslashes, control characters, names that systems reserve,
    `.git`, parts over 255 bytes, and ways that lead through a symbolic link.
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
        or part.casefold() == ".git"
        or len(part.encode("utf-8", errors="replace")) > 255
        or _RESERVED.fullmatch(part)
        or any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} for letter in part)
    )
