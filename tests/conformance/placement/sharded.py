"""Nets and rules of learning that placements shard, and runs of them on one process and on several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import rillnet as rn

ADAM = {"type": "Adam", "lr": 0.003, "eps": 1e-4}


@dataclass(frozen=True)
class Row:
    """A run.

    Args:
        net: makes the net.
        learning: more of the rule.
        shapes: of the inputs.
        placement: besides how it shards.
        run: more of the run.
    """

    net: str
    learning: dict[str, Any]
    placement: dict[str, Any]
    run: dict[str, Any]


def convolutions() -> rn.Net:
    net = rn.Net("convolutions", inputs={"x": (2, 6, 6), "label": rn.Scalar("int64")}, seed=3)
    net.add("conv", rn.Conv2d(out_channels=5, kernel_size=3, padding=1, bias=False), source="x")
    net.add("norm", rn.BatchNorm2d()).add("act", rn.ReLU()).add("flat", rn.Flatten())
    net.add("fit", rn.Linear(out_features=7)).add("drop", rn.Dropout(p=0.2))
    net.add("logits", rn.Linear(out_features=5))
    return net.add("loss", rn.CrossEntropy(), source=["logits", "label"])


def tied() -> rn.Net:
    net = rn.Net("tied", inputs={"x": (2, 6, 6), "label": rn.Scalar("int64")}, seed=3)
    net.add("flat", rn.Flatten(), source="x").add("code", rn.Linear(out_features=4)).add("act", rn.Tanh())
    net.add("back", rn.Linear(out_features=72), share={"weight": {"of": "code.weight", "transpose": True}})
    net.add("logits", rn.Linear(out_features=5), source="act")
    net.add("apart", rn.MeanSquaredError(), source=["back", "flat"])
    return net.add("loss", rn.CrossEntropy(), source=["logits", "label"])


def recurrent() -> rn.Net:
    net = rn.Net("recurrent", inputs={"x": (2, 6, 6), "label": rn.Scalar("int64")}, seed=3)
    net.add("flat", rn.Flatten(), source="x").add("unit", rn.Linear(out_features=6))
    net.add("again", rn.Linear(out_features=6), source="act@-1").add("sum", rn.Sum(), source=["unit", "again"])
    net.add("act", rn.Tanh()).add("logits", rn.Linear(out_features=5))
    return net.add("loss", rn.CrossEntropy(), source=["logits", "label"])


NETS = {"convolutions": convolutions, "tied": tied, "recurrent": recurrent}

ROWS = {
    "momentum, clipped": Row(
        "convolutions",
        {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}, "clip": 0.5},
        {},
        {"average": 0.9},
    ),
    "Adam over three steps each": Row("convolutions", {"optimizer": ADAM, "accumulate": 3, "clip": 1.0}, {}, {}),
    "several optimisers, rates and factors": Row(
        "convolutions",
        {
            "optimizer": [
                {"of": "*conv*", "type": "AdamW", "lr": 0.003, "weight_decay": 0.1, "eps": 1e-4},
                {"type": "SGD", "lr": 0.1, "momentum": 0.9, "l1": 0.001},
            ],
            "factors": {"*/bias": {"rate": 2, "decay": 0}},
            "rate": {"type": "Cosine"},
        },
        {},
        {},
    ),
    "tied weights": Row("tied", {"optimizer": ADAM, "loss": {"loss": 1.0, "apart": 0.1}}, {}, {}),
    "a window": Row("recurrent", {"optimizer": ADAM, "window": 3}, {}, {}),
    "features beside": Row(
        "convolutions", {"optimizer": ADAM, "clip": 1.0}, {"blocks": {"fit": {"partition": "feature"}}}, {}
    ),
    "a part that is not sharded": Row(
        "convolutions", {"optimizer": ADAM, "clip": 1.0}, {"blocks": {"logits": {"shard": "none"}}}, {}
    ),
}


def experiment(name: str, shard: str | None, steps: int = 20) -> rn.Experiment:
    """A row's run; on one process where it is not sharded."""
    row = ROWS[name]
    net = NETS[row.net]()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(39, 2, 6, 6, generator=generator)  # the last batch is short
    data = {"x": x, "label": torch.randint(0, 5, (39,), generator=generator)}
    run = {"steps": steps, "seed": 3, "execution": "eager", "evaluate": {"every": "never"}, **row.run}
    placement = {} if shard is None else {"default": {"partition": "batch", "shard": shard}, **row.placement}
    learning = {"type": "Backprop", **row.learning}
    source = {"source": data, "batch_size": 8}
    return rn.Experiment(net=net, data=source, learning=learning, run=run, placement=placement)


def numbers_of(session: rn.Session) -> dict[str, Tensor]:
    """Whole parameters, and what the rule keeps of them."""
    tensors, _ = session.whole_state()
    if session.placement is None:
        return {**tensors["parameters"], **tensors["learning"]}
    return {
        **session.placement.whole(tensors["parameters"]),
        **session.placement.whole_of_rules(tensors["learning"]),
    }


def trained(name: str, shard: str | None) -> dict[str, Tensor]:
    """What a run ends with, in the first process."""
    with rn.Session(experiment(name, shard), record=False) as session:
        session.run(progress=False)
        return {key: tensor.detach().clone() for key, tensor in numbers_of(session).items()}


def all_trained(rank: int, cases: list[tuple[str, str]]) -> list[dict[str, Tensor]]:
    """What runs end with."""
    return [trained(*case) for case in cases]
