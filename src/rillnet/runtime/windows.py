"""Windows: the last frames of a run, kept so that learning can go back through them.

A frame is kept as its inputs, and the oldest one with the state before it. Going back computes the frames
again from there, with the parameters of now, and every frame's losses are learned from once: in the step in
which it is new. With as many new frames as the window has this is truncated back-propagation through
time, chunk by chunk; with fewer, windows overlap.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rillnet.runtime.recomputation import recomputed
from rillnet.runtime.state import State, detach_state

Memory = Literal["high", "low"]
"""Whether all that a window computes is kept until gradients have flowed back, or computed again then."""

_KEY = re.compile(r"(?P<step>\d+) (?P<kind>input|state) (?P<name>.*)")

Sent = Mapping[str, Any]

Frame = Callable[[Mapping[str, Tensor], State, int], tuple[Sent, State]]
"""Computes a frame from its inputs, the state before it, and its number."""

FramesInARow = Callable[[Sequence[tuple[Mapping[str, Tensor], int]], State], tuple[Sequence[Sent], State]]
"""Computes several frames from their inputs with their numbers, and the state before the first."""


@dataclass
class _Kept:
    step: int
    inputs: dict[str, Tensor]
    state: State | None = None


Mark = tuple[list[_Kept], int]
"""Frames of a window, and how many of them are new."""


class Window:
    """The last frames of a run.

    Args:
        frames: how many frames learning looks back over.
        every: how many new frames come between two learning steps, at most `frames`.
        memory: `low` keeps about the square root of the window's frames at a time, and computes them twice.

    Example:
        >>> import torch
        >>> window = Window(frames=2, every=1)
        >>> def add(inputs, state, step):
        ...     return {"sum": state["sum"] + inputs["x"]}, {"sum": state["sum"] + inputs["x"]}
        >>> for step in range(3):
        ...     window.add(step, {"x": torch.tensor(1.0)})
        ...     outputs, state = window.compute(add, {"sum": torch.tensor(0.0)})
        >>> [float(frame["sum"]) for frame in outputs], sorted(window.tensors())
        ([3.0], ['2 input x', '2 state sum', 'new'])
    """

    def __init__(self, frames: int, every: int, memory: Memory = "high") -> None:
        self.frames, self.every, self.memory = frames, every, memory
        self._kept: list[_Kept] = []
        self._new = 0

    def add(self, step: int, inputs: Mapping[str, Tensor]) -> None:
        """Takes in the inputs of a frame."""
        self._kept.append(_Kept(step, dict(inputs)))
        self._new += 1

    @property
    def is_due(self) -> bool:
        """Whether enough new frames have come to learn from."""
        return self._new >= self.every

    def compute(
        self, frame: Frame, state: State, net: nn.Module | None = None, in_a_row: FramesInARow | None = None
    ) -> tuple[list[Sent], State]:
        """Computes the frames of the window in a row, with a graph through all of them.

        Args:
            frame: computes one of them.
            state: the state before the first of the new ones.
            net: what they are frames of; needed where memory is low.
            in_a_row: computes several frames, each with its number; None calls `frame` for each.

        Returns:
            What the new frames sent, and the state after the last, cut off the graph.
        """
        kept = self._kept
        state = state if kept[0].state is None else kept[0].state
        # the next window begins with the frame that is first among those that stay
        first = max(0, len(kept) - (self.frames - self.every))
        sent: list[Sent] = []
        for begin, end in self._parts(first):
            if begin == first:
                kept[first].state = detach_state(state)
            run = functools.partial(_run, frame, kept[begin:end], state)
            outputs: Sequence[Sent]
            if self.memory == "low" and net is not None:
                outputs, state = recomputed(run, list(state.values()), net)
            elif in_a_row is not None and self.every == self.frames:
                outputs, state = in_a_row([(one.inputs, one.step) for one in kept[begin:end]], state)
            else:
                outputs, state = run()
            sent += outputs
        fresh = sent[-self._new :]
        self._kept, self._new = kept[first:], 0
        return fresh, detach_state(state)

    def _parts(self, first: int) -> list[tuple[int, int]]:
        """Frames that are computed together, from one on and before another; a part begins at the first that stays."""
        whole = len(self._kept)
        size = math.isqrt(whole - 1) + 1 if self.memory == "low" else whole
        borders = sorted({*range(0, whole, size), first, whole})
        return list(itertools.pairwise(borders))

    def clear(self) -> None:
        """Forgets all frames."""
        self._kept, self._new = [], 0

    def mark(self) -> Mark:
        """What it holds now, for `back_to`."""
        return [replace(one) for one in self._kept], self._new

    def back_to(self, mark: Mark) -> None:
        """Holds again what it held.

        Args:
            mark: what `mark` gave.
        """
        kept, self._new = mark
        self._kept = [replace(one) for one in kept]

    def tensors(self) -> dict[str, Tensor]:
        """What must be kept to go on exactly, by number of the frame and name."""
        found = {"new": torch.tensor(self._new)}
        for kept in self._kept:
            found |= {f"{kept.step} input {name}": tensor for name, tensor in kept.inputs.items()}
            found |= {f"{kept.step} state {name}": tensor for name, tensor in (kept.state or {}).items()}
        return found

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Sets what was kept."""
        self.clear()
        by_step: dict[int, _Kept] = {}
        for key, tensor in tensors.items():
            found = _KEY.fullmatch(key)
            if found is None:
                continue
            kept = by_step.setdefault(int(found["step"]), _Kept(int(found["step"]), {}))
            if found["kind"] == "input":
                kept.inputs[found["name"]] = tensor
            else:
                kept.state = {**(kept.state or {}), found["name"]: tensor}
        self._kept = [by_step[step] for step in sorted(by_step)]
        self._new = int(tensors["new"]) if self._kept else 0


def _run(frame: Frame, kept: Sequence[_Kept], state: State) -> tuple[list[Sent], State]:
    sent = []
    for one in kept:
        outputs, state = frame(one.inputs, state, one.step)
        sent.append(outputs)
    return sent, state
