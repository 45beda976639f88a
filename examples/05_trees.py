"""A net whose graph is another one for every example: it follows the parse tree of a formula, in plain Python.

Formulas of and, or and not are learned from trees of up to 9 symbols; over 97 % of larger ones are judged rightly.
R. Socher et al.: Parsing natural scenes and natural language with recursive neural networks, ICML 2011.
"""

import json
import random

import torch
from torch import Tensor, nn

import rillnet as rn

FALSE, TRUE, NOT, AND, OR, NOTHING = range(6)
LONGEST, UNITS = 21, 24


class Tree(nn.Module):
    """Reads formulas in postfix order: a symbol takes what it needs from the stack, and puts what it makes there."""

    def __init__(self) -> None:
        super().__init__()
        self.leaf, self.one = nn.Embedding(2, UNITS), nn.Linear(UNITS, UNITS)
        self.two = nn.ModuleList([nn.Linear(2 * UNITS, UNITS), nn.Linear(2 * UNITS, UNITS)])

    def forward(self, symbols_NT: Tensor) -> Tensor:
        return torch.stack([self.follow(symbols) for symbols in symbols_NT.tolist()])

    def follow(self, symbols: list[int]) -> Tensor:
        stack = [self.leaf.weight[FALSE]]
        for symbol in symbols:
            if symbol in (FALSE, TRUE):
                stack.append(self.leaf.weight[symbol])
            elif symbol == NOT:
                stack.append(torch.tanh(self.one(stack.pop())))
            elif symbol in (AND, OR):
                stack.append(torch.tanh(self.two[symbol - AND](torch.cat([stack.pop(), stack.pop()]))))
        return stack[-1]


def formula(draw: random.Random, size: int) -> tuple[list[int], bool]:
    """A formula of so many symbols in postfix order, and whether it is true."""
    if size == 1:
        return ([TRUE], True) if draw.random() < 0.5 else ([FALSE], False)
    if size == 2 or draw.random() < 0.2:
        symbols, value = formula(draw, size - 1)
        return [*symbols, NOT], not value
    left, kind = draw.randint(1, size - 2), draw.choice([AND, OR])
    (first, a), (second, b) = formula(draw, left), formula(draw, size - 1 - left)
    return [*first, *second, kind], (a and b) if kind == AND else (a or b)


def examples(count: int, fewest: int, most: int, seed: int) -> dict[str, Tensor]:
    draw = random.Random(seed)
    drawn = [formula(draw, draw.randint(fewest, most)) for _ in range(count)]
    padded = torch.tensor([symbols + [NOTHING] * (LONGEST - len(symbols)) for symbols, _ in drawn])
    return {"symbols": padded, "label": torch.tensor([int(value) for _, value in drawn])}


if __name__ == "__main__":
    torch.manual_seed(1)  # draws the parameters of modules that are handed in
    inputs = {"symbols": {"shape": [LONGEST], "dtype": "int64"}, "label": rn.Scalar("int64")}
    net = rn.Net("trees", inputs=inputs, seed=1).add("tree", Tree(), source="symbols")
    net.add("scores", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["scores", "label"])
    net.add("accuracy", rn.Accuracy(), source=["scores", "label"], exclude=["train"])
    data = {"train": examples(2000, 1, 9, seed=1), "test": examples(300, 11, LONGEST, seed=2)}
    learning = {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}, "rate": "Cosine", "clip": 1.0}
    run = {"steps": 400, "seed": 1, "evaluate": {"every": "never"}, "execution": "eager"}
    experiment = rn.Experiment(net=net, data={"source": data, "batch_size": 32}, learning=learning, run=run)
    with rn.Session(experiment, record=False) as session:
        session.run(progress=False)
        print(json.dumps(session.evaluate("test")))
