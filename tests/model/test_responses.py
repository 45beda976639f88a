"""When answers come, in update steps: the reference models of the paper."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.model.responses import onset_of, response_steps


def reference_net(kind: str) -> rn.Net:
    """The reference models, on the meta device."""
    streams = "@-1" if kind == "hybrid" else ""
    h1: list[Any] = [{"source": "image", "via": "Synapse", "rf": 3}]
    answer: list[Any] = [{"source": "h2", "via": "Synapse"}]
    if kind != "baseline":
        answer.append({"source": f"h1{streams}", "via": "Synapse"})
    if kind in ("recskip", "hybrid"):
        h1.append({"source": "h1@-1", "via": "Synapse", "rf": 3})
    blocks = {
        "h1": {"type": "Pool", "shape": [2, 4, 4], "act": "relu", "from": h1},
        "h2": {"type": "Pool", "shape": [5], "act": "relu", "from": [{"source": f"h1{streams}", "via": "Synapse"}]},
        "prediction": {"type": "Pool", "shape": [3], "from": answer},
    }
    return rn.Net.from_spec({"inputs": {"image": [1, 8, 8]}, "blocks": blocks}, device="meta")


@pytest.mark.parametrize(
    ("kind", "streaming", "sequential"),
    [
        ("baseline", [3, 4, 5], [3, 6, 9]),
        ("skip", [2, 3, 4], [3, 6, 9]),
        ("recskip", [2, 3, 4], [3, 6, 9]),
        ("hybrid", [2, 3, 4], [3, 5, 7]),
    ],
)
def test_the_reference_models_answer_when_the_paper_says(
    kind: str, streaming: list[int], sequential: list[int]
) -> None:
    net = reference_net(kind)
    assert response_steps(rn.Rollout.streaming(net), "prediction", 3) == streaming
    assert response_steps(rn.Rollout.sequential(net), "prediction", 3) == sequential


@pytest.mark.parametrize(("kind", "frames"), [("baseline", (3, 0)), ("skip", (2, 0)), ("hybrid", (2, 1))])
def test_the_frame_of_the_first_answer(kind: str, frames: tuple[int, int]) -> None:
    net = reference_net(kind)
    rollouts = rn.Rollout.streaming(net), rn.Rollout.sequential(net)
    assert tuple(onset_of(rollout, "prediction") for rollout in rollouts) == frames


def test_what_no_input_reaches_never_answers() -> None:
    blocks = {"own": {"type": "Tanh", "from": "own@-1", "shape": [2]}}
    net = rn.Net.from_spec({"inputs": {"x": [2]}, "blocks": blocks})
    assert response_steps(rn.Rollout(net), "own", 3) == []
