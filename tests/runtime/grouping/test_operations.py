"""Every way to compute a group gives what its blocks give one by one, with gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from rillnet.runtime.state import expanded

MEMBERS, BATCH = 9, 2

Document = dict[str, Any]


def pools(through: Document, sources: int = 2, **pool: Any) -> Document:
    """Pools that read each other, and the input, through synapses."""
    shape = [4] if "features" in through else [4, 6, 6]
    through = {key: value for key, value in through.items() if key != "features"}
    blocks = {}
    for number in range(MEMBERS):
        read = ["x", *(f"p{(number + step) % MEMBERS}@-{step}" for step in range(1, sources))]
        synapse = {"source": read, "via": "Synapse", **through}
        blocks[f"p{number}"] = {"type": "Pool", "shape": shape, "from": [synapse], **pool}
    return {"inputs": {"x": shape}, "blocks": blocks}


def layers(sources: list[int], **block: Any) -> Document:
    """Blocks of one kind, with what follows them in a ring."""
    blocks: Document = {}
    for number in range(MEMBERS):
        blocks[f"b{number}"] = {"from": "x" if number % 2 else f"r{(number + 1) % MEMBERS}@-1", **block}
        blocks[f"r{number}"] = {"type": "Tanh", "from": f"b{number}", "shape": sources}
    return {"inputs": {"x": sources}, "blocks": blocks}


CONV = {"type": "Conv2d", "out_channels": 4, "kernel_size": 3}

CASES: dict[str, tuple[Document, str]] = {
    "dense synapses": (pools({"features": 4}, 3, act="tanh"), "kernel"),
    "dense synapses with a bias of their own": (pools({"features": 4, "bias_shapes": "feature"}, act="relu"), "kernel"),
    "synapses with an activation": (pools({"features": 4, "act": "sigmoid"}), "kernel"),
    "convolving synapses": (pools({"rf": 3, "bias_shapes": False}, 3, act="relu"), "kernel"),
    "even fields": (pools({"rf": 2, "dilation": 2}), "kernel"),
    "synapses of one source": (pools({"rf": 3}, 1, act="softplus"), "kernel"),
    "synapses of two factors": (pools({"rf": 3, "factors": [1, 1], "act": ["Id", "sigmoid"]}), "stacked"),
    "weights by feature": (pools({"rf": 3, "weight_shapes": "feature"}, act="tanh"), "stacked"),
    "pools with gains": (pools({"rf": 3}, gain_shape="full", bias_shape="spatial", act=["tanh", "relu"]), "kernel"),
    "normalised pools": (pools({"rf": 3}, layernorm_mean="full", layernorm_std="full"), "kernel"),
    "pools with softmax": (pools({"features": 4}, act="softmax"), "kernel"),
    "convolutions": (layers([4, 6, 6], **CONV, padding=1), "kernel"),
    "padded to the same size": (layers([4, 6, 6], **CONV, padding="same", bias=False), "kernel"),
    "padded around": (layers([4, 6, 6], **CONV, padding=1, padding_mode="circular"), "stacked"),
    "convolutions in groups": (layers([4, 6, 6], **CONV, padding=1, groups=2), "stacked"),
    "linear layers": (layers([4], type="Linear", out_features=4), "kernel"),
    "linear layers over places": (layers([3, 4], type="Linear", out_features=4), "stacked"),
    "layer normalisation": (layers([4], type="LayerNorm", normalized_shape=4), "stacked"),
}


def large() -> Document:
    blocks: Document = {}
    for number in range(8):
        synapse = {"source": f"p{number - 1}@-1" if number else "x", "via": "Synapse", "rf": 3}
        blocks[f"p{number}"] = {"type": "Pool", "shape": [16, 16, 16], "act": "relu", "from": [synapse]}
    return {"inputs": {"x": [16, 16, 16]}, "blocks": blocks}


CASES["large maps"] = (large(), "one convolution in groups")


def measure(value: Tensor) -> Tensor:
    """Something that no normalisation makes constant."""
    return (value.tanh() * torch.arange(value.numel()).cos().view_as(value)).sum()


def run(net: Net, group: str, outputs: list[str] | None, count: int) -> tuple[Any, Any, list[Tensor], dict[str, str]]:
    generator = torch.Generator().manual_seed(3)
    shape = net.inputs["x"].shape  # type: ignore[union-attr]
    inputs = [{"x": torch.randn(BATCH, *shape, generator=generator)} for _ in range(count)]
    program = Program(net, Rollout.streaming(net), outputs=outputs, group=group)
    frames, state = program.unroll(inputs)
    net.zero_grad()
    torch.stack([measure(value) for sent in frames for value in sent.values() if value.requires_grad]).sum().backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in net.parameters()]
    with torch.no_grad():  # other ways of writing what is computed
        looked, other_state = program.unroll(inputs)
    for one, other in zip(frames, looked, strict=True):
        torch.testing.assert_close(dict(other), dict(one), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(expanded(other_state), expanded(state), rtol=1e-5, atol=1e-5)
    return [dict(sent) for sent in frames], expanded(state), gradients, program.report


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("looked_at", ["all", "pools"])
def test_a_group_computes_what_its_blocks_compute(name: str, looked_at: str) -> None:
    document, how = CASES[name]
    net = Net.from_spec(document, seed=1)
    outputs = None if looked_at == "all" else [block for block in net.blocks if block[0] in "pr" and "_" not in block]
    expected = run(net, "off", outputs, 4)
    frames, state, gradients, report = run(net, "on", outputs, 4)

    torch.testing.assert_close(frames, expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(state, expected[1], rtol=1e-5, atol=1e-5)
    scale = max(float(gradient.abs().max()) for gradient in expected[2])
    torch.testing.assert_close(gradients, expected[2], rtol=1e-5, atol=1e-5 * max(scale, 1.0))
    first = next(block for block in report if block[0] == "b" or "_" in block)
    assert report[first].startswith("grouped with ")
    assert how in report[first].replace("torch", "kernel")
