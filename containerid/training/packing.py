"""Thousands of tensors written as one: to pickle each by itself takes longer than to write all their bytes.

A file that holds something packed is read with `torch.load` like any other; what comes out is what was packed.
"""

import io
import pickle
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


class Packer:
    """Packs the same things again and again, into memory that it keeps: fresh memory costs more than the copy."""

    def __init__(self) -> None:
        self._room: dict[tuple[str, str], Any] = {}
        self._shape = b""

    def pack(self, name: str, tree: Any) -> "Packed":
        """A tree of dicts whose tensors lie side by side.

        Args:
            name: whose memory is used; what was packed under it before is overwritten.
            tree: dicts within dicts; everything in them but tensors is pickled as it is.
        """
        leaves: list[tuple[tuple[Any, ...], Any]] = []
        rest = _without_tensors(tree, (), leaves)
        groups: dict[str, list[tuple[tuple[Any, ...], Any]]] = {}
        for path, tensor in leaves:
            groups.setdefault(str(tensor.dtype), []).append((path, tensor))
        index = [[(path, tuple(each.shape)) for path, each in group] for group in groups.values()]
        flats = [self._flatten(name, [each for _, each in group]) for group in groups.values()]
        return Packed(flats, pickle.dumps((rest, index)))

    def pack_model(self, name: str, model: Any) -> "PackedModel":
        """A model: its structure as it was the first time, its numbers as they are now."""
        self._shape = self._shape or _structure(model)
        return PackedModel(self._shape, self.pack(name, model.state_dict()))

    def _flatten(self, name: str, tensors: Sequence[Any]) -> Any:
        import torch

        sizes, kind = [each.numel() for each in tensors], tensors[0].dtype
        flat = self._room.get((name, str(kind)))
        if flat is None or flat.numel() != sum(sizes):
            flat = self._room[name, str(kind)] = torch.empty(sum(sizes), dtype=kind)
        for part, each in zip(flat.split(sizes), tensors, strict=True):
            part.view(each.shape).copy_(each.detach())
        return flat


@dataclass(frozen=True, slots=True)
class Packed:
    """Pickled, it is one tensor for each type of number, and becomes the tree again when it is read.

    Attributes:
        flats: the tensors.
        index: pickled: the tree without its tensors, and per flat tensor the path and shape of each.
    """

    flats: list[Any]
    index: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """As the tree that was packed."""
        return unpack, (self.flats, self.index)


@dataclass(frozen=True, slots=True)
class PackedModel:
    """Pickled, it is a structure and its numbers, and becomes the model again when it is read."""

    structure: bytes
    numbers: Packed

    def __reduce__(self) -> tuple[Any, ...]:
        """As the model that was packed."""
        return unpack_model, (self.structure, self.numbers)


def unpack(flats: Sequence[Any], index: bytes) -> Any:
    """The tree that was packed; its tensors share memory, each type's in one piece."""
    # Only ever reached from a file that is itself a pickle.
    tree, parts = pickle.loads(index)  # noqa: S301
    for flat, entries in zip(flats, parts, strict=True):
        sizes = [_count(shape) for _, shape in entries]
        for (path, shape), part in zip(entries, flat.split(sizes), strict=True):
            *way, last = path
            at = tree
            for key in way:
                at = at[key]
            at[last] = part.view(shape)
    return tree


def unpack_model(structure: bytes, numbers: Any) -> Any:
    """The model that was packed."""
    import torch

    model = torch.load(io.BytesIO(structure), map_location="cpu", weights_only=False)
    model.load_state_dict(numbers, assign=True)
    return model


def _count(shape: Sequence[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total


def _without_tensors(tree: Any, path: tuple[Any, ...], leaves: list[tuple[tuple[Any, ...], Any]]) -> Any:
    import torch

    if isinstance(tree, torch.Tensor):
        leaves.append((path, tree))
        return None
    if isinstance(tree, dict):
        return {key: _without_tensors(value, (*path, key), leaves) for key, value in tree.items()}
    return tree


def _structure(model: Any) -> bytes:
    """The model pickled with numbers that take no room: one for each tensor, seen from all of its places."""
    import torch

    memory: dict[int, Any] = {}
    for each in model.state_dict(keep_vars=True).values():
        hollow = torch.zeros((), dtype=each.dtype).expand(each.shape)
        kept = isinstance(each, torch.nn.Parameter)
        memory[id(each)] = torch.nn.Parameter(hollow, requires_grad=each.requires_grad) if kept else hollow
    buffer = io.BytesIO()
    torch.save(deepcopy(model, memory), buffer)
    return buffer.getvalue()
