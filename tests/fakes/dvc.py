"""A DVC that keeps models as the real one does, in a fiftieth of its time: `add` and `push`, for small files."""

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

_POINTER = "outs:\n- md5: {}\n  size: {}\n  hash: md5\n  path: {}\n"


def program(folder: Path) -> Path:
    """An executable that is this fake, for `CID_DVC`."""
    path = folder / "dvc"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def _cached(cache: Path, md5: str) -> Path:
    return cache / "files/md5" / md5[:2] / md5[2:]


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)


def main() -> int:
    settings = next(each / ".dvc" for each in (Path.cwd(), *Path.cwd().parents) if (each / ".dvc").is_dir())
    command, *names = sys.argv[1:]
    if command == os.environ.get("FAKE_DVC_FAILS"):
        sys.stdout.write(f"file1\nfile2\nERROR: {command}: no such bucket\n")
        return 1
    for name in names if command == "add" else ():
        md5 = hashlib.md5(Path(name).read_bytes()).hexdigest()
        _copy(Path(name), _cached(settings / "cache", md5))
        Path(f"{name}.dvc").write_text(_POINTER.format(md5, Path(name).stat().st_size, name))
    for name in names if command == "push" else ():
        md5 = re.search(r"md5: (\w+)", Path(name).read_text())[1]
        url = re.search(r"url = (.*)", (settings / "config").read_text())[1]
        _copy(_cached(settings / "cache", md5), _cached(settings / url, md5))
    return 0


if __name__ == "__main__":
    sys.exit(main())
