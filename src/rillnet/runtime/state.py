"""The state of a program: the block outputs that later frames read, as tensors by name.

`h@1` is what block h sent one frame ago, `lstm[1][0]@2` a part of what another sent two frames ago. A
state is never changed: a frame makes a new one, which shares the tensors that have only grown older.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.grouping.state import GroupedState
from rillnet.runtime.plan import Slot

State = Mapping[str, Tensor]
"""The state of a program: a dict, or where blocks are grouped a mapping that looks the same."""


def zero_state(
    slots: Iterable[Slot], batch: int, device: torch.device | None, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    """The state before the first frame: all zeros.

    Args:
        slots: what is kept.
        batch: number of streams.
        device: where the tensors go.
        dtype: of those that are floating point; None is as inferred.
    """
    state: dict[str, Tensor] = {}
    for slot in slots:
        signature = slot.signature
        kind = dtype if dtype is not None and signature.dtype.is_floating_point else signature.dtype
        zeros = torch.zeros(signature.of_batch(batch), dtype=kind, device=device)
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
    mask_N = mask_N.bool()
    if isinstance(state, GroupedState):
        return _reset_groups(state, mask_N)
    fresh = dict(state)
    for slot in slots:
        if not slot.signature.batched:
            continue
        for delay in range(1, slot.length + 1):
            fresh[slot.key(delay)] = _reset(state[slot.key(delay)], mask_N, slot.signature.batch_dim)
    return fresh


def _reset(tensor: Tensor, mask_N: Tensor, batch_dim: int) -> Tensor:
    if tuple(mask_N.shape) != (tensor.shape[batch_dim],):
        rule = f"must hold one truth value for each of {tensor.shape[batch_dim]} streams"
        raise RequestError(Fault("mask", rule, list(mask_N.shape)))
    sizes = [1] * tensor.dim()
    sizes[batch_dim] = len(mask_N)
    return tensor.masked_fill(mask_N.view(sizes), 0)


def _reset_groups(state: GroupedState, mask_N: Tensor) -> GroupedState:
    stacked = tuple(tuple(_reset(tensor, mask_N, 1) for tensor in column) for column in state.stacked)
    return GroupedState(state.layout, stacked, dict(reset_streams(state.layout.alone, state.rest, mask_N)))


def detach_state(state: Mapping[str, Tensor]) -> State:
    """The same state, through which no gradient flows back to earlier frames.

    Args:
        state: the state; it is not changed.

    Example:
        >>> weight = torch.ones(1, requires_grad=True)
        >>> detach_state({"h@1": weight * 2})["h@1"].requires_grad
        False
    """
    if isinstance(state, GroupedState):
        return state.mapped(Tensor.detach)
    return {key: tensor.detach() for key, tensor in state.items()}


def has_streams(slots: Iterable[Slot], state: Mapping[str, Tensor], streams: int) -> bool:
    """Whether a state is one of so many streams.

    Args:
        slots: what is kept.
        state: the state.
        streams: how many.
    """
    if isinstance(state, GroupedState):
        stacked = all(column[0].shape[1] == streams for column in state.stacked)
        return stacked and has_streams(state.layout.alone, state.rest, streams)
    found = [(slot.signature, state.get(slot.key(1))) for slot in slots if slot.signature.batched]
    return all(t is not None and t.shape[signature.batch_dim] == streams for signature, t in found)


def expanded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state as a plain dict, which shares its tensors.

    Args:
        state: the state.
    """
    return state.expanded() if isinstance(state, GroupedState) else dict(state)
