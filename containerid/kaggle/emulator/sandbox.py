"""The folder that a kernel finds itself in, shaped like Kaggle's: /kaggle/working, /kaggle/input, /kaggle/src, scratch.

Where Linux allows, the kernel gets a root folder of its own (see `jail`) in which these are the real paths and nothing
of the machine's user is there. Elsewhere it runs in place, and CID_KAGGLE_ROOT says where /kaggle lies.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.kaggle.emulator import jail, layer
from containerid.kaggle.emulator.store import write

_SYSTEM = ("bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "nix", "opt", "proc", "sbin", "sys", "usr")
_LIVING = ("dev", "proc", "sys")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches the network at all: without these a kernel with internet could not install a package.
_NETWORK = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a session runs, as the server wrote it down for its keeper.

    Attributes:
        source: the pushed text; `kind` is `script` or `notebook`.
        interpreter: see `layer.Interpreter`.
        isolate: use a root folder of its own where the machine allows.
        internet: the kernel may reach the network.
        inputs: pairs of a folder and the name it gets below /kaggle/input.
        environment: Kaggle's variables.
        token: what the kernel may call the API with; empty for none.
        limit: seconds the session may take.
        output: bytes that /kaggle/working may hold.
    """

    source: str
    kind: str
    interpreter: dict[str, Any]
    isolate: bool
    internet: bool
    inputs: list[list[str]]
    environment: dict[str, str]
    token: str
    limit: float
    output: int


class Sandbox:
    """One session's folder tree.

    Args:
        folder: the session's own; everything made lies below it.
        order: what to run.
    """

    def __init__(self, folder: Path, order: Order) -> None:
        self._folder = folder
        self._order = order
        self._interpreter = layer.Interpreter(**order.interpreter)
        self._root = folder / "root"
        self._isolated = False
        self.working = self._root / "working"

    def build(self) -> None:
        """Make the folders, the source and the kernel's Python."""
        for name in ("root/working", "root/input", "root/src", "root/tmp/home", "top", "env"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for _, name in self._order.inputs:
            (self._root / "input" / name).mkdir(parents=True, exist_ok=True)
        script = self._root / "src/script.py"
        script.write_text(_as_script(self._order), encoding="utf-8")
        script.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        (self._root / "token").write_text(self._order.token, encoding="utf-8")
        write(self._folder / "jail.json", self._jail_order())
        self._isolated = self._order.isolate and sys.platform == "linux" and _allowed(self._jail_order())
        sites = self._sites()
        layer.make(self._folder / "env", self._interpreter, sites.values() if self._isolated else sites)
        if not self._isolated:
            self._place_inputs()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the kernel in a process group of its own, its output in pipes."""
        if self._isolated:
            return _start([sys.executable, "-IS", jail.__file__, str(self._folder / "jail.json")], self._folder, {})
        environment = self._environment(self._root, self._folder / "env", self._root / "tmp")
        command = [str(self._folder / "env/bin/python"), str(self._root / "src/script.py")]
        return _start(command, self.working, environment)

    def _jail_order(self) -> dict[str, Any]:
        return {
            "top": str(self._folder / "top"),
            "binds": [*_system_binds(), *self._python_binds(), *self._kaggle_binds()],
            "links": [[str(entry.readlink()), str(entry)] for entry in _system() if entry.is_symlink()],
            "network": self._order.internet,
            "folder": "/kaggle/working",
            "command": ["/env/bin/python", "/kaggle/src/script.py"],
            "environment": self._environment(Path("/kaggle"), Path("/env"), Path("/tmp")),  # noqa: S108
        }

    def _sites(self) -> dict[str, str]:
        """The folders of packages, and where the kernel finds them in a root folder of its own."""
        return {site: f"/image/{number}/{Path(site).name}" for number, site in enumerate(self._interpreter.sites)}

    def _python_binds(self) -> list[tuple[str, str, bool]]:
        prefixes = [each for each in self._interpreter.prefixes if Path(each).parts[1] not in _SYSTEM]
        sites = self._sites().items()
        return [*((each, each, False) for each in prefixes), *((site, seen, False) for site, seen in sites)]

    def _kaggle_binds(self) -> list[tuple[str, str, bool]]:
        return [
            (str(self._root), "/kaggle", True),
            (str(self._root / "src"), "/kaggle/src", False),
            (str(self._root / "input"), "/kaggle/input", False),
            *((source, f"/kaggle/input/{name}", False) for source, name in self._order.inputs),
            (str(self._root / "tmp"), "/tmp", True),  # noqa: S108
            (str(self._folder / "env"), "/env", True),
        ]

    def _environment(self, root: Path, env: Path, scratch: Path) -> dict[str, str]:
        network = {name: os.environ[name] for name in _NETWORK if self._order.internet and name in os.environ}
        return {
            **network,
            "PATH": f"{env / 'bin'}:{_PATH}",
            "HOME": str(scratch / "home"),
            "TMPDIR": str(scratch),
            "PWD": str(root / "working"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "KAGGLE_API_V1_TOKEN": str(root / "token"),
            **self._order.environment,
            "CID_KAGGLE_ROOT": str(root),
            "CID_REHEARSAL": "1",
        }

    def _place_inputs(self) -> None:
        for source, name in self._order.inputs:
            target = self._root / "input" / name
            shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)
            for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
                folder.chmod(stat.S_IRUSR | stat.S_IXUSR)

    def sweep(self) -> None:
        """Remove all but the outputs and the log, as a session's end does on Kaggle."""
        for name in ("env", "top", "root/tmp", "root/src", "root/input"):
            remove(self._folder / name)
        for name in ("jail.json", "order.json", "root/token"):
            (self._folder / name).unlink(missing_ok=True)


def _system() -> list[Path]:
    return [Path("/") / name for name in _SYSTEM if (Path("/") / name).exists()]


def _system_binds() -> list[tuple[str, str, bool]]:
    found = [(str(each), str(each), each.name in _LIVING) for each in _system() if not each.is_symlink()]
    resolver = Path("/etc/resolv.conf").resolve()
    outside = resolver.is_file() and resolver.parts[1] not in _SYSTEM
    return [*found, (str(resolver), str(resolver), False)] if outside else found


def _allowed(order: dict[str, Any]) -> bool:
    """Try it in a child: whether namespaces are open depends on settings that no file tells reliably."""
    child = os.fork()
    if not child:
        code = 1
        try:
            jail.enter(order)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _start(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _as_script(order: Order) -> str:
    if order.kind != "notebook":
        return order.source
    cells = [cell for cell in json.loads(order.source).get("cells", []) if cell.get("cell_type") == "code"]
    return "\n\n".join("".join(cell.get("source", "")) for cell in cells) + "\n"


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def remove(folder: Path) -> None:
    """Remove a folder, also where its parts are read-only."""
    if not folder.exists():
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)
