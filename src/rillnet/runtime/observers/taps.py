"""Taps: what blocks send is kept for viewers in the frame that is due, while it is computed anyway."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from rillnet.model.flat import FlatNet, FlatSource, part
from rillnet.runtime.grouping.frame import GroupTurn
from rillnet.runtime.plan import Plan, Seeds, works_in_place
from rillnet.runtime.prepared import Part
from rillnet.runtime.state import detach_state
from rillnet.runtime.turns import EagerTurns
from rillnet.runtime.window_values import WindowValues

Piece = Callable[[list[Any], Seeds | None], None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame was computed from.

    Args:
        inputs: by name.
        state: before it.
        step: its number.
        begins: which streams begin anew with it, where the state does not know yet.
    """

    inputs: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    step: int
    begins: Tensor | None = None


class Tapped(Protocol):
    """A program that can be tapped."""

    taps: Any


LookAgain = Callable[[Iterable[FlatSource], Frame], Mapping[FlatSource, Tensor]]


class Taps:
    """Keeps what some blocks send in the newest frame, and from what that was computed.

    An executor tells it of frames, a program of what blocks send, an optimizer of gradients.

    Attributes:
        wanted: what is to be kept, by block.
        values: what was kept.
        gradients: of parameters, by address, as an optimizer was given them.
        frame: what the newest frame was computed from.
        is_done: whether a frame was computed since something was asked for.
    """

    def __init__(self) -> None:
        self.wanted: dict[str, list[FlatSource]] = {}
        self.values: dict[FlatSource, Tensor] = {}
        self.gradients: dict[str, Tensor] = {}
        self.frame: Frame | None = None
        self.is_done = False
        self._parameters: frozenset[str] = frozenset()
        self._newest: int | None = None
        self._changed: tuple[FlatNet, set[str]] | None = None
        self._copied: set[str] = set()

    # --- of the hub ---------------------------------------------------------------------------

    def ask(self, wanted: Iterable[FlatSource], gradients: Iterable[str], flat: FlatNet) -> None:
        """Says what is to be kept of the next frame.

        Args:
            wanted: what blocks send.
            gradients: addresses of parameters.
            flat: the net.
        """
        self.forget()
        self.is_done = False
        for source in wanted:
            self.wanted.setdefault(source.block, []).append(source)
        self._parameters = frozenset(gradients)
        self._copied = self._changed_later(flat) if self.wanted else set()

    def forget(self) -> None:
        """Lets go of all that was kept and asked for; what the newest frame was computed from stays."""
        self.wanted, self.values, self.gradients, self._parameters = {}, {}, {}, frozenset()

    def _changed_later(self, flat: FlatNet) -> set[str]:
        """Blocks that others which work in place change what was sent of."""
        if self._changed is None or self._changed[0] is not flat:
            readers = (block for name, block in flat.blocks.items() if works_in_place(flat.module(name)))
            self._changed = flat, {source.block for block in readers for source in block.sources}
        return self._changed[1]

    @property
    def wants_gradients(self) -> bool:
        """Whether any gradient is to be kept."""
        return bool(self._parameters)

    def see_gradients(self, parameters: Mapping[str, Tensor]) -> None:
        """Keeps gradients before an optimizer uses them.

        Args:
            parameters: by address.
        """
        for address in self._parameters:
            gradient = parameters[address].grad if address in parameters else None
            if gradient is not None:
                self.gradients[address] = gradient.detach().clone()

    # --- of an executor -----------------------------------------------------------------------

    def begin(self, step: int) -> None:
        """A training frame will be computed, maybe with others before it.

        Args:
            step: its number.
        """
        self._newest = step

    def enter(self, program: Tapped, frame: Frame) -> None:
        """A program is about to compute a frame.

        Args:
            program: the program.
            frame: from what; one that is not the newest is let pass.
        """
        is_newest = frame.step == self._newest
        program.taps = self if is_newest and self.wanted else None
        if is_newest:
            self.frame = frame

    def enter_window(self, program: Tapped, frame: Frame) -> None:
        """A program is about to compute the frames of a window at once.

        Args:
            program: the program.
            frame: from what the first one is computed.
        """
        program.taps = self if self.wanted else None
        self.frame = frame

    def leave(self, program: Tapped, outputs: Mapping[str, Any], look: LookAgain, *, has_graph: bool) -> None:
        """The frame is computed, and no parameter is changed yet.

        Args:
            program: that computed it.
            outputs: what it sent.
            look: computes single blocks of a frame once more.
            has_graph: whether the state before it may have one, which must not be held on to.
        """
        program.taps, self._newest, self.is_done = None, None, True
        if self.frame is not None and has_graph:
            self.frame = replace(self.frame, state=detach_state(self.frame.state))
        for name in self.wanted:
            if name in outputs:
                self.keep(name, outputs[name])
        missing = [one for sources in self.wanted.values() for one in sources if one not in self.values]
        if missing and self.frame is not None:
            self.values.update(look(missing, self.frame))

    # --- of programs --------------------------------------------------------------------------

    def keep(self, block: str, sent: Any) -> None:
        """Keeps what a block sends.

        Args:
            block: its path.
            sent: a tensor, or nested ones.
        """
        for source in self.wanted.get(block, ()):
            try:
                value = part(sent, source.place)
            except (IndexError, TypeError, KeyError):
                continue
            if isinstance(value, Tensor):
                self.values[source] = value.detach().clone() if block in self._copied else value.detach()

    def around(self, parts: Sequence[Part]) -> Iterator[Piece]:
        """The parts of a frame, such that what is wanted of them is kept.

        Args:
            parts: in order.
        """
        for piece in parts:
            if isinstance(piece, EagerTurns):
                yield functools.partial(piece.tapped, blocks=self.wanted, keep=self.keep)
                continue
            yield piece
            if isinstance(piece, GroupTurn):
                yield functools.partial(self._keep_group, piece)

    def _keep_group(self, group: GroupTurn, values: list[Any], seeds: Seeds | None) -> None:
        stacked = values[group.result]
        for row, turn in enumerate(group.draft.turns):
            if turn.path in self.wanted:
                self.keep(turn.path, stacked[row] if stacked is not None else values[turn.result])

    def keep_newest(self, plan: Plan, values: WindowValues) -> None:
        """Keeps what blocks send in the last frame of a window.

        Args:
            plan: of a frame.
            values: of the window.
        """
        register = {source: number for number, source in plan.origins.items() if not source.delay}
        for block, sources in self.wanted.items():
            for source in sources:
                for known in dict.fromkeys((source, FlatSource(block))):
                    sent = values.newest(register[known]) if known in register else None
                    if sent is None:
                        continue
                    found = sent if known.place else part(sent, source.place)
                    if isinstance(found, Tensor):
                        self.values[source] = found.detach()
                        break

    def keep_parts(self, values: Mapping[str, Any]) -> None:
        """Keeps what this process has of what blocks send.

        Args:
            values: of a frame, by block.
        """
        for block in self.wanted:
            if values.get(block) is not None:
                self.keep(block, values[block])
