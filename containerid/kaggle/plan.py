"""What a push to Kaggle would do, for the eye, and what speaks against it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from containerid.errors import UsageError
from containerid.job import Spec

_SOURCES = ("dataset_sources", "competition_sources", "kernel_sources", "model_sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class KaggleSettings:
    """What a submit to Kaggle knows beside the spec.

    Attributes:
        username: `kaggle.username` of params.yaml; only counts while credentials do not tell whose they are.
        accelerator: Kaggle's `machine_shape`.
        public: everybody may see the kernel, its log and its outputs.
        slug: the kernel's name, kept from run to run; one of the run's own when empty.
        dataset_sources, kernel_sources: `owner/slug` to attach, beside what the spec names.
        competition_sources: slugs of competitions to attach.
        model_sources: `owner/slug/framework/variation/version` to attach.
        session_limit: seconds after which Kaggle stops the session; None for Kaggle's own limit.
        project: the project's folder, where DVC's records lie; None when nothing is submitted.
    """

    username: str = ""
    accelerator: str = "NvidiaTeslaT4"
    public: bool = False
    slug: str = ""
    dataset_sources: tuple[str, ...] = ()
    kernel_sources: tuple[str, ...] = ()
    competition_sources: tuple[str, ...] = ()
    model_sources: tuple[str, ...] = ()
    session_limit: float | None = None
    project: Path | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """From the `kaggle` section of params.yaml and the command line; what the spec holds is left to the spec."""
        known = {each.name for each in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in options.items() if name in known and value is not None}
        for name, value in given.items():
            given[name] = tuple(value) if isinstance(value, list) else value
        if "accelerator" in given:
            given["accelerator"] = _shape(given["accelerator"])
        return cls(**given)


def _shape(name: str) -> str:
    from containerid.config.shapes import RETIRED, SHAPES, shape

    try:
        return shape(name)
    except ValueError:
        reason = "the P100 is retired" if name.lower() == RETIRED else "that is no name"
        raise UsageError(f"--accelerator {name}: {reason}", hint=f"--accelerator {SHAPES[0]}") from None


def rows(spec: Spec, settings: KaggleSettings, metadata: Mapping[str, Any], size: int) -> tuple[tuple[str, str], ...]:
    """Label and value of what is pushed; `size` is the source's, in bytes."""
    sources = [name for key in _SOURCES for name in metadata[key]]
    limit = settings.session_limit
    machine = metadata["machine_shape"] if metadata["enable_gpu"] else "CPU"
    return (
        ("kernel", f"{metadata['id']} ({'private' if metadata['is_private'] else 'PUBLIC'})"),
        ("machine", f"this one, for a {machine}" if spec.backend == "rehearsal" else machine),
        ("internet", "on" if metadata["enable_internet"] else "off"),
        ("code", f"{spec.code.transport} {spec.code.sha[:12]}".strip()),
        ("data", f"{spec.data.provider} {spec.data.source}".strip()),
        ("attached", ", ".join(sources) or "nothing"),
        ("session limit", f"{limit / 3600:g} h" if limit else "Kaggle's own"),
        ("source", f"{size:,} bytes"),
    )


def check(spec: Spec, settings: KaggleSettings) -> None:
    """Refuse what cannot work, or would show what is not meant to be seen. Raises UsageError with every reason."""
    faults = [*_public_faults(spec, settings), *_offline_faults(spec, settings)]
    if faults:
        raise UsageError("; ".join(fault for fault, _ in faults), hint="; ".join(hint for _, hint in faults))


def _public_faults(spec: Spec, settings: KaggleSettings) -> list[tuple[str, str]]:
    faults = []
    if settings.public and spec.code.transport == "embed":
        faults.append(("a public kernel would show the whole code in its source", "--transport fetch"))
    if settings.public and spec.secrets:
        faults.append(("a public kernel must carry no secrets", "leave --public out, or run without secrets"))
    return faults


def _offline_faults(spec: Spec, settings: KaggleSettings) -> list[tuple[str, str]]:
    if spec.internet:
        return []
    faults = []
    if spec.code.transport == "fetch":
        faults.append(("without internet the kernel cannot fetch the code", "--transport embed or dataset"))
    if spec.data.provider == "dvc":
        faults.append(("without internet there is no dvc pull", "--data owner/slug on Kaggle, or a folder"))
    if spec.params.get("model", {}).get("pretrained") is True:
        faults.append(
            ("without internet the pretrained weights cannot be fetched", "--set model.pretrained=false, or a path")
        )
    if not (settings.dataset_sources or settings.model_sources):
        faults.append(
            (
                "Kaggle's machines lack ultralytics, which cannot be installed without internet",
                "--dataset-source owner/slug of one that holds the wheels",
            )
        )
    return faults


def warnings(settings: KaggleSettings, owner: str) -> tuple[str, ...]:
    """What the user should know before it is sent."""
    found = []
    if settings.username and settings.username != owner:
        found.append(f"params.yaml names the Kaggle user {settings.username}, but the credentials are {owner}'s")
    if settings.public:
        found.append("the kernel, its log and its outputs will be public")
    return tuple(found)
