"""Gives one process a root folder of its own, then becomes the kernel's Python: run as `python -IS jail.py ORDER`.

Linux only, as root or in a user namespace of its own. The order is a JSON file with `top` (an empty folder for the new
root), `binds` (`[from, to, writable]`), `links` (`[target, path]`), `network` (false takes it away), `folder`,
`command` and `environment`. Nothing of the machine is there but what is bound. Standard library only.

This keeps an honest kernel from reaching what it would not find on Kaggle. It is no security boundary.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
_DEATH_SIGNAL = 1
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
_LOCKED = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC  # the kernel refuses a remount that would drop one of these


def enter(order: dict[str, Any]) -> None:
    """Move this process into the folder tree that the order describes.

    Raises:
        OSError: the machine does not allow it.
    """
    _unshare(network=order["network"])
    top = Path(order["top"])
    _mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)
    _mount("tmpfs", top, "tmpfs", 0)
    for source, target, writable in order["binds"]:
        _bind(Path(source), top / target.lstrip("/"), writable=writable)
    for target, path in order["links"]:
        (top / path.lstrip("/")).symlink_to(target)
    os.chroot(top)


def _unshare(*, network: bool) -> None:
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_MOUNTS | (0 if network else _NEW_NETWORK) | (_NEW_USER if user else 0)
    _check(ctypes.CDLL(None, use_errno=True).unshare(flags), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    if not network:
        _raise_loopback()


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP_AND_RUNNING))


def _bind(source: Path, target: Path, *, writable: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(str(source), target, "", _BIND | _RECURSIVE)
    if not writable:
        kept = os.statvfs(target).f_flag & _LOCKED
        _mount("none", target, "", _BIND | _REMOUNT | _READ_ONLY | kept)


def _mount(source: str, target: Path, kind: str, flags: int) -> None:
    mount = ctypes.CDLL(None, use_errno=True).mount
    arguments = (source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None)
    _check(mount(*arguments), f"mount {target}")


def _check(answer: int, what: str) -> None:
    if answer:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main(order_file: str) -> None:
    """Enter the jail and become the command; does not return."""
    order = json.loads(Path(order_file).read_text(encoding="utf-8"))
    enter(order)
    # The kernel does not outlive its keeper. Set last: the system forgets it when a process gains capabilities.
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    os.chdir(order["folder"])
    os.execve(order["command"][0], order["command"], order["environment"])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
