"""All that a run is made from: checked in one pass, from Python and from documents, live or as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.data.transforms.flip import Flip
from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from rillnet.training.experiment import Experiment
from rillnet.training.rates import Progress
from tests.training.small_experiments import (
    data,
    differing,
    experiment,
    image_net,
    images,
    line_experiment,
    state_of,
)

# Nets


def test_a_net_of_no_seed_is_drawn_from_the_runs() -> None:
    def weight(net: rn.Net, seed: int) -> torch.Tensor:
        with Session(experiment(net=net, run={"seed": seed}), record=False) as session:
            return session.net["conv"].weight.detach().clone()

    assert torch.equal(weight(image_net(), 1), weight(image_net(), 1))
    assert not torch.equal(weight(image_net(), 1), weight(image_net(), 2))

    drawn = image_net()
    drawn.draw(5)
    before = drawn["conv"].weight.detach().clone()
    assert torch.equal(weight(drawn, 1), before)

    touched = image_net()
    with torch.no_grad():
        touched["conv"].weight.fill_(0.25)
    assert bool((weight(touched, 1) == 0.25).all())


def test_a_net_of_the_meta_device_is_allocated() -> None:
    net = rn.Net("meta", inputs={"x": (1,), "y": (1,)}, device="meta").add("fit", rn.Linear(out_features=1), source="x")
    net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    plain = rn.Net("meta", inputs={"x": (1,), "y": (1,)}).add("fit", rn.Linear(out_features=1), source="x")
    plain.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    states = []
    for one in (net, plain):
        with Session(line_experiment(net=one), record=False) as session:
            session.run(steps=2)
            states.append(state_of(session))
    assert differing(*states) == []


def test_a_net_may_be_a_record_a_name_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("net: {inputs: {x: [2]}, blocks: {a: {type: Linear, out_features: 1}}}")
    blocks = {"a": {"type": "Linear", "out_features": 1}}
    for net, name in (
        ({"inputs": {"x": [2]}, "blocks": blocks}, "net"),
        ({"name": "mine", "inputs": {"x": [2]}, "blocks": blocks}, "mine"),
        (tmp_path / "net.yaml", "net"),
        ("lenet", "lenet"),
    ):
        assert rn.Experiment(net=net).spec.experiment == name


def test_live_modules_are_trained_recorded_and_gone_on_with(tmp_path: Path) -> None:
    class Doubled(nn.Module):
        """A block that no text describes."""

        def __init__(self, by: torch.Tensor) -> None:
            super().__init__()
            self.by = nn.Parameter(by)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.by

    def made(size: int = 1) -> Experiment:
        return experiment(net=image_net(doubled=Doubled(torch.full((size, 1, 1), 2.0))))

    with Session(made(), root=tmp_path / "whole") as session:
        session.run()
        expected = state_of(session)
    with Session(made(), root=tmp_path / "parts") as session:
        session.run(steps=5)
    with Session(made(3), root=tmp_path / "parts", resume=True) as session:
        assert session.clock.step == 0  # another net is another run, though it has the same name
    with Session(made(), root=tmp_path / "parts", resume=True) as session:
        assert session.clock.step == 5
        session.run()
        assert differing(expected, state_of(session)) == []
    with pytest.raises(RequestError) as error:
        rn.load("small/1", root=tmp_path / "parts")
    assert str(error.value) == (
        "small/1: its net was made of live modules in Python, and can be gone on with only from there; "
        "rn.Session(experiment, resume=True)"
    )


# Data


@pytest.mark.parametrize(
    "given", ["Digits", {"type": "Digits"}, {"source": "Digits"}, {"source": {"type": "Digits"}, "batch_size": 128}]
)
def test_data_that_a_document_can_say_are_in_the_record(given: Any) -> None:
    made = rn.Experiment(net="lenet", data=given)
    assert made.spec.data is not None
    assert made.spec.data.source.type == "Digits"


@pytest.mark.parametrize(
    "given", [images(), {"source": images()}, {"source": "Digits", "augment": [Flip()]}, rn.open_data(images())]
)
def test_data_that_only_python_has_are_kept_alive(given: Any) -> None:
    made = experiment(data=given)
    assert made.spec.data is None
    opened = made.open_data()
    assert opened is not None
    assert "train" in opened.phases
    assert opened.seed == 1


def test_an_experiment_without_data_opens_none() -> None:
    assert rn.Experiment(net="lenet").open_data() is None


# Records


def test_equal_documents_have_equal_fingerprints() -> None:
    assert experiment().fingerprint == experiment().fingerprint
    others: list[dict[str, Any]] = [
        {"data": data(batch_size=5)},
        {"learning": {"clip": 1.0}},
        {"run": {"seed": 2}},
        {"rollout": "streaming"},
    ]
    prints = {experiment().fingerprint, *(experiment(**parts).fingerprint for parts in others)}
    assert len(prints) == 1 + len(others)
    assert experiment(run={"log": "7 steps"}).fingerprint == experiment().fingerprint


def test_a_callable_is_a_rate() -> None:
    def half(base: float, progress: Progress) -> float:
        return base / (1 + progress.step)

    with Session(line_experiment(learning={"rate": half}), record=False) as session:
        session.run(steps=2)
        assert session["learning/main/rate"] == 0.05


def test_a_callable_rate_is_recorded_and_gone_on_with(tmp_path: Path) -> None:
    def half(base: float, progress: Progress) -> float:
        return base / (1 + progress.step)

    for _ in range(2):
        with Session(line_experiment(learning={"rate": half}, run={"steps": 4}), root=tmp_path, resume=True) as session:
            session.run(steps=2)
    assert session.clock.step == 4
    assert [path.name for path in (tmp_path / "line").iterdir()] == ["1"]


def test_lengths_are_shown() -> None:
    assert repr(line_experiment(run={"steps": 5})) == "Experiment(line: 2 blocks, learning by main, 5 steps)"
    assert repr(line_experiment()) == "Experiment(line: 2 blocks, learning by main, no length)"
    assert repr(rn.Experiment(net="lenet")).endswith("learning by nothing, no length)")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"rules": "Backprop", "net": nn.ReLU()},
            "net: must be a net, its record, or the name or path of one (got 'ReLU'); "
            "rn.Net.from_module(model, example) makes one of a PyTorch model",
        ),
        (
            {"rules": "Adam"},
            "learning/main.type: is an optimizer, which a learning rule takes (got 'Adam'); "
            "write {type: Backprop, optimizer: {type: Adam, ...}}",
        ),
        (
            {"rules": 3},
            "learning: must be a learning rule's record (got 'int'); "
            'as in {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.1}}',
        ),
        (
            {"learning": {"optimizer": torch.optim.Adam}},
            "learning/main.optimizer: must be a mapping with a type "
            "(got <class 'torch.optim.adam.Adam'>); write its name, 'Adam'",
        ),
    ],
)
def test_what_is_handed_in_is_of_the_kind_that_is_asked_for(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        experiment(**parts)
    assert str(error.value) == message


def test_a_key_of_run_among_the_rules_is_sent_there() -> None:
    with pytest.raises(RequestError) as error:
        experiment(rules={"main": "Backprop", "epochs": 3})
    assert "must be learning rules by name, and 'epochs' is none; 'run.epochs' says that" in str(error.value)
