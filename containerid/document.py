"""Frozen dataclasses that are JSON objects: what crosses to another machine, and comes back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Self, get_origin

from containerid.errors import UsageError


class Document:
    """A frozen dataclass that is also a JSON object: unknown keys are refused, nested documents are read as such."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only; tuples become lists."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` gave.

        Raises:
            UsageError: a key is unknown or a value of the wrong type: the two ends are not the same version.
        """
        name = cls.__name__.lower()
        if not isinstance(document, Mapping):
            raise UsageError(f"the {name} is not a JSON object")
        known = {each.name: each.type for each in fields(cls)}
        if unknown := sorted(set(document) - set(known)):
            raise UsageError(f"the {name} holds keys that this version does not know: {', '.join(unknown)}")
        try:
            return cls(**{key: _read(known[key], value) for key, value in document.items()})
        except TypeError as error:
            raise UsageError(f"the {name} cannot be read: {error}") from error


def _read(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Document):
        return kind.from_dict(value)
    plain = get_origin(kind) or kind
    value = tuple(value) if plain is tuple and isinstance(value, list) else value
    if not isinstance(value, (int, float) if plain is float else plain):
        raise TypeError(f"{value!r} is no {plain.__name__}")
    return value
