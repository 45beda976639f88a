"""Mean fields and Gibbs steps of the layers of a deep machine, in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rillnet.training.learning_rules.divergence.stack import Stack


class LayerWalk:
    """Takes the layers of a deep machine in turn: all at odd places, then all at even ones.

    Args:
        stack: the machine.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._memory: dict[tuple[str, int], Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Looks at the parameters anew: they may have been replaced or moved."""
        machine = self.stack.machine
        self._kinds, self._weights, self._biases = machine.kinds, machine.weights, machine.biases

    @property
    def odd(self) -> range:
        """The places of the layers that chains go on from."""
        return range(1, len(self._biases), 2)

    @property
    def even(self) -> range:
        """The places of the others, the visible layer among them."""
        return range(0, len(self._biases), 2)

    def mean_field(self, v_NV: Tensor, steps: int) -> list[Tensor]:
        """The data and the expected hidden units, after so many steps; see `DeepBoltzmann.mean_field`."""
        layers = [v_NV]
        for place in range(1, len(self._biases)):
            double = 1.0 if place + 1 == len(self._biases) else 2.0
            layers.append(self._mean("data", place, [(layers[-1], self._weights[place - 1].T)], double))
        for _ in range(steps):
            for place in [*self.odd, *self.even[1:]]:
                layers[place] = self.mean(layers, place, "data")
        return layers

    def mean(self, layers: Sequence[Tensor], place: int, memory: str) -> Tensor:
        """The expected units of one layer, given the layers next to it; in a memory of this name."""
        read = []
        if place > 0:
            read.append((layers[place - 1], self._weights[place - 1].T))
        if place + 1 < len(self._biases):
            read.append((layers[place + 1], self._weights[place]))
        return self._mean(memory, place, read)

    def beginnings(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """Layers of chains that begin, as if no weight joined them."""
        return self.stack.machine.alone(count, generator)

    def steps(
        self, layers: Sequence[Tensor], count: int, generator: torch.Generator
    ) -> tuple[list[Tensor], list[Tensor]]:
        """So many turns of the chains.

        Args:
            layers: where they begin; only those at odd places count.
            count: how many turns.
            generator: draws.

        Returns:
            Samples: drawn layers at even places, and what is expected then at odd ones. And where the chains go on: the
            same with odd layers drawn.
        """
        drawn, expected = list(layers), list(layers)
        for _ in range(count):
            for places in (self.even, self.odd):
                for place in places:
                    expected[place] = self.mean(drawn, place, "model")
                    out = self._at("drawn", place, layers[place].shape[0])
                    drawn[place] = self._kinds[place].draw_about(expected[place], generator, out)
        sampled = [drawn[place] if place in self.even else expected[place] for place in range(len(drawn))]
        return sampled, drawn

    def _mean(self, memory: str, place: int, read: Sequence[tuple[Tensor, Tensor]], factor: float = 1.0) -> Tensor:
        kind, out = self._kinds[place], self._at(memory, place, read[0][0].shape[0])
        torch.addmm(self._biases[place], *read[0], alpha=factor * kind.gain, out=out)
        for more in read[1:]:
            out.addmm_(*more, alpha=kind.gain)
        return kind.squash_(out)

    def _at(self, memory: str, place: int, streams: int) -> Tensor:
        like, found = self._biases[place], self._memory.get((memory, place))
        if found is None or found.shape[0] != streams or found.dtype != like.dtype or found.device != like.device:
            found = self._memory[memory, place] = like.new_empty(streams, like.numel())
        return found
