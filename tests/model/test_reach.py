"""Which blocks a loss learns through, and whether it compares like with like."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.model.reach import late, out_of_reach


def deep() -> rn.Net:
    """Two layers before a loss."""
    net = rn.Net("deep", {"x": (3,), "y": (2,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("act", rn.Tanh()).add("b", rn.Linear(out_features=2))
    return net.add("loss", rn.MeanSquaredError(), source=["b", "y"])


def test_blocks_beyond_the_window_are_named_with_their_distance() -> None:
    streaming = rn.Rollout.streaming(deep())
    assert out_of_reach(streaming, ["loss"], 1) == {"a": 1}
    assert out_of_reach(streaming, ["loss"], 2) == {}
    assert out_of_reach(rn.Rollout.sequential(deep()), ["loss"], 1) == {}


def test_the_shortest_way_counts() -> None:
    net = deep().add("skip", rn.Concat(), source=["a", "b"])
    net.add("second", rn.MeanSquaredError(), source=["skip", "skip"])
    assert out_of_reach(rn.Rollout(net, {"a->act": 3}), ["loss", "second"], 1) == {}
    assert out_of_reach(rn.Rollout(net, {"a->act": 3}), ["loss"], 1) == {"a": 3}


def test_what_learns_nothing_anyway_is_not_named() -> None:
    net = deep()
    net["a"].requires_grad_(False)
    assert out_of_reach(rn.Rollout.streaming(net), ["loss"], 1) == {}


def test_a_loss_that_reads_two_frames_is_told() -> None:
    assert late(rn.Rollout.streaming(deep()), ["loss"]) == {"loss": ("y", 2)}
    assert late(rn.Rollout.streaming(deep(), align=True), ["loss"]) == {}
    assert late(rn.Rollout(deep(), {"y->loss": 3}), ["loss"]) == {"loss": ("y", -3)}


@pytest.mark.parametrize(
    ("rollout", "told"),
    [
        ("sequential", []),
        (
            {"default": "streaming", "align": True},
            ["learning/main: a learns nothing, as the window of 1 frame is too short; window: 2 reaches every block"],
        ),
        (
            "streaming",
            [
                "learning/main: a learns nothing, as the window of 1 frame is too short; window: 2 reaches every block",
                "learning/main: loss compares examples with the y of others, 2 batches away; "
                "rollout: {default: streaming, align: true} brings them together",
            ],
        ),
    ],
)
def test_a_session_tells_it_before_it_begins(rollout: object, told: list[str]) -> None:
    source = {"x": torch.zeros(16, 3), "y": torch.zeros(16, 2)}
    made = rn.Experiment(
        net=deep(), data={"source": source, "batch_size": 8}, learning="Backprop", rollout=rollout, run={"steps": 2}
    )
    said: list[str] = []
    with rn.Session(made, record=False, say=said.append) as session:
        session.run(progress=False)
    assert [line for line in said if line.startswith("learning/")] == told
