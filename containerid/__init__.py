"""Train on Kaggle's free GPUs, follow the run, bring back verified outputs."""

__version__ = "0.1.0"
