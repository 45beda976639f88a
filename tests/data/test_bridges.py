"""Random processes drawn between values that lie further apart, against processes that are stepped."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rillnet.data.bridges import LONGEST, Bridge, Bridged, Returning, Wandering


def values(bridge: Bridge, frames: range, streams: int = 400, seed: int = 1) -> Tensor:
    """[streams, frames]"""
    process = Bridged(bridge, (streams, 1), seed)
    return torch.stack([process.at(frame)[:, 0] for frame in frames], dim=1)


def stepped(tau: float, frames: int, streams: int) -> Tensor:
    """The same process from frame to frame, slowly."""
    r = math.exp(-1 / tau)
    x = torch.randn(streams, dtype=torch.float64)
    found = [x]
    for _ in range(frames - 1):
        x = r * x + math.sqrt(1 - r * r) * torch.randn(streams, dtype=torch.float64)
        found.append(x)
    return torch.stack(found, dim=1)


@pytest.mark.parametrize("tau", [0.5, 5.0, 200.0])
def test_what_returns_has_the_covariances_of_the_stepped_process(tau: float) -> None:
    drawn, reference = values(Returning(tau), range(100, 230), 4000), stepped(tau, 130, 4000)
    for lag in (0, 1, 2, 7, 64, 129):
        expected = math.exp(-lag / tau)
        for found in (drawn, reference):
            covariance = (found[:, : 130 - lag] * found[:, lag:]).mean().item()
            assert covariance == pytest.approx(expected, abs=0.06)


def test_steps_of_a_walk_are_normal_and_know_nothing_of_each_other() -> None:
    steps = values(Wandering(0.5), range(50, 200), 2000).diff(dim=1)

    assert steps.mean().item() == pytest.approx(0, abs=0.01)
    assert steps.std().item() == pytest.approx(0.5, rel=0.01)
    correlation = (steps[:, 1:] * steps[:, :-1]).mean() / steps.var()
    assert correlation.item() == pytest.approx(0, abs=0.01)
    # over the border between two blocks of frames as well
    assert steps[:, 13].std().item() == pytest.approx(0.5, rel=0.06)


def test_a_walk_spreads_with_the_root_of_time() -> None:
    walk = values(Wandering(2.0), range(0, 1000, 100), 4000)

    assert (walk[:, 0] == 0).all()
    assert walk[:, 9].std().item() == pytest.approx(2 * 30, rel=0.05)


@given(st.integers(0, LONGEST - 2), st.sampled_from([Wandering(1.0), Returning(9.0)]))
def test_any_frame_can_be_read_at_once(frame: int, bridge: Bridge) -> None:
    unbroken = Bridged(bridge, (3, 2), seed=4)
    unbroken.at(frame)
    after = unbroken.at(frame + 1)

    assert torch.equal(Bridged(bridge, (3, 2), seed=4).at(frame + 1), after)
    assert torch.isfinite(after).all()
