"""What DVC knows about a folder: the hash in its `.dvc` file or in dvc.lock, and whether the folder still is that.

DVC is not imported: the files are YAML, and a folder's hash is the MD5 of a list of its files, as JSON, with the MD5 of
each (dvc 3, `.dir` objects).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_DIR = ".dir"


def hash_of(folder: Path, project: Path) -> str:
    """The hash that DVC has recorded for a folder, 32 hex digits; empty when it is not tracked.

    Args:
        folder: absolute; it need not exist, as after a clone without `dvc pull`.
        project: where dvc.lock lies.
    """
    folder = folder.absolute()
    for out, base in (*_of_file(folder.with_name(f"{folder.name}.dvc")), *_of_lock(project.absolute() / "dvc.lock")):
        if (base / str(out.get("path", ""))).resolve() == folder.resolve():
            return str(out.get("md5", "")).removesuffix(_DIR)
    return ""


def _of_file(path: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    document = _read(path)
    for out in document.get("outs") or ():
        yield out, path.parent / str(document.get("wdir", "."))


def _of_lock(path: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    for stage in (_read(path).get("stages") or {}).values():
        for out in (stage or {}).get("outs") or ():
            yield out, path.parent


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def is_as_recorded(folder: Path, names: Iterable[str], recorded: str) -> bool:
    """Whether a folder is what DVC has recorded.

    Args:
        folder: the folder.
        names: its files that count, relative, POSIX; a trainer's caches, which DVC would ignore, are not among them.
        recorded: DVC's hash.
    """
    rows = [{"md5": md5_of(folder / name), "relpath": name} for name in names]
    rows.sort(key=lambda row: row["relpath"])
    return hashlib.md5(json.dumps(rows, sort_keys=True).encode(), usedforsecurity=False).hexdigest() == recorded


def md5_of(path: Path) -> str:
    """The MD5 of a file, hex, as DVC 3 computes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
