"""What a net consists of."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.model.graph import Edge, ZeroDelayCycleError
from rillnet.model.structure import Structure
from rillnet.spec import SourceSpec


def small() -> rn.Net:
    net = rn.Net("small", {"x": (3,)}, seed=1)
    return net.add("a", rn.Linear(out_features=4)).add("b", rn.Tanh()).add("c", rn.Linear(out_features=2), source="b")


def test_a_structure_draws_a_seed_only_if_it_gets_none() -> None:
    state = torch.get_rng_state()

    assert Structure("n", seed=3).seed == 3
    assert torch.equal(torch.get_rng_state(), state)
    assert not Structure("n").seed_given
    assert not torch.equal(torch.get_rng_state(), state)


def test_edges_stand_in_the_order_of_the_blocks_they_end_at() -> None:
    assert small().edges == [Edge("x", "a"), Edge("a", "b"), Edge("b", "c")]


def test_order_is_by_what_is_read_in_the_same_frame() -> None:
    net = rn.Net.from_spec(
        {"inputs": {"x": [2]}, "blocks": {"b": {"type": "Sum", "from": "a"}, "a": {"type": "Tanh", "from": "x"}}}
    )

    assert net.order() == ["a", "b"]


def test_order_tells_a_cycle_without_delay() -> None:
    net = small()
    net.blocks["a"].sources = [SourceSpec(block="c")]

    with pytest.raises(ZeroDelayCycleError, match="a -> b -> c -> a"):
        net.order()


def test_what_is_sent_is_the_last_block_or_what_is_declared() -> None:
    net = small()
    values = {"a": 1, "b": (2, 3), "c": 4}

    assert net.sent(values) == 4
    net.output_sources = [SourceSpec(block="b", output=1), SourceSpec(block="a")]
    assert net.sent(values) == (3, 1)


def test_it_is_known_whether_parameters_are_as_drawn() -> None:
    net = rn.Net.from_spec(
        {"inputs": {"x": [2]}, "blocks": {"n": {"blocks": {"fc": {"type": "Linear", "out_features": 2}}}}}
    )

    assert net.is_untouched()
    with torch.no_grad():
        net["n/fc"].weight.add_(1)
    assert not net.is_untouched()


@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("is_nested", [True, False])
def test_shared_parameters_are_as_drawn_until_they_are_changed(transpose: bool, is_nested: bool) -> None:
    tied = {"type": "Linear", "out_features": 3, "share": {"weight": {"of": "fc.weight", "transpose": transpose}}}
    blocks = {"fc": {"type": "Linear", "out_features": 3}, "tied": tied}
    net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": {"n": {"blocks": blocks}} if is_nested else blocks})

    assert net.is_untouched()
    with torch.no_grad():
        (net["n/fc"] if is_nested else net["fc"]).weight.add_(1)
    assert not net.is_untouched()


@pytest.mark.parametrize("name", ["training", "seed", "inputs", "name", "blocks", "pending", "_phase"])
def test_a_block_may_have_the_name_of_an_attribute(name: str) -> None:
    net = rn.Net("n", {"x": (3,)}, seed=1).add(name, rn.Linear(out_features=2)).add("end", rn.Tanh())

    net.eval()
    net.draw(2)

    assert not net.training
    assert net.seed == 2
    assert net(torch.zeros(4, 3))["end"].shape == (4, 2)
    assert list(net.parameters_by_address()) == [f"net/{name}/weight", f"net/{name}/bias"]
    assert torch.equal(net[name].weight, rn.Net.from_spec(net.to_spec(), seed=2)[name].weight)  # type: ignore[arg-type]


def test_modules_are_found_by_their_path_whatever_blocks_are_called() -> None:
    net = rn.Net("outer", {"x": (3,)}, seed=1)
    net._modules["add"] = module = torch.nn.Sequential(torch.nn.Linear(3, 3))
    assert net.get_submodule("add.0") is module[0]
    assert net.get_submodule("") is net
    with pytest.raises(AttributeError, match="Sequential has no module 'b'"):
        net.get_submodule("add.b")
