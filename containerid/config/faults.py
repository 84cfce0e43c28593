"""Faults of settings: each knows where it was written, and all are told at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from containerid.config import arguments
from containerid.config.rules import shown, suggestion
from containerid.config.yamlfile import KeyPath, dotted
from containerid.errors import ConfigError

AnyModel = TypeVar("AnyModel", bound=BaseModel)


@dataclass(frozen=True, order=True, slots=True)
class Origin:
    """Where a value was written.

    Attributes:
        line: 1-based, to sort by; 0 outside files.
        label: as the user knows the place: `params.yaml:12` or `--set training.epochs=abc`.
        path: dotted, as it was written; empty where the label says it already.
    """

    line: int
    label: str
    path: str


@dataclass(frozen=True, order=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin.label, self.origin.path, self.reason) if part)


Problem = tuple[KeyPath, str]
"""A path inside the checked document, and what is wrong there."""


def located(problems: Iterable[Problem], origins: Mapping[KeyPath, Origin]) -> list[Fault]:
    """Problems as faults, each at the nearest place that was really written."""
    return [Fault(_origin(path, origins), reason) for path, reason in problems]


def _origin(path: KeyPath, origins: Mapping[KeyPath, Origin]) -> Origin:
    if path and path not in origins and (below := next((it for it in origins if it[: len(path)] == path), None)):
        # Only an option writes a key without the section around it.
        return Origin(origins[below].line, origins[below].label, dotted(path))
    for length in range(len(path), -1, -1):
        if found := origins.get(path[:length]):
            rest = dotted(path[length:])
            inner = f"{found.path}.{rest}" if found.path and rest else found.path or rest
            return Origin(found.line, found.label, inner)
    return Origin(0, "", dotted(path))


def refusal(faults: Iterable[Fault]) -> ConfigError:
    """The error that tells every fault once, in the order of the lines; those of options come first."""
    told = sorted(set(faults))
    optional = all(fault.origin.label.startswith("--") for fault in told)
    hint = "cid params shows what there is to set" if optional else "mend these lines, then cid params"
    return ConfigError("\n".join(map(str, told)), hint=hint)


def checked(model: type[AnyModel], document: Any, context: Mapping[str, Any]) -> AnyModel | list[Problem]:
    """The document as the model, or everything that is wrong with it."""
    try:
        return model.model_validate(document, context=dict(context))
    except ValidationError as error:
        return [_problem(model, dict(each)) for each in error.errors(include_url=False)]


def _problem(model: type[BaseModel], error: dict[str, Any]) -> Problem:
    path: KeyPath = error["loc"]
    match error["type"]:
        case "extra_forbidden":
            return path, _unknown(_inside(model, path[:-1]), str(path[-1]))
        case "value_error":
            return path, str(error["ctx"]["error"])
        case "argument":
            return path, error["msg"]
        case _:  # every value is read by a rule, so what is left is a section that is none
            return path, no_section(error["input"])


def no_section(value: object) -> str:
    """What is wrong with a value where a section should stand."""
    return f"must be a section of `key: value` lines, not {shown(value)}"


def _inside(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    for part in path:
        model = cast("type[BaseModel]", model.model_fields[str(part)].annotation)
    return model


def _unknown(model: type[BaseModel], key: str) -> str:
    home = arguments.home(key)
    if home in model.model_fields:
        return f"belongs under `{home}`"
    return f"unknown key{suggestion(key, list(model.model_fields))}"
