"""Lags: delays that are taken from the rollout, so that targets meet predictions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.net import Net
from tests.model.random_nets import documents


def chain(depth: int = 3) -> rn.Net:
    net = rn.Net("chain", inputs={"x": (2,), "y": (2,)})
    for number in range(depth):
        net.add(f"fc{number}", rn.Linear(out_features=2), source=f"fc{number - 1}" if number else "x")
    return net.add("loss", rn.MeanSquaredError(), source=[f"fc{depth - 1}", "y"])


def test_auto_is_what_the_prediction_takes_longer() -> None:
    auto = {"y->loss": "auto"}
    assert rn.Rollout(chain(), auto).delays["y->loss"] == 0
    assert rn.Rollout(chain(), auto, default="streaming").delays["y->loss"] == 3
    assert rn.Rollout(chain(), {**auto, "fc1->fc2": 4}, default="streaming").delays["y->loss"] == 6
    assert rn.Rollout(chain(), {**auto, "fc2->loss": 2}, default="streaming").delays["y->loss"] == 5


def test_a_pattern_may_be_auto_and_an_exact_name_wins() -> None:
    net = chain().add("hits", rn.MeanSquaredError(), source=["fc1", "y"])
    assert {k: d for k, d in rn.Rollout(net, {"y->*": "auto"}, default=1).delays.items() if k.startswith("y")} == {
        "y->loss": 4,
        "y->hits": 3,
    }
    assert rn.Rollout(net, {"y->*": "auto", "y->loss": 1}, default="streaming").delays["y->loss"] == 1


def test_targets_on_their_way_count_as_well() -> None:
    net = rn.Net("delayed", inputs={"x": (2,), "y": (2,)}).add("fc", rn.Linear(out_features=2), source="x@-3")
    net.add("target", rn.Identity(), source="y@-1").add("loss", rn.MeanSquaredError(), source=["fc", "target"])
    assert rn.Rollout(net, {"target->loss": "auto"}).delays["target->loss"] == 2


def test_aligned_streaming_needs_no_lag_and_keeps_it() -> None:
    aligned = rn.Rollout.streaming(chain(), align=True)
    assert rn.Rollout(chain(), {"y->loss": "auto"}, default="streaming", align=True).delays == aligned.delays


def test_the_first_of_several_paths_counts_and_it_is_said() -> None:
    net = chain(2).add("sum", rn.Sum(), source=["fc0", "fc1"]).add("both", rn.MeanSquaredError(), source=["sum", "y"])
    rollout = rn.Rollout(net, {"y->both": "auto", "y->loss": "auto"}, default="streaming")
    assert [str(lag) for lag in rollout.lags] == [
        "lag: y->loss has a delay of 2 frames and meets the first response of fc1",
        "lag: y->both has a delay of 1 frame and meets the first response of sum, whose paths take 1 and 2 frames",
    ]
    assert rn.Rollout(net).lags == ()


def test_recurrent_nets_have_lags() -> None:
    net = rn.Net("rnn", inputs={"x": (3,), "y": (3,)}).add("rnn", rn.SimpleRNN(hidden_size=3), source="x")
    net.add("out", rn.Linear(out_features=3)).add("loss", rn.MeanSquaredError(), source=["out", "y"])
    assert rn.Rollout(net, {"y->loss": "auto"}, default="streaming").delays["y->loss"] == 2


def told(net: rn.Net, delays: dict[str, Any]) -> str:
    with pytest.raises(RequestError) as error:
        rn.Rollout(net, delays)
    return str(error.value)


def test_the_prediction_itself_cannot_be_auto() -> None:
    assert told(chain(), {"fc2->loss": "auto"}) == (
        "rollout.delays.fc2->loss: auto is measured against what loss reads first, which is fc2 itself; say frames"
    )


def test_a_target_that_comes_later_than_the_prediction_is_told() -> None:
    net = chain().add("slow", rn.Identity(), source="y@-2").add("late", rn.MeanSquaredError(), source=["fc2", "slow"])
    assert told(net, {"slow->late": "auto"}) == (
        "rollout.delays.slow->late: auto would be negative: slow comes 2 frames after fc2; "
        'delay the other: {"fc2->late": 2}'
    )
    assert rn.Rollout(net, {"slow->late": "auto", "fc2->late": 2}).delays["slow->late"] == 0


def test_another_word_is_told() -> None:
    assert told(chain(), {"y->loss": "atuo"}) == (
        "rollout.delays.y->loss: must be a whole number of frames, 0 or more, or auto (got 'atuo')"
    )


def test_a_target_that_no_input_reaches_is_told() -> None:
    blocks = {
        "fc": {"type": "Linear", "from": "x", "out_features": 2},
        "own": {"type": "Tanh", "from": "own@-1", "shape": [2]},
        "loss": {"type": "MeanSquaredError", "from": ["fc", "own"]},
    }
    net = rn.Net.from_spec({"inputs": {"x": [2]}, "blocks": blocks})
    assert told(net, {"own->loss": "auto"}) == (
        "rollout.delays.own->loss: auto needs a path from an input to own, and there is none; say how many frames"
    )


@settings(max_examples=40)
@given(documents(cyclic=False, delays=1), st.sampled_from(["sequential", "streaming", 1, 2]), st.data())
def test_auto_equals_the_delay_written_by_hand(document: Any, default: Any, data: st.DataObject) -> None:
    """The target is the first input, the prediction any block: the delay is the shortest way from any input to it."""
    names = list(document["blocks"])
    prediction = data.draw(st.sampled_from(names))
    loss = {"type": "MeanSquaredError", "from": [prediction, "x0"]}
    net = Net.from_spec({**document, "blocks": {**document["blocks"], "loss": loss}}, seed=1)
    plain = rn.Rollout(net, default=default)
    (first, *_) = plain.sources("loss")
    shortest = min(min(plain.path_delays(name, first.block), default=99) for name in net.inputs)
    expected = shortest + first.delay

    rollout = rn.Rollout(net, {"x0->loss": "auto"}, default=default)

    key = "x0->loss" if "x0->loss" in rollout.delays else "x0->loss#1"
    assert rollout.delays[key] == expected
    assert rollout.delays == rn.Rollout(net, {key: expected}, default=default).delays
