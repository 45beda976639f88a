"""Random nets of vectors as hypothesis strategies: layers, merges, nested nets, delays, blocks left out of phases."""

from __future__ import annotations

import copy
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

Document = dict[str, Any]

FEW = settings(max_examples=25)


@st.composite
def vector_block(draw: st.DrawFn, source: str, size: int, others: list[str]) -> tuple[Document, int]:
    """A block that reads a vector, and the size of the vector that it sends."""
    out = draw(st.integers(1, 5))
    linear: Document = {"type": "Linear", "out_features": out}
    inner: Document = {"inputs": ["p"], "blocks": {"fc": {**linear, "from": "p"}, "act": "Tanh"}}
    same: Document = {"repeat": 2, "blocks": {"fc": {"type": "Linear", "out_features": size}, "act": "Sigmoid"}}
    choices: list[tuple[Document, int]] = [
        (linear, out),
        ({**linear, "bias": False, "initial": {"weight": "xavier_uniform"}}, out),
        ({"type": draw(st.sampled_from(["Tanh", "ReLU", "Sigmoid", "LayerNorm", "Dropout"]))}, size),
        (inner, out),
        (same, size),
        ({"type": "Sum", "from": [source, *others]}, size),
        ({"type": "Product", "from": [source, *others]}, size),
        ({"type": "Concat", "from": [source, *others]}, size * (1 + len(others))),
    ]
    block, size = draw(st.sampled_from(choices))
    return {"from": source, **block}, size


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A net of vectors: layers, merges, nested nets, edges with a delay, blocks left out of phases."""
    sizes = {"x": draw(st.integers(1, 4))}
    blocks: Document = {}
    excluded: set[str] = set()
    for number in range(draw(st.integers(1, 7))):
        name = f"b{number}"
        source = draw(st.sampled_from(sorted(set(sizes) - excluded)))
        alike = sorted(other for other, size in sizes.items() if size == sizes[source] and other not in excluded)
        others = draw(st.lists(st.sampled_from(alike), max_size=2))
        block, size = draw(vector_block(source, sizes[source], others))
        if block.get("type") == "Sum" and draw(st.booleans()):
            block["from"] = [*block["from"], f"{name}@-{draw(st.integers(1, 3))}"]
        if draw(st.integers(0, 9)) == 0:
            block["exclude"] = draw(st.sampled_from([["train"], ["val", "test"]]))
            excluded.add(name)
        blocks[name], sizes[name] = block, size
    return {"name": "random", "inputs": {"x": [sizes["x"]]}, "blocks": blocks}


def x_for(document: Document, batch: int = 3) -> Tensor:
    return torch.randn(batch, *document["inputs"]["x"], generator=torch.Generator().manual_seed(0))


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return torch.equal(one, other)


def without_delays(document: Document) -> Document:
    """The same net without edges that read an earlier frame, whose zeros hide what partial runs compute."""
    blocks = copy.deepcopy(document["blocks"])
    for block in blocks.values():
        if isinstance(block["from"], list):
            block["from"] = [source for source in block["from"] if "@" not in source]
    return {**document, "blocks": blocks}
