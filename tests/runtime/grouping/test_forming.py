"""Groups in use: what is grouped, how learning goes, and what becomes of parameters that leave their stack."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program

SIZE, POOLS = 5, 12


def ring(pools: int = POOLS, **pool: Any) -> dict[str, Any]:
    """Dense pools that each read two others and the input, and a readout of the first."""
    blocks: dict[str, Any] = {}
    for number in range(pools):
        read = ["x", f"p{(number + 1) % pools}@-1", f"p{(number + 5) % pools}@-2"]
        through = {"source": read, "via": "Synapse", "bias_shapes": False}
        blocks[f"p{number}"] = {"type": "Pool", "shape": [SIZE], "act": "tanh", "from": [through], **pool}
    blocks["y"] = {"type": "Linear", "from": "p0", "out_features": 3}
    return blocks


def net_of(blocks: dict[str, Any], **inputs: Any) -> Net:
    return Net.from_spec({"inputs": inputs or {"x": [SIZE]}, "blocks": blocks}, seed=1)


def frames(count: int = 6, batch: int = 4) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(2)
    return [{"x": torch.randn(batch, SIZE, generator=generator)} for _ in range(count)]


def gradients(net: Net) -> list[Tensor]:
    """Zeros for what no gradient has reached: grouped blocks have zeros there."""
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()]


def last(net: Net, group: str = "auto", count: int = 6) -> Tensor:
    with torch.no_grad():
        sent, _ = Program(net, Rollout.streaming(net), outputs=["y"], group=group).unroll(frames(count))
    return sent[-1]["y"]


# What is grouped


def test_pools_with_their_synapses_are_one_group_and_the_rest_is_left() -> None:
    program = Program(net_of(ring()), outputs=["y"])
    program.unroll(frames(1))

    grouped = {how for name, how in program.report.items() if name != "y"}
    assert len(grouped) == 1
    assert grouped.pop().startswith(f"grouped with {POOLS - 1} others (")
    assert program.report["y"] == "eager"
    assert len(program.report) == 2 * POOLS + 1


def test_pools_and_synapses_are_two_groups_where_the_synapses_are_looked_at_too() -> None:
    program = Program(net_of(ring()))
    sent, _ = program.unroll(frames(2))
    expected, _ = Program(program.net, group="off").unroll(frames(2))

    assert program.report["p0"] == f"grouped with {POOLS - 1} others (stacked)"
    torch.testing.assert_close(dict(sent[1]), dict(expected[1]))


def test_few_blocks_are_grouped_only_when_asked() -> None:
    net = net_of(ring(3))
    for group, how in (
        ("auto", {"eager"}),
        ("off", {"eager"}),
        ("on", {"grouped with 2 others (C++ kernel)", "eager"}),
    ):
        program = Program(net, outputs=["y"], group=group)
        program.unroll(frames(1))
        assert {told.replace("torch", "C++ kernel") for told in program.report.values()} == how


def test_near_misses_tell_why() -> None:
    blocks = {f"b{n}": {"type": "Linear", "from": "x", "out_features": SIZE} for n in range(12)}
    blocks |= {f"d{n}": {"type": "Dropout", "from": f"b{n}"} for n in range(9)}
    blocks |= {f"r{n}": {"type": "ReLU", "from": f"b{n}", "inplace": True} for n in range(9, 12)}
    net = net_of(blocks)
    net["b8"].register_forward_hook(lambda module, read, sent: None)
    program = Program(net, apart=["b7"])
    program.unroll(frames(1))

    told = program.report
    assert told["b8"] == "eager; not grouped, as it has hooks"
    assert told["b7"] == "eager; not grouped, as it is watched or changed on its own"
    assert told["b9"] == "eager; not grouped, as what it reads or sends is changed in place"
    assert told["d0"] == "eager; not grouped, as it draws random numbers of its own"
    assert told["b0"] == "eager"  # the seven that are left are too few

    net.set_phase("test")
    program.unroll(frames(1))
    assert program.report["d0"] == "grouped with 8 others (stacked)"


class Scaled(nn.Module):
    stochastic = False

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power
        self.scale = nn.Parameter(torch.randn(SIZE))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.scale) ** self.power


class Deciding(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale if x.sum() > 0 else x


def test_foreign_blocks_are_mapped_where_that_can_be_done() -> None:
    torch.manual_seed(0)
    net = Net("foreign", inputs={"x": (SIZE,)}, seed=1)
    for number in range(20):
        net.add(f"s{number}", Scaled(power=1 + number % 2), source="x")
    for number in range(8):
        net.add(f"d{number}", Deciding(1), source="x")
    program, plain = Program(net), Program(net, group="off")
    sent, _ = program.unroll(frames(1))
    expected, _ = plain.unroll(frames(1))

    torch.testing.assert_close(dict(sent[0]), dict(expected[0]))
    assert program.report["s0"] == program.report["s1"] == "grouped with 9 others (stacked)"
    assert program.report["d0"].startswith("eager; not grouped, as torch cannot map it: ")


def test_one_block_with_another_argument_is_not_of_the_group() -> None:
    blocks = ring()
    blocks["p3"]["act"] = "relu"
    program = Program(net_of(blocks), outputs=["y"])
    program.unroll(frames(1))

    assert program.report["p3"] == "eager"
    assert program.report["p0"].startswith(f"grouped with {POOLS - 2} others")


def test_shared_parameters_are_not_stacked() -> None:
    blocks = {f"b{n}": {"type": "Linear", "from": "x", "out_features": SIZE} for n in range(10)}
    blocks["b9"]["share"] = {"weight": "b0.weight"}
    net = net_of(blocks)
    program = Program(net)
    sent, _ = program.unroll(frames(1))

    assert program.report["b9"] == "eager; not grouped, as it shares parameters"
    torch.testing.assert_close(dict(sent[0]), dict(net(**frames(1)[0])))


# Parameters


def test_what_first_ran_in_inference_mode_is_learned_with_later() -> None:
    net = net_of(ring())
    program = Program(net, Rollout.streaming(net), outputs=["y"])
    with torch.inference_mode():
        program.unroll(frames(2))
    sent, _ = program.unroll(frames(3))
    sent[-1]["y"].sum().backward()
    assert any(how.startswith("grouped") for how in program.report.values())
    assert net["p1"].bias.grad is not None


def test_a_members_parameters_are_set_in_place_and_act_in_the_next_frame() -> None:
    net, same = net_of(ring()), net_of(ring())
    program = Program(net, Rollout.streaming(net), outputs=["y"])
    with torch.no_grad():
        _, state = program.unroll(frames(3))
        for one in (net, same):
            one["p0_x_p1_p5"].W_0_1.mul_(2.0)
            one["p0"].bias.fill_(0.5)
        outputs, _ = program(frames(4)[3], state)
        plain = Program(same, Rollout.streaming(same), outputs=["y"], group="off")
        expected, _ = plain(frames(4)[3], state)

    torch.testing.assert_close(outputs["y"], expected["y"])
    assert isinstance(net["p0"].bias, nn.Parameter)
    assert net["p0"].bias.tolist() == [0.5] * SIZE


def other_data(net: Net) -> None:
    net["p0"].bias.data = torch.full((SIZE,), 0.5)


def other_parameter(net: Net) -> None:
    net["p0"].bias = nn.Parameter(torch.full((SIZE,), 0.5))


def other_block(net: Net) -> None:
    pool = copy.deepcopy(net["p0"])
    nn.init.constant_(pool.bias, 0.5)
    net.p0 = pool


def other_type(net: Net) -> None:
    net.double().float()
    nn.init.constant_(net["p0"].bias, 0.5)


def other_state(net: Net) -> None:
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.load_state_dict({**state, "p0.bias": torch.full((SIZE,), 0.5)}, assign=True)


def frozen(net: Net) -> None:
    nn.init.constant_(net["p0"].bias, 0.5).requires_grad_(False)


@pytest.mark.parametrize("change", [other_data, other_parameter, other_block, other_type, other_state, frozen])
@pytest.mark.parametrize("learning", [False, True])
def test_a_broken_link_is_noticed(change: Any, learning: bool) -> None:
    net, same = net_of(ring()), net_of(ring())
    program = Program(net, Rollout.streaming(net), outputs=["y"])
    plain = Program(same, Rollout.streaming(same), outputs=["y"], group="off")
    with torch.set_grad_enabled(learning):
        program.unroll(frames())
        for one in (net, same):
            change(one)
        sent, _ = program.unroll(frames())
        expected, _ = plain.unroll(frames())
        torch.testing.assert_close(sent[-1]["y"], expected[-1]["y"])
        if learning:
            sent[-1]["y"].sum().backward()
            expected[-1]["y"].sum().backward()
            torch.testing.assert_close(gradients(net), gradients(same))


def test_links_of_large_groups_are_noticed_after_some_frames_and_at_once_where_something_is_learned() -> None:
    net = net_of(ring(200))
    program = Program(net, Rollout.streaming(net), outputs=["p0", "y"])
    with torch.no_grad():
        before = program(frames(1)[0])[0]["p0"]
        net["p0"].bias.data = torch.full((SIZE,), 0.5)
        after = [program(frames(1)[0])[0]["p0"] for _ in range(100)]
    assert not torch.allclose(after[-1], before)

    net["p0"].bias.data = torch.full((SIZE,), -0.5)
    assert not torch.allclose(program(frames(1)[0])[0]["p0"], after[-1])


def test_copies_and_pickles_hold_every_parameter_once() -> None:
    net = net_of(ring(60))
    expected = last(net)
    size = sum(parameter.numel() * 4 for parameter in net.parameters())

    copied, pickled = copy.deepcopy(net), pickle.dumps(net)

    assert len(pickled) < 3 * size + 1_000_000
    for one in (copied, pickle.loads(pickled), net):
        assert all(p.untyped_storage().nbytes() == p.numel() * 4 for p in one.parameters())
        torch.testing.assert_close(last(one), expected)
    one = copied["p0"].bias
    nn.init.constant_(one, 3.0)
    assert net["p0"].bias.tolist() != one.tolist()


def test_programs_of_one_net_share_its_stacks() -> None:
    net = net_of({**ring(), "z": {"type": "Sum", "from": [f"p{n}" for n in range(9)]}})
    few = Program(net, Rollout.streaming(net), outputs=["z"], apart=["p10", "p11", "p9"])
    every = Program(net, Rollout.streaming(net), outputs=["y", "z"])
    plain = Program(net, Rollout.streaming(net), outputs=["y", "z"], group="off")
    with torch.no_grad():
        expected, _ = plain.unroll(frames())
        for _ in range(2):
            for program in (few, every):
                sent, _ = program.unroll(frames())
                torch.testing.assert_close(sent[-1]["z"], expected[-1]["z"])
        pointers = [parameter.data_ptr() for parameter in net.parameters()]
        for program in (few, every):
            program.unroll(frames())
    assert pointers == [parameter.data_ptr() for parameter in net.parameters()]


# Learning


def test_gradients_over_a_window_reach_every_parameter_once() -> None:
    net, same = net_of(ring()), net_of(ring())
    calls = []
    net["p0"].bias.register_hook(lambda gradient: calls.append(gradient))
    for one, group in ((net, "auto"), (same, "off")):
        sent, _ = Program(one, Rollout.streaming(one), outputs=["y"], group=group).unroll(frames())
        sum(outputs["y"].square().sum() for outputs in sent).backward()

    torch.testing.assert_close(gradients(net), gradients(same), rtol=1e-5, atol=1e-5)
    assert len(calls) == 1


@pytest.mark.parametrize("optimizer", [{"type": "SGD", "lr": 0.1, "momentum": 0.9}, {"type": "Adam", "lr": 0.01}])
@pytest.mark.parametrize("window", [1, 3])
def test_ten_steps_of_learning_are_those_of_the_ungrouped_net(optimizer: Any, window: int, tmp_path: Path) -> None:
    blocks = {**ring(), "loss": {"type": "MeanSquaredError", "from": ["y", "target"]}}
    data = {"x": torch.randn(40, SIZE), "target": torch.randn(40, 3)}
    learned = {}
    for group in ("off", "on"):
        net = net_of(blocks, x=[SIZE], target=[3])
        experiment = rn.Experiment(
            net=net,
            data=data,
            learning={"type": "Backprop", "optimizer": optimizer, "window": window},
            rollout="streaming",
            run={"execution": {"compile": False, "optimizer": "single", "memory_format": "contiguous", "group": group}},
        )
        with rn.Session(experiment, root=tmp_path / group) as session:
            session.run(steps=5)
            session.checkpoint()
            session.run(steps=5)
            learned[group] = {name: p.detach().clone() for name, p in net.parameters_by_address().items()}
    for name, parameter in learned["off"].items():
        torch.testing.assert_close(learned["on"][name], parameter, rtol=1e-5, atol=1e-5, msg=name)
