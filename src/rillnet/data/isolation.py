"""Foreign code that draws random numbers: made repeatable, without disturbing anybody else's draws."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seeds the global generators of Python, NumPy and torch (CPU), and puts them back at the end.

    Data sets of users draw their random transforms from these. Seeded batch by batch they draw the same
    in a resumed run as in an unbroken one, in the run's own process as in any worker.

    Args:
        seed: what the generators start from.

    Example:
        >>> def draw():
        ...     with isolated(3):
        ...         return random.random(), torch.rand(()).item()
        >>> draw() == draw()
        True
    """
    python, numpy, torch_state = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.default_generator.set_state(torch_state)
