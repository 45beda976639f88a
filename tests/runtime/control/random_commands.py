"""Commands drawn at random, right and wrong ones of all families; and what a session is in one word."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import rillnet as rn
from rillnet.runtime.control import grammar
from rillnet.runtime.session import Session

BLOCKS = ("conv", "norm", "relu", "pool", "flat", "hidden", "act", "drop", "join", "logits", "loss", "accuracy")
NEW = ("extra", "more", "side")
WRONG = ("nothing", "conv1", "", "image", "net", "hidden[", "*", "a->b", "lo ss", "é")


def experiment(steps: int = 400) -> rn.Experiment:
    """A small net with a cycle, normalisation and dropout, that learns handwritten digits.

    It has fewer hidden units than there are classes, so that some edits leave the loss without a score for every label.
    """
    blocks = {
        "conv": {"type": "Conv2d", "from": "image", "out_channels": 3, "kernel_size": 3, "padding": 1, "tags": "low"},
        "norm": {"type": "BatchNorm2d", "tags": ["low", "normal"]},
        "relu": "ReLU",
        "pool": {"type": "MaxPool2d", "kernel_size": 2},
        "flat": "Flatten",
        "hidden": {"type": "Linear", "out_features": 8},
        "act": "Tanh",
        "drop": {"type": "Dropout", "p": 0.2},
        "join": {"type": "Concat", "from": ["drop", "act@-1"]},
        "logits": {"type": "Linear", "out_features": 10},
        "loss": {"type": "CrossEntropy", "from": ["logits", "label"]},
        "accuracy": {"type": "Accuracy", "from": ["logits", "label"]},
    }
    return rn.Experiment(
        net={"name": "small", "inputs": {"image": [1, 8, 8], "label": {"dtype": "int64"}}, "blocks": blocks},
        data={"source": "Digits", "batch_size": 8},
        learning={"main": {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}, "rate": "Cosine"}},
        run={"steps": steps, "seed": 1, "execution": "eager", "average": 0.9, "checkpoint": {"every": "1 epoch"}},
        experiment="small",
    )


def digest(session: Session) -> str:
    """All that the next frame depends on, and all that commands have done, as one word."""
    found = hashlib.sha256()
    tensors, values = session.whole_state()
    for group, members in sorted(tensors.items()):
        for name, tensor in sorted(members.items()):
            found.update(f"{group}/{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    kept = {"values": values, "edits": session.net.edits, "control": session.control.saved_state()}
    kept["blocks"] = {name: [str(source) for source in block.sources] for name, block in session.net.blocks.items()}
    kept["history"] = [(entry.number, entry.text, entry.undone) for entry in session.control.history]
    kept["pace"] = (session.control.state, session.control.speed)
    found.update(json.dumps(kept, sort_keys=True, default=str).encode())
    return found.hexdigest()


class Draws:
    """Draws commands.

    Args:
        seed: of the draws.
        back: whether going back is among them.
    """

    def __init__(self, seed: int, *, back: bool = True) -> None:
        self.random = random.Random(seed)
        self.families: list[Callable[[], str]] = [
            self.set,
            self.add,
            self.learning,
            self.parameters,
            self.intervention,
            self.intervention,
            self.edge,
            self.block,
            self.widen,
            self.undo,
            self.asking,
            self.rubbish,
        ]
        if back:
            self.families.append(self.back)

    def __call__(self) -> str:
        """A command, as it is written."""
        return self.one_of(self.families)()

    def one_of(self, things: Any) -> Any:
        """One of some things."""
        return self.random.choice(list(things))

    def name(self) -> str:
        """A block's name, now and then a wrong one."""
        return str(self.one_of((*BLOCKS * 2, *NEW * 2, *WRONG)))

    def number(self) -> Any:
        """A number, now and then none."""
        return self.one_of((0, 0.5, -1, 3, 1e-3, 0.25, "null", ".nan", "word", "[1, 2]", "1e400"))

    def set(self) -> str:
        """Sets something."""
        address = self.one_of(
            (
                "net/hidden/weight",
                "net/logits/bias",
                "net/norm/running_mean",
                "net/drop/p",
                "learning/main/rate",
                "learning/main/eps",
                "learning/main/active",
                "learning/main/accumulate",
                "learning/main/clip",
                "learning/main/period",
                "learning/main/every",
                "net/conv/padding_mode",
                "net/conv/kernel_size",
                "net/pool/kernel_size",
                "net/join/dim",
                f"net/{self.name()}/weight",
                "clock/frame",
                "data/noise",
                self.name(),
            )
        )
        value = self.one_of((self.number(), self.number(), 1, 2, "circular"))
        return f"{self.one_of(('set', 'set', 'add'))} {grammar.flow(address)} {value}"

    def add(self) -> str:
        """Adds a block."""
        source = self.one_of((self.name(), f"[{self.name()}, {self.name()}]"))
        kind = self.one_of(
            (
                "type: Linear, out_features: 8",
                "type: Linear, out_features: 10",
                "type: ReLU",
                "type: Sum",
                "type: Flatten",
                "type: Linea, out_features: 3",
                "type: Linear, out_features: -3",
                "typ: x",
            )
        )
        return f"add {self.one_of((*NEW, *NEW, self.name()))} {{{kind}, from: {source}}}"

    def learning(self) -> str:
        """Has rules rest, or holds a rate."""
        return str(
            self.one_of(
                (
                    "learning off",
                    "learning on",
                    "learning on",
                    "learning off main",
                    "learning maybe",
                    f"rate main {self.number()}",
                    "rate main auto",
                    "rate other 0.1",
                )
            )
        )

    def parameters(self) -> str:
        """Acts on parameters by pattern."""
        command = self.one_of(("hold", "release", "reinitialise"))
        pattern = self.one_of(("net/hidden/*", "net/*/weight", "conv", "tag:low", "tag:none", self.name()))
        return f"{command} {grammar.flow(pattern)}"

    def intervention(self) -> str:
        """Clamps, adds noise, lesions, restores."""
        target = self.one_of(
            (
                self.name(),
                self.name(),
                f"{self.name()}[1]",
                f"{self.name()}[0, 2:4, :]",
                f"{self.name()}->{self.name()}",
                self.one_of(("tag:normal", "tag:low[0]", "tag:none")),
            )
        )
        target = grammar.flow(target) if " " not in target else f'"{target}"'
        return str(
            self.one_of(
                (
                    f"clamp {target} {self.number()}",
                    f'clamp {target} "normal(0, 1)"',
                    f"clamp {target} missing.png",
                    f"noise {target} {self.number()}",
                    f"lesion {target}",
                    f"lesion {target}",
                    f"restore {target}",
                    "restore all",
                )
            )
        )

    def edge(self) -> str:
        """Connects or disconnects."""
        edge = grammar.flow(f"{self.name()}->{self.name()}")
        how = self.one_of(("", "", " delay=1", " delay=2", " port=0", " port=7", " delay=-1"))
        known = self.one_of(("drop->join", "act->join", "hidden->join", "drop->logits", "extra->join", "join->logits"))
        return str(
            self.one_of((f"connect {edge}{how}", f"connect {known}{how}", f"disconnect {edge}", f"disconnect {known}"))
        )

    def block(self) -> str:
        """Removes a block."""
        return f"remove {grammar.flow(self.one_of((*NEW, 'relu', 'drop', 'norm', self.name())))}"

    def widen(self) -> str:
        """Widens a layer."""
        layer = self.one_of(("conv", "hidden", "extra", "logits", self.name()))
        return f"widen {grammar.flow(layer)} {self.random.choice((4, 5, 6, 9, 10, 12, 0, -1, 'x'))}"

    def undo(self) -> str:
        """Undoes."""
        return str(self.one_of(("undo", "undo", f"undo {self.random.randrange(60)}")))

    def asking(self) -> str:
        """Asks, and leaves all as it is."""
        return str(
            self.one_of(
                (
                    "get net/hidden/weight",
                    f"get {grammar.flow(self.name())}",
                    "get clock/frame",
                    "help",
                    "help set",
                    "help nonsense",
                    "evaluate",
                    "checkpoint",
                    "stop",
                    "speed 1000",
                    "speed max",
                    "speed -1",
                )
            )
        )

    def back(self) -> str:
        """Goes back."""
        return f"back {self.random.choice((1, 1, 2, 3, 5, 0, 10**6))}"

    def rubbish(self) -> str:
        """Says nothing that is a command."""
        return str(
            self.one_of(
                (
                    "",
                    "   ",
                    "set",
                    "set a",
                    "widen",
                    "frobnicate x",
                    "clamp hidden [1, 2",
                    'set "a',
                    "connect ->",
                    "undo x y",
                )
            )
        )
