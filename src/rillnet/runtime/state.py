"""The state of a program: the block outputs that later frames read, as tensors by name.

`h@1` is what block h sent one frame ago, `lstm[1][0]@2` a part of what another sent two frames ago. A
state is never changed: a frame makes a new one, which shares the tensors that have only grown older.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.plan import Slot

State = dict[str, Tensor]


def zero_state(slots: Iterable[Slot], batch: int, device: torch.device | None, dtype: torch.dtype | None) -> State:
    """The state before the first frame: all zeros.

    Args:
        slots: what is kept.
        batch: number of streams.
        device: where the tensors go.
        dtype: of those that are floating point; None is as inferred.
    """
    state: State = {}
    for slot in slots:
        signature = slot.signature
        shape = (batch, *signature.shape) if signature.batched else signature.shape
        kind = dtype if dtype is not None and signature.dtype.is_floating_point else signature.dtype
        zeros = torch.zeros(shape, dtype=kind, device=device)
        state |= {slot.key(delay): zeros for delay in range(1, slot.length + 1)}
    return state


def reset_streams(slots: Iterable[Slot], state: Mapping[str, Tensor], mask_N: Tensor) -> State:
    """A state in which some streams begin anew, from zeros, and the others go on.

    Args:
        slots: what is kept.
        state: the state; it is not changed.
        mask_N: one truth value per stream, true for those that begin anew.

    Raises:
        RequestError: the mask is not one truth value per stream.
    """
    fresh = dict(state)
    mask_N = mask_N.bool()
    for slot in slots:
        if not slot.signature.batched:
            continue
        for delay in range(1, slot.length + 1):
            tensor = state[slot.key(delay)]
            if mask_N.shape != tensor.shape[:1]:
                rule = f"must hold one truth value for each of {tensor.shape[0]} streams"
                raise RequestError(Fault("mask", rule, list(mask_N.shape)))
            mask = mask_N.view(-1, *(1 for _ in range(tensor.dim() - 1)))
            fresh[slot.key(delay)] = tensor.masked_fill(mask, 0)
    return fresh


def detach_state(state: Mapping[str, Tensor]) -> State:
    """The same state, through which no gradient flows back to earlier frames.

    Args:
        state: the state; it is not changed.

    Example:
        >>> weight = torch.ones(1, requires_grad=True)
        >>> detach_state({"h@1": weight * 2})["h@1"].requires_grad
        False
    """
    return {key: tensor.detach() for key, tensor in state.items()}
