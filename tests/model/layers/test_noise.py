"""Noise: its distributions, and that what is drawn depends on the frame's seed alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.model.layers.noise import Noise
from rillnet.model.net import Net
from rillnet.runtime.program import Program


@pytest.mark.parametrize(
    ("arguments", "mean", "deviation"),
    [
        ({"mean": 2.0, "std": 0.5}, 2.0, 0.5),
        ({"noise": "uniform", "min": -1.0, "max": 3.0}, 1.0, 4 / 12**0.5),
        ({"noise": "Bernoulli", "prob": 0.25}, 0.25, (0.25 * 0.75) ** 0.5),
    ],
)
def test_moments(arguments: dict[str, Any], mean: float, deviation: float) -> None:
    added = Noise(**arguments)(torch.full((200_000,), 10.0)) - 10

    assert added.mean().item() == pytest.approx(mean, abs=0.02)
    assert added.std().item() == pytest.approx(deviation, abs=0.02)


def test_bounds() -> None:
    uniform = Noise("uniform", min=-1.0, max=3.0)(torch.zeros(1000))
    bernoulli = Noise("Bernoulli")(torch.zeros(1000))

    assert uniform.min() >= -1
    assert uniform.max() <= 3
    assert set(bernoulli.tolist()) == {0.0, 1.0}


def test_a_frame_draws_by_its_seed() -> None:
    net = Net("n", {"x": (3,)}, seed=0).add("noise", Noise())
    program, inputs = Program(net), {"x": torch.zeros(2, 3)}

    first, _ = program(inputs, frame_seed=lambda path: 1)
    again, _ = program(inputs, frame_seed=lambda path: 1)
    other, _ = program(inputs, frame_seed=lambda path: 2)

    assert torch.equal(first["noise"], again["noise"])
    assert not torch.equal(first["noise"], other["noise"])
