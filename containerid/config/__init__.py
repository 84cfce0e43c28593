"""params.yaml → frozen, strict, typed settings; every fault at once, each with its line and dotted path."""

from containerid.config.params import LATENCY, METRICS, Params
from containerid.config.project import FILE, Git, Kaggle, Project, find, load
from containerid.config.sections import ENTRY, Augmentation, DataSection, Model, Trackers, Training, Validation, Wandb
from containerid.config.versioning import Versioning

__all__ = [
    "ENTRY",
    "FILE",
    "LATENCY",
    "METRICS",
    "Augmentation",
    "DataSection",
    "Git",
    "Kaggle",
    "Model",
    "Params",
    "Project",
    "Trackers",
    "Training",
    "Validation",
    "Versioning",
    "Wandb",
    "find",
    "load",
]
