"""Which answers count, alone and as the mask of a loss in a rollout."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.layers.responses import FirstResponses


def test_the_first_frames_of_a_stimulus_are_marked() -> None:
    marks = FirstResponses(count=3)(torch.tensor([0, 2, 3, 100, -1]))
    assert marks.tolist() == [1, 1, 0, 0, 0]
    assert marks.dtype == torch.float32


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(RequestError) as error:
        rn.Net.from_spec({"inputs": {"t": []}, "blocks": {"m": {"type": "FirstResponses", "from": "t", "count": 0}}})
    assert str(error.value) == "net/m.count: must be at least 1 (got 0)"


def test_with_a_lag_the_first_responses_count_and_nothing_before() -> None:
    net = rn.Net("chain", inputs={"x": (1,), "y": (1,), "onset": rn.Scalar("int64")}, seed=1)
    net.add("a", rn.Linear(out_features=1), source="x").add("b", rn.Linear(out_features=1))
    net.add("counted", FirstResponses(count=2), source="onset")
    net.add("loss", rn.MeanSquaredError(), source=["b", "y", "counted"])
    rollout = rn.Rollout(net, {"*->loss#1": "auto", "*->loss#2": "auto"}, default="streaming")
    frames = [
        {"x": torch.zeros(1, 1), "y": torch.full((1, 1), 100.0), "onset": torch.tensor([number])} for number in range(6)
    ]
    sent, _ = rn.Program(net, rollout, outputs=["loss"]).unroll(frames)
    assert [bool(frame["loss"] > 0) for frame in sent] == [False, False, True, True, False, False]
