"""Stochastic depth: in every frame of training, layers of a residual net are skipped at random, in plain Python.

    python examples/05_stochastic_depth.py

G. Huang et al.: Deep networks with stochastic depth, ECCV 2016. Over 95 % on handwritten digits within a minute. The
draws come from torch's generator, which is seeded by block and frame: the same seed gives the same net bit for bit.
"""

import json

import torch
from torch import Tensor, nn

import rillnet as rn

DEPTH, WIDTH = 6, 64


class Skipped(nn.Module):
    """A residual layer that is there with some probability; outside training it is there to that degree."""

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.layer, self.survival = nn.Linear(WIDTH, WIDTH), survival

    def forward(self, h: Tensor) -> Tensor:
        if self.training and float(torch.rand(())) > self.survival:
            return h
        share = 1.0 if self.training else self.survival
        return torch.relu(h + share * self.layer(h))


def train(steps: int = 1000, seed: int = 1) -> dict[str, float]:
    """Trains a net, and tells its metrics on the test images."""
    torch.manual_seed(seed)  # draws the parameters of modules that are handed in
    net = rn.Net("stochastic-depth", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=seed)
    net.add("flat", rn.Flatten(), source="image").add("first", rn.Linear(out_features=WIDTH)).add("act", rn.ReLU())
    for number in range(1, DEPTH + 1):
        net.add(f"layer{number}", Skipped(survival=1 - 0.5 * number / DEPTH))
    net.add("scores", rn.Linear(out_features=10)).add("loss", rn.CrossEntropy(), source=["scores", "label"])
    net.add("accuracy", rn.Accuracy(), source=["scores", "label"], exclude=["train"])
    experiment = rn.Experiment(
        net=net,
        data={"source": "Digits", "batch_size": 32},
        learning={"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.002}, "rate": "Cosine"},
        run={"steps": steps, "seed": seed, "evaluate": {"every": "never"}, "execution": "eager"},
    )
    with rn.Session(experiment, record=False) as session:
        session.run(progress=False)
        return session.evaluate("test")


if __name__ == "__main__":
    print(json.dumps(train()))
