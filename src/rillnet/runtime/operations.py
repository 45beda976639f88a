"""What is done in a window: turns called frame by frame or at once, losses of each frame, cells over all frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from torch import Tensor, nn

from rillnet.model.layers.cells import LSTMCell
from rillnet.model.layers.loss import IGNORED, CrossEntropy, Loss
from rillnet.runtime.plan import Seeds, Turn
from rillnet.runtime.read_out import linear_cross_entropy
from rillnet.runtime.sequence_kernels import run_cell
from rillnet.runtime.turns import CompiledTurns, EagerTurns
from rillnet.runtime.window_values import WindowValues


class Operation(Protocol):
    """Something that computes registers of a window."""

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        """Computes them.

        Args:
            values: what is known; added to.
            seeds: of each frame.
        """


class Framewise:
    """Turns carried out frame by frame.

    Args:
        pieces: the turns, as functions.
        turns: all of them.
    """

    def __init__(self, pieces: Sequence[EagerTurns | CompiledTurns], turns: Iterable[Turn]) -> None:
        self._pieces = tuple(pieces)
        self._entering = _entering(turns)

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        for frame, registers in enumerate(values.frames):
            for register in self._entering:
                values.at(register, frame)
            for piece in self._pieces:
                piece(registers, seeds[frame])


class AtOnce:
    """Turns carried out once, on all frames end to end in the batch.

    Args:
        pieces: the turns, as functions.
        turns: all of them.
    """

    def __init__(self, pieces: Sequence[EagerTurns | CompiledTurns], turns: Iterable[Turn]) -> None:
        self._pieces = tuple(pieces)
        self._entering = _entering(turns)

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        for register in self._entering:
            values.at_once(register)
        for piece in self._pieces:
            piece(values.whole, None)


class FrameLosses:
    """A loss of each frame, told from all frames at once."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        loss = self._turn.module
        assert isinstance(loss, Loss)
        first, *targets = (values.at_once(register) for register in self._turn.reads)
        _leave(values, self._turn, loss, loss.terms(first, targets[0]), targets)


class ReadOut:
    """A linear layer that only a cross-entropy reads, and that.

    Args:
        linear: the layer's turn.
        turn: the loss's.
    """

    def __init__(self, linear: Turn, turn: Turn) -> None:
        self._linear, self._turn = linear, turn

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        layer, loss = self._linear.module, self._turn.module
        assert isinstance(layer, nn.Linear)
        assert isinstance(loss, CrossEntropy)
        x = values.at_once(self._linear.reads[0])
        targets = [values.at_once(register) for register in self._turn.reads[1:]]
        if x.dim() == 2 and _are_classes(targets[0], layer.out_features):
            terms = linear_cross_entropy(x, layer.weight, layer.bias, targets[0], IGNORED)
        else:
            terms = loss.terms(layer(x), targets[0])
        _leave(values, self._turn, loss, terms, targets)


class CellOverFrames:
    """A cell over all frames.

    Args:
        turn: the cell's.
        names: of what it sends, in the state.
    """

    def __init__(self, turn: Turn, names: Sequence[str]) -> None:
        self._turn, self._names = turn, tuple(names)

    def __call__(self, values: WindowValues, seeds: Sequence[Seeds | None]) -> None:
        turn, length = self._turn, values.length
        x_TND = values.at_once(turn.reads[0]).unflatten(0, (length, -1))
        state = [values.state[f"{name}@1"] for name in self._names]
        sent_TNH, *last = run_cell(turn.module, x_TND, state, values.begins.for_streams(x_TND.shape[1]))
        places = {place: register for register, place in turn.parts}
        if isinstance(turn.module, LSTMCell):
            values.frames[-1][places[(1,)]] = last[0]  # of the cell state nothing but the last is read
            values.whole[places[(0,)]] = sent_TNH.flatten(0, 1)
        else:
            values.whole[turn.result] = sent_TNH.flatten(0, 1)


def _leave(values: WindowValues, turn: Turn, loss: Loss, terms: Tensor, targets: Sequence[Tensor]) -> None:
    values.enter(turn.result, loss.of_frames(values.length, terms, *targets).unbind())


def _are_classes(label: Tensor, classes: int) -> bool:
    """Whether all are class numbers; where looking would mean to wait for a device, it is left to torch to complain."""
    if label.is_floating_point() or label.dim() != 1 or label.device.type != "cpu":
        return False
    counted = label[label != IGNORED]
    return counted.numel() == 0 or (int(counted.min()) >= 0 and int(counted.max()) < classes)


def _entering(turns: Iterable[Turn]) -> tuple[int, ...]:
    """Registers that these read and do not compute."""
    listed = list(turns)
    written = {r for turn in listed for r in (turn.result, *(register for register, _ in turn.parts))}
    return tuple(sorted({register for turn in listed for register in turn.reads} - written))
