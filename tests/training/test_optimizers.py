"""Parts, factors, rates, penalties and implementations of the optimiser."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import Parameter

from rillnet.errors import RequestError, RunError
from rillnet.training.optimizers import Optimizer
from rillnet.training.rates import Constant, Factor, Points, Progress, Step


def small_net(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            OrderedDict(conv=nn.Conv2d(1, 3, 3), relu=nn.ReLU(), flat=nn.Flatten(), ip=nn.Linear(12, 2))
        )


def by_address(net: nn.Module) -> dict[str, Parameter]:
    return {"net/" + name.replace(".", "/"): parameter for name, parameter in net.named_parameters()}


def compute_gradients(net: nn.Module, step: int) -> None:
    images = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(step))
    net.zero_grad()
    net(images).square().mean().backward()


def at(step: int) -> Progress:
    return Progress(step, step / 10, 100, 10)


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_parts_work_on_their_own_parameters() -> None:
    net, by_hand = small_net(), small_net()
    optimizer = Optimizer([{"type": "SGD", "of": "conv", "lr": 0.1}, {"type": "Adam", "lr": 0.01}], by_address(net))
    conv = torch.optim.SGD(by_hand.conv.parameters(), lr=0.1)
    rest = torch.optim.Adam(by_hand.ip.parameters(), lr=0.01)
    for step in range(10):
        compute_gradients(net, step)
        optimizer.step()
        compute_gradients(by_hand, step)
        conv.step()
        rest.step()
    assert same(net, by_hand)
    assert optimizer.rates() == {"conv": 0.1, "*": 0.01}


def test_factors_are_groups_with_their_own_rate_and_decay() -> None:
    net, by_hand = small_net(), small_net()
    optimizer = Optimizer(
        {"type": "Momentum", "lr": 0.1, "weight_decay": 0.01},
        by_address(net),
        factors={"*": {"decay": 0.5}, "*.bias": {"rate": 2, "decay": 0}, "conv": {"rate": 0.25}},
    )
    oracle = torch.optim.SGD(
        [
            {"params": [by_hand.conv.weight], "lr": 0.1 * 0.25, "weight_decay": 0.01 * 0.5},
            {"params": [by_hand.conv.bias], "lr": 0.1 * 0.25, "weight_decay": 0.0},
            {"params": [by_hand.ip.weight], "lr": 0.1, "weight_decay": 0.01 * 0.5},
            {"params": [by_hand.ip.bias], "lr": 0.1 * 2, "weight_decay": 0.0},
        ],
        momentum=0.9,
    )
    for step in range(10):
        compute_gradients(net, step)
        optimizer.step()
        compute_gradients(by_hand, step)
        oracle.step()
    assert same(net, by_hand)
    assert optimizer.rates() == {"*": 0.1}


def test_a_rate_sets_every_group_by_its_factor() -> None:
    optimizer = Optimizer({"type": "SGD", "lr": 0.4}, by_address(small_net()), factors={"*.bias": {"rate": 2}})
    optimizer.set_rate(Step(every=10, factor=0.5), at(10))
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.4]
    optimizer.set_rate(Points([[0, 0.05]]), at(10))
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1]
    assert optimizer.rates() == {"*": 0.05}


def test_a_part_may_have_a_rate_of_its_own() -> None:
    specs = [{"type": "SGD", "of": "conv", "lr": 0.4}, {"type": "SGD", "lr": 0.2, "rate": [[0, 0.3]]}]
    optimizer = Optimizer(specs, by_address(small_net()))
    optimizer.set_rate(Step(every=10, factor=0.5), at(10))
    assert optimizer.rates() == {"conv": 0.2, "*": 0.3}


def test_the_base_can_be_changed_while_running() -> None:
    specs = [{"type": "SGD", "of": "conv", "lr": 0.4}, {"type": "SGD", "lr": 0.2}]
    optimizer = Optimizer(specs, by_address(small_net()))
    optimizer.set_base(0.1, "conv")
    assert optimizer.bases() == optimizer.rates() == {"conv": 0.1, "*": 0.2}
    optimizer.set_base(0.8)
    optimizer.set_rate(Step(every=10, factor=0.5), at(10))
    assert optimizer.rates() == {"conv": 0.4, "*": 0.4}
    with pytest.raises(RequestError) as error:
        optimizer.set_base(0.1, "cnov")
    assert str(error.value) == "unknown part of the optimizer (got 'cnov'); did you mean 'conv'?"
    with pytest.raises(RequestError, match=r"lr: must be at least 0 \(got -1\)"):
        optimizer.set_base(-1)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_curve_that_gives_no_rate_is_told(value: float) -> None:
    optimizer = Optimizer("SGD", by_address(small_net()), address="learning/main.optimizer")
    with pytest.raises(RunError) as error:
        optimizer.set_rate(Factor(lambda step: value * 1000), at(7))
    assert str(error.value) == f"learning/main.optimizer: the rate of step 7 must be at least 0 (got {value})"


def test_l1_and_max_norm_surround_the_step() -> None:
    net, by_hand = small_net(), small_net()
    optimizer = Optimizer(
        {"type": "SGD", "lr": 0.1, "l1": 0.01, "max_norm": 0.8}, by_address(net), factors={"*.bias": {"decay": 0}}
    )
    oracle = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for step in range(10):
        compute_gradients(net, step)
        optimizer.step()
        compute_gradients(by_hand, step)
        for weight in (by_hand.conv.weight, by_hand.ip.weight):
            weight.grad += 0.01 * weight.detach().sign()
        oracle.step()
        for weight in (by_hand.conv.weight, by_hand.ip.weight):
            norms = weight.detach().flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))
            weight.data *= (0.8 / norms).clamp(max=1.0)
    for ours, hand in zip(net.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, hand)
    assert net.ip.weight.detach().norm(dim=1).max() <= 0.8 * (1 + 1e-6)


def test_zero_grad_drops_the_gradients() -> None:
    net = small_net()
    optimizer = Optimizer("SGD", by_address(net))
    compute_gradients(net, 0)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_parameter_at_two_addresses_is_optimised_once() -> None:
    shared = Parameter(torch.ones(2))
    optimizer = Optimizer({"type": "SGD", "lr": 0.5}, {"net/a/weight": shared, "net/b/weight": shared})
    shared.grad = torch.ones(2)
    optimizer.step()
    assert list(optimizer.parameters) == ["net/a/weight"]
    assert torch.equal(shared.detach(), torch.full((2,), 0.5))


def test_frozen_parameters_need_no_part() -> None:
    net = small_net()
    net.conv.requires_grad_(False)
    optimizer = Optimizer({"type": "SGD", "of": "ip"}, by_address(net))
    assert [len(group["params"]) for group in optimizer.param_groups] == [2]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (
            {"type": "SGD", "of": "cnov"},
            "o.of: matches no parameter (got 'cnov'); did you mean 'conv'?\n"
            "o: no part matches conv/weight, conv/bias, ip/weight, ip/bias; "
            "add a part for them, or one without `of` for the rest",
        ),
        (
            [{"type": "SGD", "of": "conv"}, {"type": "Adam", "of": "ip.weight"}],
            "o: no part matches ip/bias; add a part for them, or one without `of` for the rest",
        ),
        (
            [{"type": "SGD", "of": ["conv", "ip"]}, {"type": "Adam", "of": "*.bias"}],
            "o: several parts (of: conv, ip and of: *.bias) match conv/bias, ip/bias",
        ),
    ],
)
def test_what_no_part_or_several_match_is_told(specs: object, message: str) -> None:
    with pytest.raises(RequestError) as error:
        Optimizer(specs, by_address(small_net()), address="o")
    assert str(error.value) == message


def test_factors_that_match_nothing_are_told() -> None:
    with pytest.raises(RequestError) as error:
        Optimizer("SGD", by_address(small_net()), factors={"*.bais": {"rate": 2}}, address="learning/main.optimizer")
    assert str(error.value) == (
        "learning/main.factors['*.bais']: matches no parameter (got '*.bais'); did you mean '*.bias'?"
    )


def test_what_torch_itself_refuses_is_a_fault() -> None:
    with pytest.raises(RequestError, match=r"^o: muon only supports 2D parameters"):
        Optimizer("Muon", by_address(small_net()), address="o")


def test_a_net_without_parameters_has_nothing_to_optimize() -> None:
    with pytest.raises(RequestError, match=r"^o: has nothing to optimize, as the net has no parameters$"):
        Optimizer("SGD", {}, address="o")


@pytest.mark.parametrize(
    ("specs", "wanted", "used"),
    [
        ("SGD", None, "single"),
        ("SGD", "single", "single"),
        ("SGD", "foreach", "foreach"),
        ("SGD", "fused", "fused"),
        ("Momentum", "fused", "fused"),
        ("Adam", "fused", "fused"),
        ("AdamW", "fused", "fused"),
        ("Adagrad", "fused", "fused"),
        ("RMSprop", "fused", "single"),
        ([{"type": "SGD", "of": "conv"}, {"type": "RMSprop"}], "fused", "fused, single"),
    ],
)
def test_the_implementation_that_is_used_is_told(specs: object, wanted: Any, used: str) -> None:
    optimizer = Optimizer(specs, by_address(small_net()), implementation=wanted)
    assert optimizer.implementation_used == used
    flags = {(bool(group.get("foreach")), bool(group.get("fused"))) for group in optimizer.param_groups}
    assert flags == {(word == "foreach", word == "fused") for word in used.split(", ")}


def test_the_gradient_scaler_of_torch_takes_it() -> None:
    net, by_hand = small_net(), small_net()
    optimizer, oracle = (
        Optimizer({"type": "SGD", "lr": 0.1}, by_address(net)),
        torch.optim.SGD(by_hand.parameters(), 0.1),
    )
    for model, stepping in ((net, optimizer), (by_hand, oracle)):
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for step in range(3):
            model.zero_grad()
            images = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(step))
            scaler.scale(model(images).square().mean()).backward()
            scaler.unscale_(stepping)
            scaler.step(stepping)
            scaler.update()
    assert same(net, by_hand)


def test_steps_do_not_depend_on_the_rate_being_set_again() -> None:
    net, again = small_net(), small_net()
    first, second = (Optimizer({"type": "Adam", "lr": 0.01}, by_address(model)) for model in (net, again))
    for step in range(5):
        compute_gradients(net, step)
        first.step()
        compute_gradients(again, step)
        second.set_rate(Constant(), at(step))
        second.step()
    assert same(net, again)


def test_a_copy_of_the_net_does_not_share_the_state() -> None:
    net = small_net()
    optimizer = Optimizer("Adam", by_address(net))
    compute_gradients(net, 0)
    optimizer.step()
    scratch = copy.deepcopy(net)
    assert Optimizer("Adam", by_address(scratch)).state_tensors() == {}
    assert len(optimizer.state_tensors()) == 12


@pytest.mark.parametrize("dampening", [0.0, 0.25])
def test_a_parameter_may_have_its_first_gradient_later_than_others(dampening: float) -> None:
    """Torch's fused SGD refuses momenta of which some are missing."""
    found = []
    for implementation in ("single", "fused"):
        first, second = Parameter(torch.ones(3)), Parameter(torch.ones(3))
        spec = {"type": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "dampening": dampening}
        optimizer = Optimizer(
            spec,
            {"net/a/weight": first, "net/b/weight": second},
            implementation=implementation,  # type: ignore[arg-type]
        )
        for step in range(4):
            first.grad = torch.full((3,), 1.0 + step)
            second.grad = torch.full((3,), 2.0 + step) if step else None
            optimizer.step()
        found.append(torch.stack([first.detach(), second.detach()]))
    torch.testing.assert_close(found[1], found[0])


def test_a_share_of_the_rate_is_a_share_of_the_step_and_the_rate_is_told_whole() -> None:
    weight = Parameter(torch.ones(2))
    optimizer = Optimizer({"type": "SGD", "lr": 0.5}, {"net/a/weight": weight})
    optimizer.take_share(0.25)
    optimizer.set_rate(Constant(), Progress(0, 0.0, 100, 10))
    weight.grad = torch.ones(2)
    optimizer.step()

    assert weight.tolist() == [0.875, 0.875]
    assert optimizer.rates() == {"*": 0.5}
