"""The parts of an experiment's parameters, each with the rules of its keys."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from containerid.config import architectures, arguments
from containerid.config.arguments import Wrong
from containerid.config.rules import Rule, flag, listing, module, nothing, number, read, slug, text, whole, word

ENTRY = "containerid.training"
"""The module that trains unless the project names its own."""


def obeys(*rules: Rule) -> BeforeValidator:
    """A field's validator: the first rule that takes the value reads it."""
    return BeforeValidator(lambda value: read(rules, value))


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, nothing is converted, nothing can be changed afterwards."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def row(rule: Rule, *, says: str) -> Rule:
    """A list that cannot be changed afterwards; left empty, it holds nothing."""
    return Rule(says, lambda value: tuple(listing(rule).read([] if value is None else value)))


Name = Annotated[str | None, obeys(text(), nothing())]
Words = Annotated[tuple[str, ...], obeys(row(text(), says="a list of words"))]


def is_free(info: ValidationInfo) -> bool:
    """Whether the project trains with a module of its own, whose parameters we cannot know."""
    return bool(info.context and info.context["free"])


class Model(Section):
    """What is trained.

    Attributes:
        architecture: a name that Ultralytics knows (`yolo11s`), or a path to a `.yaml` or `.pt` file.
        pretrained: True starts from the published weights, False from nothing, a path from that file.
    """

    architecture: Annotated[str, obeys(text("a model's name such as `yolo11s`, or a path"))] = "yolo11s"
    pretrained: Annotated[bool | str, obeys(flag(), text("a path"))] = True

    @property
    def file(self) -> str:
        """What Ultralytics is told to load: `yolo11s.pt` with its weights, `yolo11s.yaml` without, or a path."""
        if architectures.is_file(self.architecture):
            return self.architecture
        return f"{self.architecture}.{'pt' if self.pretrained is True else 'yaml'}"

    @property
    def task(self) -> str:
        """`detect`, `segment`, `classify`, `pose` or `obb`, as the architecture's name says."""
        return architectures.task(self.architecture)


class _Arguments(Section):
    """A section whose keys are Ultralytics' arguments, by its names or ours; each is checked against the table."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    section: ClassVar[str]
    own: ClassVar[dict[str, tuple[Rule, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, Mapping):
            return values
        free = is_free(info)
        named, written, wrong = arguments.canonical(values)
        read_values = {}
        for key, value in named.items():
            try:
                read_values[key] = arguments.check(cls.section, key, value, own=cls.own)
            except LookupError as error:
                read_values[key] = value
                wrong += [] if free else [Wrong(written[key], str(error.args[0]))]
            except ValueError as error:
                wrong.append(Wrong(written[key], str(error)))
        if wrong:
            raise wrong_at(cls.section, *wrong)
        return read_values

    def arguments(self) -> dict[str, Any]:
        """What is set, by Ultralytics' names; what was left empty is left out."""
        values = {key: value for key, value in self.model_dump().items() if key not in self.own and value is not None}
        return arguments.theirs(values)


def wrong_at(title: str, *faults: Wrong) -> ValidationError:
    """Several faults of one section as one error, each at its own key."""
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError("argument", "{reason}", {"reason": it.reason}), "loc": (it.key,), "input": None}
        for it in faults
    ]
    return ValidationError.from_exception_data(title, details)


class Training(_Arguments):
    """How it is trained. Besides these, any training argument of Ultralytics by its own name.

    Attributes:
        epochs: passes over the training split.
        batch_size: images a step, over all GPUs; `auto` (-1) or a fraction fills the GPU's memory.
        imgsz: pixels, the longer side.
        learning_rate: at the start; None leaves it to Ultralytics.
        warmup_epochs: fractions allowed.
        patience: epochs without a better validation after which it stops; 0 never stops.
        save_period: keep every n-th epoch's checkpoint; -1 keeps only best and last.
        device: `auto`, `cpu`, `cuda`, `mps`, `all`, or numbers of GPUs; one GPU is used unless several are named.
        entry: the module that trains.
    """

    section: ClassVar[str] = "training"
    own: ClassVar[dict[str, tuple[Rule, ...]]] = {"entry": (module(),)}

    epochs: int = 100
    save_period: int = -1
    batch_size: int | float = 16
    imgsz: int = 640
    optimizer: str = "auto"
    learning_rate: float | None = None
    weight_decay: float = 0.0005
    warmup_epochs: float = 3.0
    lr_scheduler: Literal["cosine", "linear"] = "linear"
    patience: int = 100
    seed: int = 0
    device: str | int | list[int] = "auto"
    workers: int = 8
    entry: str = ENTRY


class Augmentation(_Arguments):
    """How training images are varied; what is left out is as Ultralytics has it."""

    section: ClassVar[str] = "augmentation"

    hsv_h: float = 0.015
    hsv_s: float = 0.7
    hsv_v: float = 0.4
    degrees: float = 0.0
    translate: float = 0.1
    scale: float | list[float] = 0.5
    shear: float = 0.0
    perspective: float = 0.0
    flipud: float = 0.0
    fliplr: float = 0.5
    mosaic: float = 1.0
    mixup: float = 0.0
    copy_paste: float = 0.0


class Validation(_Arguments):
    """The operating point of the confusion matrix and of the pictures with predictions.

    mAP is always measured at Ultralytics' own thresholds: with conf 0.25 the same weights would lose a quarter of it.

    Attributes:
        wanted_recall: share of the boxes that must be found; the evaluation says at which confidence they still are.
    """

    section: ClassVar[str] = "validation"
    own: ClassVar[dict[str, tuple[Rule, ...]]] = {"wanted_recall": (number(0, 1),)}

    conf_threshold: float = 0.25
    iou_threshold: float = 0.45
    wanted_recall: float = 0.95


class Wandb(Section):
    """Weights & Biases.

    Attributes:
        project: None takes the project's name.
        name: None takes the run id.
        mode: `auto` is online on a machine where the user is logged in, and offline on Kaggle; `offline` writes files
            that `cid fetch` uploads.
    """

    project: Name = None
    entity: Name = None
    name: Name = None
    tags: Words = ()
    mode: Annotated[
        Literal["auto", "offline", "online", "disabled"], obeys(word("auto", "offline", "online", "disabled"))
    ] = "auto"


class Trackers(Section):
    """Who else is told the metrics, through Ultralytics' own integrations; the package must be installed there.

    Attributes:
        mlflow: to MLFLOW_TRACKING_URI where that is set, else to `mlflow.db` among the outputs.
        tensorboard: event files among the outputs.
    """

    mlflow: Annotated[bool, obeys(flag())] = False
    tensorboard: Annotated[bool, obeys(flag())] = False


class Minimum(Section):
    """How many images a split must hold for a run to start; 0 asks for none."""

    train: Annotated[int, obeys(whole(0))] = 1
    val: Annotated[int, obeys(whole(0))] = 1
    test: Annotated[int, obeys(whole(0))] = 0


class DataSection(Section):
    """Where the images come from.

    Attributes:
        provider: `auto` takes `kaggle` on Kaggle where it is named, else the folder, else `dvc`.
        path: the folder with `data.yaml`, `images/` and `labels/`, from the project's folder.
        kaggle: a dataset on Kaggle, `owner/slug`.
        dvc: a DVC target or pipeline stage; None takes the folder's own, `<path>.dvc`.
        images: how many are drawn (`synthetic` only).
        imgsz: the side of a drawn image in pixels.
        seed: the same seed draws the same images.
        minimum: images that each split must hold.
    """

    provider: Annotated[
        Literal["auto", "folder", "kaggle", "dvc", "synthetic"],
        obeys(word("auto", "folder", "kaggle", "dvc", "synthetic")),
    ] = "auto"
    path: Annotated[str, obeys(text("a folder"))] = "data/processed/detection"
    kaggle: Annotated[str | None, obeys(slug(), nothing())] = None
    dvc: Name = None
    images: Annotated[int, obeys(whole(6, 100_000))] = 24
    imgsz: Annotated[int, obeys(whole(32, 2048))] = 96
    seed: Annotated[int, obeys(whole(0, 2**32 - 1))] = 0
    minimum: Minimum = Minimum()
