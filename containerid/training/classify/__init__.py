"""Image classification with timm: the second trainer, behind the same interface as Ultralytics."""
