"""Interventions as records that a checkpoint holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.flat import FlatNet
from rillnet.runtime.interventions.records import Clamp, InForce, Lesion, Noise, What, prepared
from rillnet.runtime.interventions.targets import find_targets


def flat_net(features: int = 4) -> FlatNet:
    net = rn.Net("n", inputs={"x": (2,)}, seed=1).add("a", rn.Linear(out_features=features)).add("b", rn.Tanh())
    return rn.Rollout.sequential(net).flat


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("a", Clamp(0.1)),
        ("a[1:3]", Clamp([1.5, -2])),
        ("a", Clamp(torch.tensor([1.0, 2.0, 3.0, 1e-30]))),
        ("x[0]", Clamp("normal(0.5, 2)")),
        ("b[::2]", Noise(0.25)),
        ("b", Lesion()),
        ("a->b", Lesion()),
    ],
)
def test_a_record_brings_back_all_of_it(target: str, what: What) -> None:
    flat = flat_net()
    (found,) = find_targets(flat, target)
    one = prepared(what, found, 3)

    again = InForce.of_record(flat, json.loads(json.dumps(one.record())))

    assert again is not None
    assert again.record() == one.record()
    assert again.described() == one.described()
    assert again.key == one.key
    assert (again.mask is None) == (one.mask is None)
    assert type(again.value) is type(one.value)
    if isinstance(one.value, torch.Tensor):
        assert torch.equal(again.value, one.value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "what"), [("a[3]", Lesion()), ("a->b", Lesion()), ("b", Noise(1))])
def test_what_is_gone_or_of_another_shape_is_told_by_none(target: str, what: What) -> None:
    one = prepared(what, find_targets(flat_net(), target)[0], 1)
    other = rn.Net("n", inputs={"x": (2,)}, seed=1).add("a", rn.Linear(out_features=3))

    assert InForce.of_record(rn.Rollout.sequential(other).flat, one.record()) is None


@pytest.mark.parametrize("value", [0.5, 2, "uniform(0, 1)", [1, 2, 3, 4]])
def test_short_values_are_described_as_they_were_said(value: Any) -> None:
    one = prepared(Clamp(value), find_targets(flat_net(), "a")[0], 1)

    assert one.described()["value"] == value


def test_long_values_are_described_by_their_shape() -> None:
    one = prepared(Clamp(torch.arange(40)), find_targets(flat_net(40), "a")[0], 1)

    assert one.described()["value"] == "array [40]"


@pytest.mark.parametrize("std", [-1, float("nan"), "much", None, True])
def test_noise_needs_a_deviation(std: Any) -> None:
    with pytest.raises(RequestError) as caught:
        prepared(Noise(std), find_targets(flat_net(), "a")[0], 1)

    assert str(caught.value) == (f"net/a: the standard deviation of noise must be a number, at least 0 (got {std!r})")
