"""Windows: the last frames of a run, kept so that learning can go back through them.

A frame is kept as its inputs and the state before it. Going back computes the frames again from the
oldest state, with the parameters of now, and every frame's losses are learned from once: in the step in
which it is new. With as many new frames as the window has this is truncated back-propagation through
time, chunk by chunk; with fewer, windows overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.state import State, detach_state

_KEY = re.compile(r"(?P<step>\d+) (?P<kind>input|state) (?P<name>.*)")

Frame = Callable[[Mapping[str, Tensor], State, int], tuple[Mapping[str, Any], State]]
"""Computes a frame from its inputs, the state before it, and its number."""


@dataclass
class _Kept:
    step: int
    inputs: dict[str, Tensor]
    state: State | None = None


class Window:
    """The last frames of a run.

    Args:
        frames: how many frames learning looks back over.
        every: how many new frames come between two learning steps, at most `frames`.

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

    def __init__(self, frames: int, every: int) -> None:
        self.frames, self.every = frames, every
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

    def compute(self, frame: Frame, state: State) -> tuple[list[Mapping[str, Any]], State]:
        """Computes the frames of the window in a row, with a graph through all of them.

        Args:
            frame: computes one of them.
            state: the state before the first of the new ones.

        Returns:
            What the new frames sent, and the state after the last, cut off the graph.
        """
        before = self._kept[0].state
        state = state if before is None else before
        sent = []
        for kept in self._kept:
            kept.state = detach_state(state)
            outputs, state = frame(kept.inputs, state, kept.step)
            sent.append(outputs)
        fresh = sent[-self._new :]
        staying = self.frames - self.every
        self._kept = self._kept[-staying:] if staying else []
        self._new = 0
        return fresh, detach_state(state)

    def clear(self) -> None:
        """Forgets all frames."""
        self._kept, self._new = [], 0

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
