"""Forward-Forward: layers learn each by itself to tell digits with their label from digits with a wrong one.

    python examples/07_forward_forward.py data/mnist

Under 3 % of the test digits are misjudged, in a few minutes on one core. The label stands in the first ten pixels;
a digit is given the one with which it excites the layers most. G. Hinton, arXiv:2212.13345.
"""

import json
import sys

import torch
from torch import Tensor, nn

import rillnet as rn

UNITS, EPOCHS = 400, 12


class Labelled(nn.Module):
    """In training a digit with its label and with a wrong one, [batch, 2, pixels]; else with each of the ten."""

    def forward(self, pixels_ND: Tensor, label_N: Tensor, guess_NC: Tensor) -> Tensor:
        shown_NV = torch.arange(10, device=label_N.device).expand(len(pixels_ND), 10)
        if self.training:
            likely_NC = torch.softmax(guess_NC.detach() / 2, 1) + 1e-6
            wrong_N = torch.multinomial(likely_NC.scatter(1, label_N[:, None], 0.0), 1)[:, 0]
            shown_NV = torch.stack([label_N, wrong_N], 1)
        pixels_NVD = pixels_ND[:, None, 10:].expand(-1, shown_NV.shape[1], -1)
        return torch.cat([nn.functional.one_hot(shown_NV, 10).to(pixels_ND.dtype), pixels_NVD], 2)


class Goodness(nn.Module):
    def forward(self, *layers: Tensor) -> Tensor:
        return sum(layer.square().mean(2) for layer in layers)


def train(root: str = "data/mnist", epochs: int = EPOCHS, seed: int = 1) -> dict[str, float]:
    net = rn.Net("forward-forward", inputs={"image": (1, 28, 28), "label": rn.Scalar("int64")}, seed=seed)
    net.add("flat", nn.Flatten(), source="image").add("guess", rn.Linear(out_features=10))
    net.add("guess_loss", rn.CrossEntropy(), source=["guess", "label"])
    net.add("labelled", Labelled(), source=["flat", "label", "guess"])
    for k in (1, 2):  # what a layer reads has length 1, so that it cannot read the goodness of the layer before
        net.add(f"norm{k}", rn.RMSNorm(elementwise_affine=False)).add(f"layer{k}", rn.Linear(out_features=UNITS))
        net.add(f"act{k}", nn.ReLU())
    net.add("goodness", Goodness(), source=["act1", "act2"])
    net.add("accuracy", rn.Accuracy(), source=["goodness", "label"], exclude=["train"])
    guess = {"type": "Backprop", "loss": "guess_loss", "parameters": "guess", "optimizer": {"type": "Adam"}}
    layers = {"type": "ForwardForward", "layers": {"layer1": "act1", "layer2": "act2"}, "rate": "Cosine"}
    learning = {"guess": guess, "layers": {**layers, "optimizer": {"type": "Adam", "lr": 2e-3}}}
    data = {"source": {"type": "MNIST", "root": root}, "batch_size": 200}
    run = {"epochs": epochs, "seed": seed, "evaluate": {"every": "never"}}
    with rn.Session(rn.Experiment(net=net, data=data, learning=learning, run=run), record=False) as session:
        session.run(progress=False)
        return session.evaluate("test")


if __name__ == "__main__":
    print(json.dumps(train(*sys.argv[1:2])))
