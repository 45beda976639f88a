"""In which order examples are drawn: a function of the seed, the phase and the epoch, and of nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.random import derive


def generator(seed: int, *words: str | int) -> torch.Generator:
    """A generator of random numbers for whatever the words name; see `rillnet.random.derive`."""
    return torch.Generator().manual_seed(derive(seed, *words))


def shuffled(count: int, seed: int, phase: str, epoch: int) -> Tensor:
    """The order of an epoch: a permutation of 0 .. count - 1, int64 [count].

    Example:
        >>> sorted(shuffled(4, seed=1, phase="train", epoch=0).tolist())
        [0, 1, 2, 3]
    """
    return torch.randperm(count, generator=generator(seed, "data", phase, "order", epoch))


def held_out(count: int, held: int, seed: int) -> tuple[Tensor, Tensor]:
    """Positions that stay and positions that are held out for validation, each ascending, int64.

    Args:
        count: examples there are.
        held: examples to hold out.
        seed: the experiment's seed.
    """
    drawn = torch.randperm(count, generator=generator(seed, "data", "validation"))
    return drawn[held:].sort().values, drawn[:held].sort().values
