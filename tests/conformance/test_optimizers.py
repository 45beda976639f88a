"""Every optimiser against a hand-written torch loop, bit for bit, and against itself saved midway.

Each member of the family has a row; a new one without a row fails `test_every_member_has_a_row`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn import Parameter

from rillnet.training.optimizers import OPTIMIZERS, Implementation, Optimizer
from rillnet.training.rates import Cosine, Progress

STEPS = 20

Arguments = dict[str, Any]
Oracle = Callable[..., torch.optim.Optimizer]

# type in a document, its arguments, torch's class, torch's arguments
ROWS: list[tuple[str, Arguments, Oracle, Arguments]] = [
    ("SGD", {"lr": 0.1}, torch.optim.SGD, {"lr": 0.1}),
    (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "dampening": 0.1},
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, "dampening": 0.1},
    ),
    ("Momentum", {"lr": 0.05}, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    ("Nesterov", {"lr": 0.05}, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.01}, torch.optim.Adagrad, {"lr": 0.05, "lr_decay": 0.01}),
    ("Adadelta", {"lr": 1.0}, torch.optim.Adadelta, {"lr": 1.0}),
    (
        "RMSprop",
        {"lr": 0.01, "momentum": 0.9, "centered": True},
        torch.optim.RMSprop,
        {"lr": 0.01, "momentum": 0.9, "centered": True},
    ),
    ("Rprop", {}, torch.optim.Rprop, {}),
    ("Adam", {"lr": 0.01, "betas": [0.8, 0.99]}, torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99)}),
    ("Adam", {"lr": 0.01, "amsgrad": True}, torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}, torch.optim.AdamW, {"lr": 0.01}),
    ("Adamax", {}, torch.optim.Adamax, {}),
    ("NAdam", {}, torch.optim.NAdam, {}),
    ("RAdam", {"lr": 0.01}, torch.optim.RAdam, {"lr": 0.01}),
    ("ASGD", {"t0": 5}, torch.optim.ASGD, {"t0": 5}),
    ("Adafactor", {}, torch.optim.Adafactor, {}),
    ("Muon", {"lr": 0.01}, torch.optim.Muon, {"lr": 0.01}),
]

MATRICES_ONLY = {"Muon"}

FUSED = {"SGD", "Momentum", "Nesterov", "Adagrad", "Adam", "AdamW"}


def small_net(name: str) -> nn.Sequential:
    bias = name not in MATRICES_ONLY
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = OrderedDict[str, nn.Module](flat=nn.Flatten(), ip1=nn.Linear(16, 6, bias=bias), relu=nn.ReLU())
        if bias:
            blocks = OrderedDict(conv=nn.Conv2d(1, 4, 3, padding=1, stride=2), **blocks)
        return nn.Sequential(OrderedDict(**blocks, ip2=nn.Linear(6, 3, bias=bias)))


def by_address(net: nn.Module) -> dict[str, Parameter]:
    return {"net/" + name.replace(".", "/"): parameter for name, parameter in net.named_parameters()}


def compute_gradients(net: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    images, labels = torch.randn(8, 1, 4, 4, generator=generator), torch.randint(3, (8,), generator=generator)
    nn.functional.cross_entropy(net(images), labels).backward()


def train(net: nn.Module, optimizer: Optimizer, steps: Iterable[int]) -> None:
    for step in steps:
        optimizer.set_rate(Cosine(), Progress(step, step / 5, STEPS, 5))
        optimizer.zero_grad()
        compute_gradients(net, step)
        optimizer.step()


def train_by_hand(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    bases = [group["lr"] for group in optimizer.param_groups]
    for step in range(STEPS):
        for base, group in zip(bases, optimizer.param_groups, strict=True):
            group["lr"] = Cosine()(base, Progress(step, step / 5, STEPS, 5))
        optimizer.zero_grad()
        compute_gradients(net, step)
        optimizer.step()


def row_name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def implementations(name: str) -> list[Implementation]:
    return ["single", "foreach", "fused"] if name in FUSED else ["single", "foreach"]


CASES = [(*row, implementation) for row in ROWS for implementation in implementations(row[0])]


@pytest.mark.parametrize(("name", "arguments", "oracle", "its_arguments", "implementation"), CASES, ids=row_name)
def test_a_hand_written_loop_gives_the_same_bits(
    name: str, arguments: Arguments, oracle: Oracle, its_arguments: Arguments, implementation: Implementation
) -> None:
    net, by_hand = small_net(name), small_net(name)
    start = [parameter.detach().clone() for parameter in net.parameters()]
    optimizer = Optimizer({"type": name, **arguments}, by_address(net), implementation=implementation)
    flags = {} if optimizer.implementation_used == "single" else {optimizer.implementation_used: True}
    train(net, optimizer, range(STEPS))
    train_by_hand(by_hand, oracle(by_hand.parameters(), **its_arguments, **flags))
    for ours, hand, before in zip(net.parameters(), by_hand.parameters(), start, strict=True):
        assert torch.equal(ours, hand)
        assert not torch.equal(ours, before)


@pytest.mark.parametrize(("name", "arguments", "oracle", "its_arguments", "implementation"), CASES, ids=row_name)
def test_saved_and_loaded_midway_it_ends_with_the_same_bits(
    name: str, arguments: Arguments, oracle: Oracle, its_arguments: Arguments, implementation: Implementation
) -> None:
    whole_net = small_net(name)
    whole = Optimizer({"type": name, **arguments}, by_address(whole_net), implementation=implementation)
    train(whole_net, whole, range(7))
    state = safetensors.torch.save({key: value.contiguous() for key, value in whole.state_tensors().items()})
    values = json.dumps(whole.state_values())
    net = small_net(name)
    net.load_state_dict(whole_net.state_dict())
    resumed = Optimizer({"type": name, **arguments}, by_address(net), implementation=implementation)
    resumed.load_state(safetensors.torch.load(state), json.loads(values))
    train(whole_net, whole, range(7, STEPS))
    train(net, resumed, range(7, STEPS))
    for parameter, other in zip(whole_net.parameters(), net.parameters(), strict=True):
        assert torch.equal(parameter, other)


@pytest.mark.parametrize(("name", "arguments", "oracle", "its_arguments"), ROWS, ids=row_name)
def test_factors_are_torch_groups(name: str, arguments: Arguments, oracle: Oracle, its_arguments: Arguments) -> None:
    net, by_hand = small_net(name), small_net(name)
    optimizer = Optimizer({"type": name, **arguments}, by_address(net), factors={"ip2": {"rate": 2, "decay": 0}})
    groups: list[dict[str, Any]] = [
        {"params": list(by_hand[:-1].parameters())},
        {"params": list(by_hand[-1].parameters())},
    ]
    torch_optimizer = oracle(groups, **its_arguments)
    torch_optimizer.param_groups[1]["lr"] *= 2
    if "weight_decay" in torch_optimizer.param_groups[1]:
        torch_optimizer.param_groups[1]["weight_decay"] = 0
    train(net, optimizer, range(STEPS))
    train_by_hand(by_hand, torch_optimizer)
    for ours, hand in zip(net.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, hand)


def test_every_member_has_a_row() -> None:
    assert {name for name, *_ in ROWS} == set(OPTIMIZERS)
