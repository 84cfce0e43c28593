"""What the user asks for, before anything is looked at."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FLAGS = {"kaggle": "--kaggle", "local": "--local", "rehearsal": "--rehearse"}
"""By which option of `cid train` a backend is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A training that is asked for.

    Attributes:
        backend: a name of `containerid.backends.TABLE`.
        folder: params.yaml lies here or in a folder above.
        experiment: its name in params.yaml; None for `default_experiment`, else the base section.
        overrides: `key.path=value`, inside the experiment's section.
        quick: a few steps on a handful of images, the whole path.
        device: `auto`, `cpu`, `gpu`, `cuda` or `mps`.
        git: `branch`, `snapshot` or `clean`; None for the backend's default.
        transport: `auto`, `embed`, `fetch` or `dataset`.
        message: of the snapshot commit; one is made when empty.
        data: a folder, `owner/slug` on Kaggle, or a DVC target; empty for what params.yaml says.
        wait: when every place is taken, wait until one is free.
        new: start a second run although one of the same is on its way.
        options: what only this backend understands; each beats the same key of its section in params.yaml.
    """

    backend: str
    folder: Path = field(default_factory=Path.cwd)
    experiment: str | None = None
    overrides: tuple[str, ...] = ()
    quick: bool = False
    device: str = "auto"
    git: Literal["branch", "snapshot", "clean"] | None = None
    transport: str = "auto"
    message: str = ""
    data: str = ""
    wait: bool = False
    new: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command that asks for the same training; options that only its platform understands are left out."""
        flag = FLAGS.get(self.backend, "--kaggle")
        words = ["cid", "train", flag, *(["-e", self.experiment] if self.experiment else [])]
        words += [word for override in self.overrides for word in ("--set", override)]
        words += ["--quick"] if self.quick else []
        words += ["--device", self.device] if self.device != "auto" else []
        words += ["--data", self.data] if self.data else []
        return shlex.join(words)
