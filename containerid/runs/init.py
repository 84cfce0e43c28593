"""`cid init`: a params.yaml that works, and the ignore lines without which a first run goes wrong."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from containerid.errors import CidError
from containerid.events import Step
from containerid.home import require_writable
from containerid.job import Tell

_IGNORES = {".gitignore": "gitignore", ".dvcignore": "dvcignore"}


def init(folder: Path, tell: Tell) -> list[Path]:
    """Set up a project folder. Nothing is asked and nothing overwritten; a second call changes nothing.

    Args:
        folder: where params.yaml will lie; must exist.
        tell: gets a step for every file that was written or completed.

    Returns:
        Those files, in that order.

    Raises:
        CidError: the folder cannot be written to.
    """
    require_writable(folder)
    try:
        return list(_written(folder, tell))
    except OSError as error:
        raise CidError(f"{error.filename or folder}: {(error.strerror or str(error)).lower()}") from error


def _written(folder: Path, tell: Tell) -> Iterator[Path]:
    params = folder / "params.yaml"
    if not params.exists():
        with params.open("xb") as file:
            file.write(_template("params.yaml"))
        tell(Step("wrote", params.name))
        yield params
    for name, template in _IGNORES.items():
        if missing := _complete(folder / name, _template(template)):
            tell(Step("wrote", f"{name}: {', '.join(missing)}"))
            yield folder / name


def _template(name: str) -> bytes:
    return files("containerid").joinpath("templates", name).read_bytes()


def _complete(path: Path, template: bytes) -> list[str]:
    """Append the template's patterns that the file lacks, each below its comment; the patterns that were added."""
    present = path.read_bytes() if path.exists() else b""
    known = {_plain(line) for line in present.splitlines()}
    block, added = [], []
    for line in template.splitlines():
        if line.startswith(b"#"):
            block.append(line)
        elif _plain(line) not in known:
            block.append(line)
            added.append(line.decode())
    if added:
        between = b"" if not present else b"\n" if present.endswith(b"\n") else b"\n\n"
        path.write_bytes(present + between + b"\n".join(_without_idle_comments(block)) + b"\n")
    return added


def _plain(line: bytes) -> bytes:
    return line.strip().strip(b"/")


def _without_idle_comments(block: list[bytes]) -> list[bytes]:
    following = [*block[1:], b"#"]
    return [line for line, after in zip(block, following, strict=True) if line[:1] != b"#" or after[:1] != b"#"]
