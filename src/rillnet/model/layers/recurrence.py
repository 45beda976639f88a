"""Blocks that read what they sent a frame ago: which of their outputs, and what those are before they were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import nn

from rillnet.model.shapes import Output, Signature, pick

Reads = tuple[int | None, ...]
"""Numbers of outputs; None is a block's only or first one."""


class Recurrent(Protocol):
    """What a class of blocks says that go on from what they sent before. Both can be told from arguments alone."""

    @classmethod
    def reads_itself(cls, arguments: Mapping[str, Any]) -> Reads:
        """Which of its own outputs of the last frame a block reads, after its other sources; empty for none.

        Args:
            arguments: of the constructor.
        """

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """What a block sends, told before all it reads is known; None while it cannot be told.

        Args:
            arguments: of the constructor.
            known: what those of its sources send that are known already.
        """


_TORCH_CELLS: tuple[type[nn.Module], ...] = (nn.RNNCell, nn.GRUCell)

_TORCH_LAYERS: tuple[type[nn.Module], ...] = (nn.RNN, nn.GRU, nn.LSTM)


def own_outputs(kind: Any, arguments: Mapping[str, Any]) -> Reads:
    """Which of its own outputs a block of this type reads one frame ago.

    Args:
        kind: the class of the block.
        arguments: of its constructor.

    Example:
        >>> own_outputs(nn.GRUCell, {"hidden_size": 3}), own_outputs(nn.Linear, {})
        ((None,), ())
    """
    told = getattr(kind, "reads_itself", None)
    if told is not None:
        found: Reads = told(arguments)
        return found
    return (None,) if kind in _TORCH_CELLS else ()


def sent_in_cycle(kind: Any, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
    """What a block of this type sends, told before all it reads is known; None if it cannot be told.

    Args:
        kind: the class of the block.
        arguments: of its constructor.
        known: what those of its sources send that are known already.

    Example:
        >>> print(sent_in_cycle(nn.GRUCell, {"hidden_size": 3}, []))
        [3]
    """
    told = getattr(kind, "sends", None)
    if told is not None:
        found: Output | None = told(arguments, known)
        return found
    if kind in _TORCH_LAYERS:
        return _sequence_and_state(kind, arguments, known)
    return hidden_state(arguments, known) if kind in _TORCH_CELLS else None


def hidden_state(arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
    """The hidden state of a cell: `hidden_size` numbers of the type of what it reads."""
    size = arguments.get("hidden_size")
    if not isinstance(size, int):
        return None
    return Signature((size,), pick(known[0], None).dtype) if known else Signature((size,))


def _sequence_and_state(kind: Any, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
    """What torch's layers for sequences send: the sequence of hidden states, and the state after its last element.

    The state stands with the layers first and the batch second. It can be carried on to the next frame:
    `from: [x, "lstm[1]@-1"]`.
    """
    size, batch_first = arguments.get("hidden_size"), arguments.get("batch_first", True)
    if not known or not isinstance(size, int) or not batch_first:
        return None
    read: Signature = pick(known[0], None)
    directions = 2 if arguments.get("bidirectional") else 1
    layers = directions * arguments.get("num_layers", 1)
    sent = arguments.get("proj_size") or size
    sequence = Signature((read.shape[0], directions * sent), read.dtype)
    hidden = Signature((layers, sent), read.dtype, batch_dim=1)
    if kind is not nn.LSTM:
        return (sequence, hidden)
    return (sequence, (hidden, Signature((layers, size), read.dtype, batch_dim=1)))
