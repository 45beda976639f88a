"""Foreign random draws: repeatable inside, unnoticed outside."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from rillnet.data.isolation import isolated


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_the_same_seed_gives_the_same_draws() -> None:
    with isolated(5):
        first = draws()
    with isolated(5):
        again = draws()
    with isolated(6):
        other = draws()

    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_outside_nothing_changes() -> None:
    for module in (random, np.random):
        module.seed(1)
    torch.manual_seed(1)
    expected = draws(), draws()

    for module in (random, np.random):
        module.seed(1)
    torch.manual_seed(1)
    before = draws()
    with isolated(3):
        draws()
    assert (before, draws()) == expected


def test_a_fault_inside_puts_the_generators_back() -> None:
    state = random.getstate()
    with pytest.raises(IndexError), isolated(3):
        random.choice([])

    assert random.getstate() == state


def test_large_seeds_are_taken() -> None:
    with isolated(2**63 - 1):
        draws()
