"""The work of making a net grows as its edges do: told by counting calls, as a time would depend on the machine."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from torch import nn

import rillnet as rn
from rillnet.model.frontends import yaml
from rillnet.model.summary import summarise
from rillnet.model.summary import text as written

Blocks = dict[str, Any]


def calls(work: Callable[..., object], *arguments: object) -> int:
    """How many functions are called, Python's own included."""
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        work(*arguments)
    finally:
        sys.setprofile(before)
    return count


def counted(monkeypatch: pytest.MonkeyPatch, *names: str) -> Counter[str]:
    """Counts the calls of functions by their import paths."""
    count: Counter[str] = Counter()

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **named: Any) -> Any:
            count[name.rpartition(".")[2]] += 1
            return function(*arguments, **named)

        return watching

    for name in names:
        module, _, function = name.rpartition(".")
        monkeypatch.setattr(name, watched(name, getattr(sys.modules[module], function)))
    return count


def pools(number: int) -> Blocks:
    """Pools of one synapse each, which read others at random one frame ago."""
    draw = random.Random(0)
    sources = [["x", *(f"p{draw.randrange(number)}@-1" for _ in range(3))] for _ in range(number)]
    return {
        f"p{pool}": {"type": "Pool", "shape": [4], "from": [{"source": read, "via": "Synapse"}]}
        for pool, read in enumerate(sources)
    }


def ring(number: int) -> Blocks:
    """Layers in a circle that give no shape; the first one, which closes it, is a sum."""
    blocks: Blocks = {"b0": {"type": "Sum", "from": ["x", f"b{number - 1}@-1"]}}
    return blocks | {f"b{n}": {"type": "Linear", "out_features": 4, "from": f"b{n - 1}"} for n in range(1, number)}


def upside_down(number: int) -> Blocks:
    """A chain whose last layer stands first."""
    chain = {f"b{n}": {"type": "Linear", "out_features": 4, "from": f"b{n - 1}" if n else "x"} for n in range(number)}
    return dict(reversed(chain.items()))


def small_circles(number: int) -> Blocks:
    """Layers that read their own last output through a sum, one behind the other."""
    blocks: Blocks = {}
    for n in range(number):
        blocks[f"h{n}"] = {"type": "Sum", "from": [f"a{n - 1}" if n else "x", f"a{n}@-1"]}
        blocks[f"a{n}"] = {"type": "Tanh", "from": f"h{n}"}
    return blocks


def one_of_all(number: int) -> Blocks:
    """Layers, all of which one sum reads."""
    blocks: Blocks = {"all": {"type": "Sum", "from": [f"b{n}" for n in range(number)]}}
    return blocks | {f"b{n}": {"type": "Tanh", "from": "x"} for n in range(number)}


def nested(number: int) -> Blocks:
    return {f"n{n}": {"blocks": {"fc": {"type": "Linear", "out_features": 4}, "act": "Tanh"}} for n in range(number)}


def net_of(blocks: Blocks, **how: Any) -> rn.Net:
    return rn.Net.from_spec({"inputs": {"x": [4]}, "blocks": blocks}, seed=1, **how)


def added(blocks: Blocks) -> rn.Net:
    net = rn.Net("n", {"x": (4,)}, seed=1)
    for name, block in blocks.items():
        given = {key: value for key, value in block.items() if key not in ("type", "from")}
        net.add(name, rn.block(block["type"], **given), source=block["from"])
    return net


SHAPES = (pools, ring, upside_down, small_circles, one_of_all, nested)


@pytest.mark.parametrize("blocks", SHAPES)
def test_a_net_of_twice_the_blocks_is_twice_the_work(blocks: Callable[[int], Blocks]) -> None:
    net_of(blocks(8))  # what is imported and cached once

    few, many = (calls(net_of, blocks(number)) for number in (100, 200))

    assert many < 2.2 * few


@pytest.mark.parametrize("blocks", [pools, ring, small_circles])
def test_adding_twice_the_blocks_one_by_one_is_twice_the_work(blocks: Callable[[int], Blocks]) -> None:
    added(blocks(8))

    few, many = (calls(added, blocks(number)) for number in (100, 200))

    assert many < 2.2 * few


@pytest.mark.parametrize("blocks", [pools, upside_down, nested])
def test_a_document_of_twice_the_blocks_is_twice_the_work(blocks: Callable[[int], Blocks]) -> None:
    def read(text: str) -> object:
        return yaml.read_text(text).net()

    texts = [json.dumps({"net": {"inputs": {"x": [4]}, "blocks": blocks(n)}}, indent=1) for n in (8, 100, 200)]
    read(texts[0])

    few, many = (calls(read, text) for text in texts[1:])

    assert many < 2.2 * few


LOOKS: list[Callable[[rn.Net], object]] = [
    lambda net: net.order(),
    lambda net: net.edges,
    lambda net: net.infer_shapes(),
    lambda net: net.parameters_by_address(),
    lambda net: net.to_spec(),
    lambda net: written(summarise(net)),
    lambda net: rn.Rollout.streaming(net).order(),
    lambda net: rn.Rollout.streaming(net).tableau(2),
    lambda net: rn.Rollout.streaming(net).delays,
    lambda net: rn.Rollout.streaming(net).first_response(next(reversed(net.blocks))),
]


@pytest.mark.parametrize("blocks", [pools, upside_down, nested])
@pytest.mark.parametrize("look", LOOKS)
def test_looking_at_twice_the_blocks_is_twice_the_work(
    blocks: Callable[[int], Blocks], look: Callable[[rn.Net], object]
) -> None:
    nets = [net_of(blocks(number), device="meta") for number in (8, 100, 200)]
    look(nets[0])

    few, many = (calls(look, net) for net in nets[1:])

    assert many < 2.2 * few + 100


def test_equal_blocks_are_inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = counted(monkeypatch, "rillnet.model.building.infer")

    net_of(pools(50))

    assert count["infer"] == 2  # the pools and the synapses


def test_equal_blocks_of_a_circle_are_inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = counted(monkeypatch, "rillnet.model.building.infer")

    net_of(ring(50))

    assert count["infer"] == 2  # the sum and the layers


def test_equal_blocks_that_are_added_are_inferred_and_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = counted(monkeypatch, "rillnet.model.building.infer", "rillnet.model.registry.check_arguments")

    added(pools(50))

    assert count["infer"] == 2
    assert count["check_arguments"] <= 2  # none if another net had such blocks


def test_adding_a_block_does_not_order_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    count = counted(monkeypatch, "rillnet.model.structure.frame_order")

    added(pools(50))

    assert not count


def test_an_edge_with_a_delay_does_not_order_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    net = rn.Net("n", {"x": (4,)}, seed=1)
    for number in range(9):
        net.add(f"s{number}", rn.Sum(), source="x")
    count = counted(monkeypatch, "rillnet.model.structure.frame_order")

    for number in range(1, 9):
        net.connect(f"s{number}", f"s{number - 1}", delay=1)
        net.connect(f"s{number - 1}", f"s{number}")

    assert not count


def test_layers_that_are_there_already_are_taken_as_they_are() -> None:
    net = rn.Net("n", {"x": (4,)}, seed=1)
    layers = [nn.Linear(4, 4) for _ in range(30)]
    for number, layer in enumerate(layers):
        net.add(f"fc{number}", layer)

    assert [net[f"fc{number}"] for number in range(30)] == layers
