"""Memory that frames write to: taken again once nobody holds what an earlier frame wrote there.

Fresh memory of some megabytes comes from the system page by page, each cleared when it is first written to. For large
maps that can take as long as computing them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

_MOST = 4
"""Pieces that are kept: those of two frames that follow each other, and of some that somebody looks at."""

_holders: Callable[[int], int] | None = getattr(torch._C, "_storage_Use_Count", None)
"""How many tensors share a storage; where torch does not tell, memory is always fresh."""


class Memory:
    """Tensors of one shape for frames in a row, on the CPU; elsewhere torch keeps what is free itself.

    Example:
        >>> memory, like = Memory(), torch.ones(1)
        >>> first = memory.take(like, (2, 3))
        >>> place = first.data_ptr()
        >>> row = first[1]
        >>> memory.take(like, (2, 3)).data_ptr() == place  # somebody holds a part of it
        False
        >>> del first, row
        >>> memory.take(like, (2, 3)).data_ptr() == place
        True
    """

    def __init__(self) -> None:
        self._kept: deque[tuple[Tensor, int]] = deque()

    def take(self, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A tensor whose numbers may be anything.

        Args:
            like: of its type, and where that is.
            shape: of it.
        """
        if _holders is None or like.device.type != "cpu":
            return like.new_empty(shape)
        for _ in range(len(self._kept)):
            try:
                tensor, alone = self._kept.popleft()  # what one thread has taken out no other one looks at
            except IndexError:
                break
            if not _fits(tensor, like, shape):
                continue
            given = tensor.detach() if _count(tensor) <= alone else None
            self._kept.append((tensor, alone))
            if given is not None:
                return given
        made = like.new_empty(shape)
        while len(self._kept) >= _MOST:
            self._kept.popleft()
        self._kept.append((made, _count(made)))
        return made.detach()


def _count(tensor: Tensor) -> int:
    assert _holders is not None
    return _holders(tensor.untyped_storage()._cdata)


def _fits(tensor: Tensor, like: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is of this kind; those made in inference mode are for it alone."""
    is_for_inference = tensor.is_inference() == torch.is_inference_mode_enabled()
    return tensor.shape == shape and tensor.dtype == like.dtype and is_for_inference
