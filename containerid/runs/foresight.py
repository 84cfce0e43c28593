"""What is known to fail before a run is begun, without asking anybody: on Kaggle it would cost a session."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.backends import entry
from containerid.errors import UsageError
from containerid.home import require_writable
from containerid.job import Code
from containerid.text import duration

if TYPE_CHECKING:
    from containerid.git import Repository
    from containerid.runs.draft import Draft

_ATTACHED = ("dataset_sources", "kernel_sources", "model_sources", "competition_sources")
_PATIENCE = 10
_OTHER_GPUS = ("/dev/kfd", "/dev/dxg", "/dev/nvidia0", "/dev/nvhost-gpu")
"""Of AMD, of Windows below WSL, and NVIDIA's where its tool is missing: how many there are, nobody tells."""


def check(draft: "Draft") -> None:
    """Refuse what cannot work.

    Raises:
        CidError: this machine's disk does not take the outputs.
        UsageError: the session is too long, there is no such GPU on this machine, or a file that the parameters name
            is not there.
    """
    require_writable(draft.folder / "runs")
    _length(draft)
    if draft.request.backend == "local":
        _device(draft)
    for name, place, why in files(draft):
        if place is None:
            raise UsageError(f"{name} is not there: {why}", hint=_mend(why))


def cautions(draft: "Draft") -> Iterator[str]:
    """What may be meant all the same, one line each."""
    from containerid.config import ENTRY

    if draft.params.training.entry != ENTRY or getattr(draft.params.training, "amp", None) != "bf16":
        return
    spec, shape = draft.spec(Code()), str(draft.settings.get("accelerator", ""))
    lacking = "a CPU" if spec.device == "cpu" or (draft.request.backend == "local" and gpus() == 0) else ""
    lacking = "the T4" if not lacking and spec.gpu and shape.lower().startswith("nvidiateslat4") else lacking
    if lacking:
        yield f"training.amp `bf16` needs what {lacking} does not have (compute capability 8); `fp16` or true is usual"


def shipped(draft: "Draft", repository: "Repository", tree: str) -> None:
    """Refuse a run elsewhere whose tree lacks a file that its parameters name. Raises UsageError."""
    root = Path(repository.root).resolve()
    for name, place, why in files(draft):
        if place is None or not place.is_relative_to(root):
            raise UsageError(f"{name} lies outside the repository, and would not arrive: {why}", hint=_mend(why))
        inside = place.relative_to(root).as_posix()
        if repository.read(tree, inside) is None:
            message = f"{name} is ignored by git, and would not arrive: {why}"
            raise UsageError(message, hint=f"git add -f {inside}, or --dataset-source owner/slug of one that holds it")


def _mend(why: str) -> str:
    return (
        "--set training.entry=MODULE of the project" if "entry" in why else f"--set {why}=PATH of a file that is here"
    )


def files(draft: "Draft") -> "Iterator[tuple[str, Path | None, str]]":
    """What the parameters name: the name, where it lies (None: nowhere), and the key."""
    from containerid.config import ENTRY

    module, model = draft.params.training.entry, draft.params.model
    if module != ENTRY:
        if (place := _module(module, draft.folder)) or not _installed(module):
            yield f"the module {module}", place, "training.entry"
        return
    attached = draft.data.provider == "kaggle" or any(draft.settings.get(name) for name in _ATTACHED)
    for key, name in (("model.pretrained", model.pretrained), ("model.architecture", model.architecture)):
        own = isinstance(name, str) and (key == "model.pretrained" or _is_own(name))
        if own and not attached:
            yield str(name), _weights(str(name), draft), key


def _is_own(architecture: str) -> bool:
    """Not a name that Ultralytics, or timm, has: those are built or downloaded."""
    from containerid.config import architectures
    from containerid.config.trainers import is_timm

    stem, _, _ = architecture.partition(".")
    known = architectures.WEIGHTS | architectures.BUILDABLE | architectures.installed()
    return architectures.is_file(architecture) and not is_timm(architecture) and stem not in known


def _weights(name: str, draft: "Draft") -> Path | None:
    from containerid.training.prefetch import weights_folder

    places = [draft.folder / name, draft.folder / "weights" / name]
    places += [weights_folder() / Path(name).name] if draft.request.backend == "local" else []
    return next((each.resolve() for each in places if each.is_file()), None)


def _module(name: str, folder: Path) -> Path | None:
    path = Path(*name.split("."))
    places = (folder / base / path for base in (".", "src"))
    tails = ((each.with_name(f"{each.name}.py"), each / "__main__.py", each / "__init__.py") for each in places)
    return next((each.resolve() for tail in tails for each in tail if each.is_file()), None)


def _installed(name: str) -> bool:
    """By its first part: to look for more of it would import it."""
    return importlib.util.find_spec(name.partition(".")[0]) is not None


def _length(draft: "Draft") -> None:
    asked, most = draft.settings.get("session_limit"), entry(draft.request.backend).limit
    if asked and most and asked > most:
        message = f"a session of {duration(asked)} is longer than the {most / 3600:g} hours that Kaggle gives"
        raise UsageError(message, hint="--session-limit 11h; --until-done goes on in further sessions")


def _device(draft: "Draft") -> None:
    from containerid.training.hardware import wanted

    device, numbers = wanted(draft.spec(Code()))
    hint = "--device cpu, or --kaggle"
    if device == "mps" and sys.platform != "darwin":
        raise UsageError("an Apple GPU was asked for, and this is no Mac", hint=hint)
    if device != "cuda" or (count := gpus()) is None:
        return
    if not count:
        raise UsageError("a GPU was asked for, and this machine has none", hint=hint)
    if beyond := [number for number in numbers or () if number >= count]:
        message = f"GPU {beyond[0]} was asked for, and this machine has {count}; they count from 0"
        raise UsageError(message, hint="--set training.device=0")


def gpus(environ: Mapping[str, str] = os.environ) -> int | None:
    """How many GPUs of NVIDIA this machine shows, without importing PyTorch; None where only PyTorch can tell."""
    if "CUDA_VISIBLE_DEVICES" in environ:
        return None
    if tool := shutil.which("nvidia-smi", path=environ.get("PATH")):
        try:
            done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    return None if any(Path(each).exists() for each in _OTHER_GPUS) else 0
