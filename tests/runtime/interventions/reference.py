"""What frames of a net with interventions should be, told in the slowest and plainest way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.random import derive
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise, What
from rillnet.runtime.interventions.regions import write_indices
from tests.runtime.reference_interpreter import ReferenceInterpreter


@dataclass(frozen=True)
class Done:
    """Something that is done to a net.

    Args:
        kind: clamp, noise, lesion, or cut for the lesion of an edge.
        block: whose output, or the block that reads.
        value: a number, an array, or the name of a distribution with its two numbers; of noise its deviation.
        at: which units, as Python indexes what is sent for one example.
        source: of an edge that is cut, what is read.
    """

    kind: str
    block: str
    value: Any = None
    at: tuple[Any, ...] = ()
    source: str = ""

    @property
    def text(self) -> str:
        """The target, as it is written."""
        return f"{self.source}->{self.block}" if self.kind == "cut" else self.block + write_indices(self.at)

    @property
    def what(self) -> What:
        """The intervention."""
        if self.kind in ("lesion", "cut"):
            return Lesion()
        if self.kind == "noise":
            return Noise(self.value)
        if isinstance(self.value, tuple):
            return Clamp("{}({}, {})".format(*self.value))
        return Clamp(self.value)


def put_in_force(interventions: Interventions, done: Sequence[Done]) -> None:
    for one in done:
        interventions.set(one.text, one.what)


class IntervenedInterpreter(ReferenceInterpreter):
    """Values of a net's leaf blocks with interventions, frame by frame.

    Args:
        net: the net.
        delays: frames by edge; None takes those that the net itself gives.
        inputs: of each frame, by name.
        done: the interventions, in the order in which they were put in force.
        seed: of what is drawn.
        phase: train, val or test.
        first: the number of the first frame.
    """

    def __init__(
        self,
        net: Net,
        delays: Mapping[str, int] | None,
        inputs: Sequence[Mapping[str, Tensor]],
        done: Sequence[Done],
        seed: int = 0,
        phase: str = "train",
        first: int = 0,
    ) -> None:
        super().__init__(net, delays, inputs)
        self.done, self.seed, self.phase, self.first = done, seed, phase, first

    def value(self, path: str, frame: int) -> Any:
        """What a leaf block or an input sends in a frame."""
        if frame < 0:
            return self._zeros(path)
        if (path, frame) not in self.known:
            computed = self.inputs[frame][path] if path in self.net.inputs else self._computed(path, frame)
            self.known[path, frame] = self._changed(path, frame, computed)
        return self.known[path, frame]

    def _computed(self, path: str, frame: int) -> Any:
        net, prefix, name = self._scope(path)
        read = [self.follow(net, prefix, source) for source in net.blocks[name].sources]
        count = Counter(source for source, _ in read)
        arguments = []
        for port, (source, own) in enumerate(read):
            key = f"{source}->{path}" if count[source] == 1 else f"{source}->{path}#{port}"
            value = self.value(source, frame - (own if self.delays is None else self.delays[key]))
            if any(one.kind == "cut" and (one.source, one.block) == (source, path) for one in self.done):
                value = torch.zeros_like(value)
            arguments.append(value)
        return net[name](*arguments)

    def _changed(self, path: str, frame: int, value: Any) -> Any:
        own = [one for one in self.done if one.block == path and one.kind != "cut"]
        fixed = torch.zeros_like(value, dtype=torch.bool)
        for kind in ("clamp", "lesion"):
            for one in own:
                if one.kind == kind:
                    value, at = value.clone(), _index(value, one)
                    if isinstance(one.value, tuple):
                        value[at] = self._given(one, frame, value)[at]
                    else:
                        value[at] = 0 if one.value is None else one.value
                    fixed[at] = True
        for one in own:
            if one.kind == "noise":
                at = torch.zeros_like(fixed)
                at[_index(value, one)] = True
                value = torch.where(at & ~fixed, value + self._drawn(one, frame, value) * one.value, value)
        return value

    def _given(self, one: Done, frame: int, like: Tensor) -> Tensor:
        kind, first, second = one.value
        if kind == "normal":
            return self._drawn(one, frame, like) * second + first
        return torch.rand(like.shape, generator=self._generator(one, frame)) * (second - first) + first

    def _drawn(self, one: Done, frame: int, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self._generator(one, frame))

    def _generator(self, one: Done, frame: int) -> torch.Generator:
        seed = derive(self.seed, "intervention", f"{one.kind} {one.text}", self.phase, self.first + frame)
        return torch.Generator().manual_seed(seed)


def _index(value: Tensor, one: Done) -> Any:
    """The units of all streams; all there is of what has none, such as a loss."""
    return (slice(None), *one.at) if value.dim() else ...
