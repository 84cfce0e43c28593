"""A GPU whose memory is small, on a machine that has none."""

from types import TracebackType
from typing import Any, Self

OUT = "CUDA out of memory. Tried to allocate 2.00 GiB"


class SmallGpu:
    """Within, no model trains on more images at once than fit; PyTorch says it in the words of a GPU.

    PyTorch calls it before any module computes: it is a hook that PyTorch offers, for every trainer alike.

    Attributes:
        holds: images.
        refused: how many there were, each time that they did not fit.
        lasts: training steps for which it holds any number: what else was in the memory came later.
    """

    def __init__(self, holds: int, lasts: int = 0) -> None:
        self.holds, self.lasts = holds, lasts
        self.refused: list[int] = []
        self._outermost: Any = None

    def __enter__(self) -> Self:
        from torch.nn.modules import module

        self._hook = module.register_module_forward_pre_hook(self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hook.remove()

    def _look(self, module: Any, given: tuple[Any, ...]) -> None:
        import torch

        images = given[0] if given else None
        if not module.training or not isinstance(images, torch.Tensor) or images.shape[1:2] != (3,):
            return
        if self.lasts:
            # The network itself gets the images first; its first layers may get them as well.
            self._outermost = self._outermost or type(module)
            self.lasts -= isinstance(module, self._outermost)
        elif len(images) > self.holds:
            self.refused.append(len(images))
            raise torch.OutOfMemoryError(OUT)
