"""Nets, and everything that can be done to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from tests.runtime.interventions.reference import Done

LABEL = {"dtype": "int64"}
FRAMES, STREAMS, SEED, CLASSES, MEMBERS = 4, 6, 11, 5, 4

_TANH = {"fc": {"type": "Linear", "out_features": 6}, "act": "Tanh"}
_POOL = {
    "type": "Pool",
    "shape": [6],
    "act": "tanh",
    "from": [{"source": "x", "via": "Synapse", "rf": 0}, {"source": "total@-1", "via": "Synapse", "rf": 0}],
}


@dataclass(frozen=True)
class Case:
    """A net and how it is rolled out.

    Args:
        document: the net.
        rollout: `sequential` or `streaming`.
        shown: blocks whose values are compared, besides the loss.
        placements: of this net over two processes.
    """

    document: dict[str, Any]
    rollout: str
    shown: tuple[str, ...]
    placements: tuple[dict[str, Any], ...] = ()

    def net(self) -> Net:
        net = Net.from_spec(self.document, seed=3)
        net.set_phase("train")
        return net

    def rolled_out(self, net: Net) -> Rollout:
        found: Rollout = getattr(Rollout, self.rollout)(net)
        return found


MAPS = Case(
    {
        "inputs": {"x": [2, 8, 8], "label": LABEL},
        "blocks": {
            "conv": {"type": "Conv2d", "from": "x", "out_channels": 4, "kernel_size": 3, "padding": 1},
            "act": {"type": "ReLU", "inplace": True},
            "res": {
                "type": "Net",
                "blocks": {
                    "conv1": {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1},
                    "act": "Tanh",
                },
            },
            "sum": {"type": "Sum", "from": ["act", "res"]},
            "flat": "Flatten",
            "head": {"type": "Linear", "out_features": CLASSES},
            "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
        },
    },
    "sequential",
    ("sum", "head"),
    (
        {},
        {"default": "feature"},
        {"blocks": dict.fromkeys(("conv", "act", "res/*", "sum"), "space")},
        {"blocks": {"act": {"location": 0}, "res/*": {"location": 1}, "head": "feature"}},
    ),
)
CELLS = Case(
    {
        "inputs": {"x": [4], "label": LABEL},
        "blocks": {
            "inner": {"type": "Linear", "from": "x", "out_features": 6},
            "rnn": {"type": "SimpleRNN", "hidden_size": 6},
            "act": "Tanh",
            "head": {"type": "Linear", "out_features": CLASSES},
            "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
        },
    },
    "sequential",
    ("rnn", "head"),
    ({}, {"default": "feature"}, {"blocks": {"rnn": {"location": 1}}}),
)
MANY = Case(
    {
        "inputs": {"x": [4], "label": LABEL},
        "blocks": {
            **{f"unit{n}": {"type": "Net", "blocks": _TANH, "from": "x"} for n in range(MEMBERS)},
            "total": {"type": "Sum", "from": [f"unit{n}" for n in range(MEMBERS)]},
            **{f"pool{n}": _POOL for n in range(MEMBERS)},
            "all": {"type": "Concat", "from": ["total", *(f"pool{n}" for n in range(MEMBERS))]},
            "head": {"type": "Linear", "out_features": CLASSES},
            "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
        },
    },
    "streaming",
    ("unit1", "pool2", "head"),
)

_ARRAY = torch.linspace(-1, 1, 6)
_PICTURE = torch.linspace(0, 1, 64).reshape(8, 8)

ROWS: dict[str, tuple[Case, Sequence[Done]]] = {
    "a block clamped to a number": (MAPS, [Done("clamp", "act", 0.5)]),
    "a channel clamped to an array": (MAPS, [Done("clamp", "sum", _PICTURE, (2,))]),
    "a region clamped to a number": (MAPS, [Done("clamp", "conv", -1.5, (slice(None), slice(2, 5), slice(1, 7)))]),
    "a block clamped to draws": (MAPS, [Done("clamp", "act", ("normal", 0.5, 2.0))]),
    "a region clamped to draws": (MAPS, [Done("clamp", "res/conv1", ("uniform", -1.0, 1.0), (slice(1, 3),))]),
    "an input clamped to an array": (MAPS, [Done("clamp", "x", _PICTURE)]),
    "an input clamped to draws": (MAPS, [Done("clamp", "x", ("normal", 0.0, 1.0), (1,))]),
    "a label clamped": (MAPS, [Done("clamp", "label", 3)]),
    "noise on a map": (MAPS, [Done("noise", "conv", 0.7)]),
    "noise on an input and a region": (MAPS, [Done("noise", "x", 0.3), Done("noise", "sum", 0.5, (0, slice(0, 4)))]),
    "a lesioned block": (MAPS, [Done("lesion", "res/act")]),
    "lesioned channels and a lesioned region": (
        MAPS,
        [Done("lesion", "conv", at=(1,)), Done("lesion", "sum", at=(slice(None), slice(4, 8)))],
    ),
    "cut edges": (MAPS, [Done("cut", "sum", source="act"), Done("cut", "res/conv1", source="act")]),
    "all that leads to the loss cut": (MAPS, [Done("cut", "loss", source="head")]),
    "the loss clamped": (MAPS, [Done("clamp", "loss", 0.25)]),
    "everything at once": (
        MAPS,
        [
            Done("clamp", "conv", 0.4, (0,)),
            Done("noise", "conv", 0.2),
            Done("clamp", "conv", ("normal", 0.0, 1.0), (slice(0, 2), 3)),
            Done("lesion", "conv", at=(slice(None), slice(None), 5)),
            Done("cut", "flat", source="sum"),
        ],
    ),
    "a cell clamped": (CELLS, [Done("clamp", "rnn", _ARRAY)]),
    "a unit of a cell lesioned": (CELLS, [Done("lesion", "rnn", at=(2,))]),
    "noise on a cell": (CELLS, [Done("noise", "rnn", 0.5)]),
    "what a cell reads of itself cut": (CELLS, [Done("cut", "rnn", source="rnn")]),
    "what surrounds a cell": (CELLS, [Done("noise", "inner", 0.2, (slice(0, 3),)), Done("lesion", "act", at=(0,))]),
    "blocks of groups lesioned": (MANY, [Done("lesion", "unit1/act"), Done("lesion", "pool2", at=(slice(1, 4),))]),
    "blocks of groups clamped": (
        MANY,
        [Done("clamp", "unit0/fc", 0.5), Done("clamp", "pool3", ("normal", 0, 1), (3,))],
    ),
    "noise within groups": (MANY, [Done("noise", "unit2/act", 0.5), Done("noise", "pool1", 0.1)]),
    "edges within groups cut": (
        MANY,
        [Done("cut", "unit3/fc", source="x"), Done("cut", "unit1/act", source="unit1/fc")],
    ),
    "synapses cut and lesioned": (
        MANY,
        [Done("cut", "pool3_total", source="total"), Done("lesion", "pool3_x"), Done("cut", "pool1", source="pool1_x")],
    ),
    "an edge from a group cut": (MANY, [Done("cut", "total", source="unit2/act")]),
}


def frames_of(case: Case, net: Net, count: int = FRAMES) -> list[dict[str, Tensor]]:
    """Inputs of some frames."""
    generator = torch.Generator().manual_seed(7)
    found = []
    for _ in range(count):
        frame = {}
        for name, signature in net.inputs.items():
            shape = signature.of_batch(STREAMS)
            is_label = signature.dtype == torch.int64
            frame[name] = (
                torch.randint(0, CLASSES, shape, generator=generator)
                if is_label
                else torch.randn(shape, generator=generator)
            )
        found.append(frame)
    return found
