"""A split of a classification set as PyTorch reads it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.dataset import classes
from containerid.dataset.sets import Dataset


class Images:
    """Pairs of a transformed image and its class.

    Args:
        pairs: paths and class indices.
        transform: from a PIL image in RGB to a tensor.
    """

    def __init__(self, pairs: Sequence[tuple[Path, int]], transform: Callable[[Any], Any]) -> None:
        self._pairs, self._transform = pairs, transform

    @property
    def paths(self) -> list[Path]:
        """The images, in their order."""
        return [path for path, _ in self._pairs]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        path, label = self._pairs[index]
        with Image.open(path) as opened:
            return self._transform(opened.convert("RGB")), label


def pairs(dataset: Dataset, split: str, limit: int = 0) -> list[tuple[Path, int]]:
    """The images of a split with their classes; with a limit, so many of them, spread evenly."""
    images = dataset.splits.get(split, ())
    if 0 < limit < len(images):
        images = tuple(images[at * len(images) // limit] for at in range(limit))
    return [(image, classes.label_of(dataset, split, image)) for image in images]


def training_transform(config: Mapping[str, Any], imgsz: int, augmentation: Mapping[str, Any]) -> Any:
    """timm's, by Ultralytics' names for what they have in common.

    Args:
        config: how the model wants its input, as `timm.data.resolve_model_data_config` gives it.
        imgsz: pixels.
        augmentation: as in params.yaml; what is missing is off.
    """
    from timm.data import create_transform

    scale = augmentation.get("scale", 0.5)
    bright, full, hue = (augmentation.get(f"hsv_{letter}", 0.0) for letter in "vsh")
    automatic = {"randaugment": "rand-m9-mstd0.5", "autoaugment": "original", "augmix": "augmix-m3-w3"}
    return create_transform(
        imgsz,
        is_training=True,
        scale=tuple(scale) if isinstance(scale, list) else (max(1 - scale, 0.08), 1.0),
        hflip=augmentation.get("fliplr", 0.0),
        vflip=augmentation.get("flipud", 0.0),
        color_jitter=(bright, bright, full, min(hue, 0.5)),
        auto_augment=automatic.get(augmentation.get("auto_augment") or ""),
        re_prob=augmentation.get("erasing") or 0.0,
        **_input(config),
    )


def plain_transform(config: Mapping[str, Any], imgsz: int) -> Any:
    """What an image goes through when it is only looked at."""
    from timm.data import create_transform

    return create_transform(imgsz, is_training=False, crop_pct=1.0, **_input(config))


def _input(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("mean", "std", "interpolation")}


def loader(images: Images, batch: int, workers: int, generator: Any = None) -> Any:
    """Batches; with a generator, in an order that it decides and without a last one that is too small."""
    from torch.utils.data import DataLoader

    return DataLoader(
        images,
        batch,
        shuffle=generator is not None,
        generator=generator,
        num_workers=min(workers, len(images)),
        drop_last=generator is not None and len(images) >= batch,
        persistent_workers=False,
    )
