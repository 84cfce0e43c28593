"""params.yaml → frozen, strict, typed settings; every fault at once, each with its line and dotted path."""

from containerid.config.params import LATENCY, METRICS, Params
from containerid.config.project import FILE, Git, Kaggle, Project, find, load
from containerid.config.sections import ENTRY, Augmentation, DataSection, Model, Training, Validation, Wandb

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
    "Training",
    "Validation",
    "Wandb",
    "find",
    "load",
]
