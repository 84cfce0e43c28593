"""What a leg has installed, packed for the next one: wheels, made again of what lies here, in one file."""

import csv
import hashlib
import importlib.metadata
import io
import math
import os
import re
import shutil
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.journal import BEGAN, one_line, say
from containerid.kaggle.bootstrap.requirements import canonical, installed

PACKED = "cid-packages-{}.tar"
"""Its name holds its own SHA-256, since the manifest is written before it."""

_WHEEL = re.compile(r"[\w.]+-[\w.+!]+-[\w.]+-[\w.]+-[\w.]+\.whl", re.ASCII)
_MOST, _OUTPUTS = 2 * 10**9, 19 * 10**9
"""Bytes of packages that are worth carrying, and of all outputs with them: a kernel may leave 20 GB."""

_PACE = 10e6
"""Bytes a second that are packed at least: on two busy cores it was 23 million."""

_REST, _SHARE_LEFT = 2.5, 0.005
"""Seconds, and the part of a session, that stay when all is packed: half of what the training has left."""

_OF_INSTALLER = frozenset({"RECORD", "RECORD.jws", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


def time_to_pack(spec: Mapping[str, Any]) -> float:
    """Until when, by the monotonic clock, packages may be packed in this session; infinite without a limit."""
    budget = float(spec.get("budget") or 0)
    return BEGAN + budget * (1 - _SHARE_LEFT) - _REST if budget else math.inf


def leave_wheels(names: Iterable[str], out: Path, folder: Path, until: float) -> None:
    """Pack what is installed under these names into one file among the outputs, and say so; or why not.

    Args:
        names: canonical.
        out: the outputs.
        folder: where wheels are made; those that lie there already are taken as they are.
        until: when it must be done, by the monotonic clock.
    """
    found = [each for name in sorted(names) if (each := installed(name))]
    size = sum(map(_size, found))
    begun, part = time.monotonic(), out / ".cid-packages.part"
    if why := _why_not(size, out, until - begun):
        say(f"the packages are not left for the next leg: {why} ({size / 1e6:.0f} MB)")
        return
    try:
        folder.mkdir(exist_ok=True)
        wheels = [wheel for each in found if (wheel := _wheel(each, folder))]
        with tarfile.open(part, "w") as packed:
            for wheel in wheels:
                packed.add(wheel, wheel.name)
        part.replace(out / PACKED.format(_digest(part)))
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        part.unlink(missing_ok=True)
        say(f"warning: the packages are not left for the next leg: {one_line(error)}")
    else:
        say(f"left for the next leg: {len(wheels)} packages, in {time.monotonic() - begun:.1f} s")


def _why_not(size: int, out: Path, seconds: float) -> str:
    """What speaks against packing so many bytes in so many seconds; empty when nothing does."""
    if size > _MOST:
        return "they are too large"
    if size / _PACE > seconds:
        return "there is no time"
    held = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return "the outputs are too large with them" if held + size > _OUTPUTS else ""


def take_wheels(past: Path | None, folder: Path, pins: Mapping[str, str]) -> dict[str, str]:
    """Unpack what the leg before has left into `folder`; name to version. Empty where nothing is left, or it is odd.

    Args:
        past: where its outputs are attached.
        folder: does not exist yet.
        pins: name to requirement of what the legs before have installed: nothing else is taken.
    """
    found = sorted(past.glob(PACKED.format("*"))) if past else []
    if not found or not pins:
        return {}
    try:
        _unpack(found[0], folder)
        versions = dict(_name_of(each) for each in folder.iterdir())
        for name, version in versions.items():
            if not (pins.get(name, "") == f"{name}=={version}" or pins.get(name, "").startswith(f"{name} @ ")):
                raise ValueError(f"{name} {version} is not what this run has installed")
    except (OSError, ValueError, tarfile.TarError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"warning: the packages that the leg before has left are not used: {one_line(error)}")
        return {}
    return versions


def _unpack(packed: Path, folder: Path) -> None:
    """Wheels alone, side by side; the filter lets none land elsewhere."""
    if packed.name != PACKED.format(_digest(packed)):
        raise ValueError("the file was changed on the way")
    with tarfile.open(packed) as archive:
        for member in archive:
            if not (member.isreg() and _WHEEL.fullmatch(member.name)):
                raise ValueError(f"it holds {member.name!r}, which is no wheel")
        archive.extractall(folder, filter="data")


def _name_of(wheel: Path) -> tuple[str, str]:
    name, version = wheel.name.split("-")[:2]
    return canonical(name), version


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(found: importlib.metadata.Distribution) -> list[list[str]]:
    return [row for row in csv.reader((found.read_text("RECORD") or "").splitlines()) if len(row) == 3]


def _size(found: importlib.metadata.Distribution) -> int:
    return sum(int(size) for _, _, size in _rows(found) if size.isdigit())


def _wheel(found: importlib.metadata.Distribution, folder: Path) -> Path | None:
    """The wheel that this was installed from, as far as it can be made of what lies here; None where it cannot."""
    rows = _rows(found)
    info = next((path.partition("/")[0] for path, _, _ in rows if path.endswith(".dist-info/METADATA")), "")
    tags = [line[5:] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: ")]
    if not info or not tags:
        return None
    name = canonical(found.metadata["Name"]).replace("-", "_")
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    tag = "-".join(".".join(dict.fromkeys(part)) for part in parts)
    path = folder / f"{name}-{found.version}-{tag}.whl"
    if path.exists():
        return path
    part, record = path.with_suffix(".part"), io.StringIO()
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
        for source, place, digest, size in _content(found, rows, info.removesuffix(".dist-info")):
            archive.write(source, place)
            csv.writer(record, lineterminator="\n").writerow([place, digest, size])
        archive.writestr(f"{info}/RECORD", f"{record.getvalue()}{info}/RECORD,,\n")
    part.replace(path)
    return path


def _content(
    found: importlib.metadata.Distribution, rows: Iterable[list[str]], stem: str
) -> Iterator[tuple[str, str, str, str]]:
    """File, place inside the wheel, hash and size. What the installer writes by itself is left out."""
    scripts = {each.name for each in found.entry_points if each.group in {"console_scripts", "gui_scripts"}}
    for path, digest, size in rows:
        source = os.path.normpath(str(found.locate_file(path)))
        name = Path(path).name
        own = path.startswith(f"{stem}.dist-info/") and name in _OF_INSTALLER
        if own or "__pycache__" in Path(path).parts:
            continue
        if not path.startswith("..") and not Path(path).is_absolute():
            yield source, path, digest, size
        elif name not in scripts and Path(source).is_relative_to(sys.prefix):
            yield source, f"{stem}.data/data/{Path(source).relative_to(sys.prefix).as_posix()}", digest, size
