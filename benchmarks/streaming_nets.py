"""The nets of the streaming benchmark: as documents, and as the numbers that its peers are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class StreamingCase:
    """Pools that each read some others, one frame ago, and work on one stream.

    Args:
        name: on the command line and in tables.
        pools: how many.
        shape: what each sends: [units], or [features, x, y].
        sources: how many each reads, at random among all pools and the input; 0 for a chain.
        act: relu or tanh.
        target: how many times the plain loop's frames per second are wanted.
        steps: frames of a turn.
    """

    name: str
    pools: int
    shape: tuple[int, ...]
    sources: int
    act: str
    target: float
    steps: int

    def __post_init__(self) -> None:
        assert self.act in ("relu", "tanh")

    @property
    def read(self) -> list[list[int]]:
        """What each pool reads: 0 is the input, n + 1 the pool n."""
        if not self.sources:
            return [[number] for number in range(self.pools)]
        generator = torch.Generator().manual_seed(self.pools)
        found = torch.randint(self.pools + 1, (self.pools, self.sources), generator=generator)
        return [list(map(int, row)) for row in found]

    def document(self) -> dict[str, Any]:
        """The net in rillnet's words."""
        names = ["x", *(f"pool{number}" for number in range(self.pools))]
        field = {} if len(self.shape) == 1 else {"rf": 3}
        blocks = {}
        for number, read in enumerate(self.read):
            sources = [f"{names[row]}@-1" if row else "x@-1" for row in read]
            through = {"source": sources, "via": "Synapse", "bias_shapes": False, **field}
            blocks[names[number + 1]] = {"type": "Pool", "shape": self.shape, "act": self.act, "from": [through]}
        return {"inputs": {"x": list(self.shape)}, "blocks": blocks}

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Of all weights: pools, sources, units sent, units read, and a kernel."""
        kernel = () if len(self.shape) == 1 else (3, 3)
        return (self.pools, max(self.sources, 1), self.shape[0], self.shape[0], *kernel)

    def parameters(self) -> tuple[Tensor, Tensor]:
        """Weights and biases, drawn."""
        generator = torch.Generator().manual_seed(1)
        shape = self.weight_shape
        fan = shape[1] * shape[3] * (9 if len(shape) > 4 else 1)
        weights = torch.randn(shape, generator=generator) / fan**0.5
        return weights, 0.1 * torch.randn(self.pools, self.shape[0], generator=generator)

    def inputs(self, count: int) -> list[Tensor]:
        """What the input shows, frame by frame, to one stream."""
        generator = torch.Generator().manual_seed(2)
        return [torch.randn(1, *self.shape, generator=generator) for _ in range(count)]


CASES = {
    case.name: case
    for case in (
        StreamingCase("chain", 10, (32, 32, 32), 0, "relu", 1.3, 60),
        StreamingCase("convolutional", 1_000, (8, 8, 8), 3, "relu", 20, 12),
        StreamingCase("dense", 10_000, (16,), 4, "tanh", 100, 30),
    )
}


def dense_case(pools: int) -> StreamingCase:
    """The dense net with another number of pools."""
    return StreamingCase(f"dense-{pools}", pools, (16,), 4, "tanh", 0, max(2, 300_000 // pools))
