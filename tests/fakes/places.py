"""A repository, a home and an account of their own, from which `cid` submits to an embedded Kaggle."""

from pathlib import Path

from fakes.repositories import Project, project

from containerid.home import Home
from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.origin import at
from containerid.runs import Registry, Run

PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 4}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
  exp002: {}
"""
TRAIN = ("train", "--kaggle", "-e", "exp001", "--detach", "--json")


class Place:
    """Where a submit starts from; `environment` leads cid to it."""

    def __init__(self, folder: Path, kaggle: EmbeddedKaggle, user: str) -> None:
        self.project: Project = project(folder)
        self.project.write("params.yaml", PARAMS)
        self.project.write("trainer.py", "print('trained')\n")
        self.home = Home(folder / "cid")
        self.environment = {
            "CID_HOME": str(self.home.root),
            "CID_KAGGLE_URL": kaggle.url,
            "KAGGLE_USERNAME": user,
            "KAGGLE_KEY": "0" * 32,
        }
        credentials = Credentials(kind="key", username=user, secret=Secret("0" * 32), source="the test")
        self._api = Kaggle(credentials, at(kaggle.url), {})

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.project.root

    def sessions(self) -> int:
        """How many pushes the account's kernels hold; each is a session that takes of the quota."""
        return sum(kernel.version for kernel in self._api.mine())

    def runs(self) -> list[Run]:
        """What the registry knows."""
        return Registry(self.home.registry).runs()
