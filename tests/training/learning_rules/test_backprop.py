"""Back-propagation: the gradient of its losses and of nothing else, gathered, limited, and kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.registry import check_arguments
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import RULES, Backprop
from rillnet.types import GradientRule, LearningRule
from tests.training.small_experiments import line_net

X, Y = torch.linspace(-1, 1, 8).unsqueeze(1), torch.linspace(-1, 1, 8).unsqueeze(1) * 2 + 1


def line() -> rn.Net:
    net = line_net()
    net.draw(1)
    return net


def rule_on(net: rn.Net, **arguments: Any) -> Backprop:
    return Backprop(net, **{"optimizer": {"type": "SGD", "lr": 0.1}, **arguments})


def learn(net: rn.Net, rule: Backprop, step: int = 0, rows: slice = slice(None)) -> dict[str, Tensor]:
    return rule.learn(net(x=X[rows], y=Y[rows]), Context(step=step, total_steps=10, steps_per_epoch=5))


def weights(net: rn.Net) -> list[float]:
    return [float(parameter.detach()) for parameter in net.parameters()]


def test_it_is_a_rule_that_goes_back_through_the_graph() -> None:
    rule = rule_on(line())
    assert isinstance(rule, LearningRule)
    assert isinstance(rule, GradientRule)
    assert RULES.find("Backprop") is Backprop


def test_several_losses_are_added_with_their_weights() -> None:
    def after(loss: Any) -> list[float]:
        net = line().add("size", rn.MeanSquaredError(), source=["fit", "x"])
        learn(net, rule_on(net, loss=loss))
        return weights(net)

    start, one, other = weights(line()), after("loss"), after("size")
    both, weighted = after(["loss", "size"]), after({"loss": 1, "size": 0.5})
    for begin, a, b, added, halved in zip(start, one, other, both, weighted, strict=True):
        assert added - begin == pytest.approx((a - begin) + (b - begin), rel=1e-5)
        assert halved - begin == pytest.approx((a - begin) + 0.5 * (b - begin), rel=1e-5)


def test_a_loss_of_one_number_per_example_is_averaged() -> None:
    net = rn.Net("each", inputs={"x": (1,)}, seed=1).add("loss", rn.Linear(out_features=1), source="x")
    rule = rule_on(net)
    before = weights(net)
    rule.learn(net(x=X), Context())
    assert weights(net) == pytest.approx([before[0] - 0.1 * float(X.mean()), before[1] - 0.1], abs=1e-6)


def test_only_its_parameters_get_gradients() -> None:
    net = line()
    rule = rule_on(net, parameters="*.bias", accumulate=2)
    before = weights(net)
    learn(net, rule)
    assert net["fit"].weight.grad is None
    assert net["fit"].bias.grad is not None
    learn(net, rule)
    assert weights(net)[0] == before[0]
    assert weights(net)[1] != before[1]


def test_frozen_parameters_stay() -> None:
    net = line()
    net["fit"].bias.requires_grad_(False)
    before = weights(net)
    learn(net, rule_on(net))
    assert weights(net)[1] == before[1]
    assert weights(net)[0] != before[0]


def test_gathering_over_steps_is_one_step_on_all_their_examples() -> None:
    whole, parts = line(), line()
    learn(whole, rule_on(whole))
    rule = rule_on(parts, accumulate=4)
    for number in range(4):
        assert rule.pending == number
        assert learn(parts, rule, number, slice(2 * number, 2 * number + 2)) == {}
    assert rule.pending == 0
    assert weights(parts) == pytest.approx(weights(whole), rel=1e-5)


def test_a_clipped_gradient_reports_its_norm_before() -> None:
    net = line()
    before = weights(net)
    reported = learn(net, rule_on(net, clip=0.01))
    assert float(reported["gradient_norm"]) > 0.01
    moved = torch.tensor(weights(net)) - torch.tensor(before)
    assert float(moved.norm()) == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert not reported["gradient_norm"].requires_grad
    assert learn(net, rule_on(net, clip={"value": 0.01})) == {}


def test_rates_follow_the_curve() -> None:
    net = line()
    rule = rule_on(net, rate=[[0, 0.5], [2, 0.25]])
    assert rule.rates() == {"*": 0.1}  # before the first step
    seen = []
    for step in range(4):
        learn(net, rule, step)
        seen.append(rule.rates()["*"])
    assert seen == [0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_what_is_saved_goes_on_exactly(stop: int) -> None:
    def made() -> tuple[rn.Net, Backprop]:
        net = line()
        return net, rule_on(net, optimizer={"type": "Adam", "lr": 0.1}, accumulate=3, rate="Cosine")

    whole, rule = made()
    for step in range(9):
        learn(whole, rule, step, slice(step % 4, None))

    first, rule = made()
    for step in range(stop):
        learn(first, rule, step, slice(step % 4, None))
    tensors = {key: tensor.clone() for key, tensor in rule.state_tensors().items()}
    values = json.loads(json.dumps(rule.state_values()))
    assert any(key.endswith("#gradient") for key in tensors) == (stop % 3 != 0)

    second, rule = made()
    second.load_state_dict(first.state_dict())
    rule.load_state(tensors, values)
    for step in range(stop, 9):
        learn(second, rule, step, slice(step % 4, None))
    assert weights(second) == weights(whole)


def test_what_is_loaded_replaces_gathered_gradients() -> None:
    net = line()
    rule = rule_on(net, accumulate=2)
    kept = rule.state_tensors(), rule.state_values()
    learn(net, rule)
    rule.load_state(*kept)
    assert rule.pending == 0
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_net_without_parameters_is_told() -> None:
    net = rn.Net("bare", inputs={"x": (1,), "y": (1,)}).add("loss", rn.MeanSquaredError(), source=["x", "y"])
    with pytest.raises(RequestError) as error:
        rule_on(net)
    assert str(error.value) == "learning/main: has nothing to change, as the net has no parameters"


def test_a_window_that_reaches_no_parameter_is_told() -> None:
    net = line()
    rule = rule_on(net)

    with pytest.raises(RequestError) as raised:
        rule.learn({"loss": torch.tensor(1.0)}, Context(step=0))
    assert str(raised.value) == (
        "learning/main.window: must reach back to a block with parameters, and within 1 frame the loss depends on none "
        "(got 1); make it as many frames as the delays add up to from such a block to the loss, plus one"
    )


def test_what_it_cannot_be_built_with_is_told() -> None:
    faults = {
        "learning/a.loss: unknown block (got 'los'); did you mean 'loss'?": {"loss": "los"},
        "learning/a.parameters: matches no parameter (got 'fti'); did you mean 'fit'?": {"parameters": "fti"},
        "learning/a.optimizer.type: unknown optimizer (got 'sgd'); did you mean 'SGD'?": {"optimizer": "sgd"},
        "learning/a.factors['bia']: matches no parameter (got 'bia')": {"factors": {"bia": {"rate": 2}}},
    }
    for message, arguments in faults.items():
        with pytest.raises(RequestError) as error:
            rule_on(line(), address="learning/a", **arguments)
        assert str(error.value).startswith(message)


def test_nested_faults_are_told_in_one_pass() -> None:
    arguments = {"loss": [], "optimizer": {"type": "SGD", "lr": -1}, "rate": "cosine", "clip": -1, "factors": {"a": 1}}
    assert [fault.address for fault in Backprop.check(arguments, "learning/a")] == [
        "learning/a.loss",
        "learning/a.optimizer.lr",
        "learning/a.rate.type",
        "learning/a.clip",
        "learning/a.factors['a']",
    ]
    assert [str(f) for f in check_arguments(Backprop, {"accumulate": 0}, "learning/a", ("net",))] == [
        "learning/a.accumulate: must be at least 1 (got 0)"
    ]


@pytest.mark.parametrize("clip", [None, 1.0])
def test_half_precision_scales_its_gradients(clip: float | None) -> None:
    net = line()
    settings: dict[str, Any] = {"clip": clip, "loss": {"loss": 0.05}}  # small enough not to overflow when scaled
    rule = rule_on(net, **settings)
    before = weights(net)
    with torch.autocast("cpu", dtype=torch.float16):
        outputs = net(x=X, y=Y)
    reported = rule.learn(outputs, Context(precision="fp16"))
    plain = line()
    expected = learn(plain, rule_on(plain, **settings))
    assert weights(net) == pytest.approx(weights(plain), abs=1e-3)
    assert weights(net) != before
    if clip is not None:
        assert float(reported["gradient_norm"]) == pytest.approx(float(expected["gradient_norm"]), rel=1e-2)

    values = json.loads(json.dumps(rule.state_values()))
    assert values["scaler"]["scale"] == 65536.0
    again = rule_on(net, **settings)
    again.load_state(rule.state_tensors(), values)
    assert again.state_values() == values


def test_a_step_that_overflows_half_precision_is_left_out() -> None:
    net = line()
    rule = rule_on(net)
    before = weights(net)
    outputs = net(x=X * 1e36, y=Y)
    rule.learn(outputs, Context(precision="fp16"))
    assert weights(net) == before
    assert rule.state_values()["scaler"]["scale"] == 32768.0


def test_losses_of_several_frames_are_averaged_or_added_up() -> None:
    def after(over_frames: str) -> list[float]:
        net = line()
        learn(net, rule_on(net, window=4, over_frames=over_frames))
        return weights(net)

    start, averaged, added = weights(line()), after("mean"), after("sum")
    for begin, one, four in zip(start, averaged, added, strict=True):
        assert four - begin == pytest.approx(4 * (one - begin), rel=1e-5)


def test_a_lag_asks_for_the_delays_of_targets() -> None:
    net = line().add("other", rn.MeanSquaredError(), source=["fit", "x", "y"]).add("size", rn.ReLU(), source="fit")
    losses: dict[str, Any] = {"loss": ["loss", "other", "size"]}
    assert Backprop.delays(losses, net) == {}
    assert Backprop.delays({**losses, "lag": 2}, net) == {"*->loss#1": 2, "*->other#1": 2, "*->other#2": 2}
    assert Backprop.delays({"lag": "auto"}, net) == {"*->loss#1": "auto"}


@pytest.mark.parametrize("arguments", [{"lag": -1}, {"lag": True}, {"lag": "late"}, {"lag": 1, "loss": 5}])
def test_wrong_arguments_ask_for_no_delays(arguments: dict[str, Any]) -> None:
    assert Backprop.delays(arguments, line()) == {}


def test_a_lag_without_a_target_is_told() -> None:
    net = line().add("size", rn.ReLU(), source="fit")
    with pytest.raises(RequestError) as error:
        rule_on(net, loss="size", lag="auto")
    rule = "needs a loss with a target: one that reads two blocks or more"
    assert str(error.value) == f"learning/main.lag: {rule}"
