"""Every fault of how an experiment learns and is run, in one pass, before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from rillnet.spec import ExperimentSpec
from rillnet.training.checking import check_reach
from tests.training.small_experiments import data, experiment, image_net, images


def faults(**parts: Any) -> list[str]:
    with pytest.raises(RequestError) as error:
        experiment(**parts)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"learning": {"loss": "los"}}, "learning/main.loss: unknown block (got 'los'); did you mean 'loss'?"),
        (
            {"learning": {"loss": ["loss", "accuracy"]}},
            "learning/main.loss: is excluded from train, where it is learned from (got 'accuracy')",
        ),
        ({"learning": {"loss": []}}, "learning/main.loss: must name at least one block (got [])"),
        (
            {"learning": {"optimizer": "adam"}},
            "learning/main.optimizer.type: unknown optimizer (got 'adam'); did you mean 'Adam'?",
        ),
        (
            {"learning": {"rate": "Cosin"}},
            "learning/main.rate.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?",
        ),
        ({"learning": {"clip": -1}}, "learning/main.clip: must be more than 0 (got -1)"),
        ({"learning": {"accumulate": 0}}, "learning/main.accumulate: must be at least 1 (got 0)"),
        ({"learning": {"opimizer": "SGD"}}, "learning/main.opimizer: unknown key; did you mean 'optimizer'?"),
        ({"learning": {"net": "x"}}, "learning/main.net: unknown key"),
        (
            {"learning": {"parameters": "cnv"}},
            "learning/main.parameters: matches no parameter (got 'cnv'); did you mean 'conv'?",
        ),
        (
            {"learning": {"optimizer": [{"type": "SGD", "of": "conv"}]}},
            "learning/main.optimizer: no part matches norm/weight, norm/bias, logits/weight, logits/bias",
        ),
        (
            {"learning": {"type": "Backpropagation"}},
            "learning/main.type: unknown learning rule (got 'Backpropagation'); did you mean 'Backprop'?",
        ),
        ({"run": {"log": "often"}}, "run.log: must be a number and a unit"),
        ({"run": {"evaluate": {"every": "2 weeks"}}}, "run.evaluate.every: unknown unit 'weeks'"),
        ({"run": {"checkpoint": {"every": 0}}}, "run.checkpoint.every: must be more than 0 (got '0 steps')"),
        ({"run": {"checkpoint": {"every": "0 steps"}}}, "run.checkpoint.every: must be more than 0 (got '0 steps')"),
        (
            {"run": {"checkpoint": {"best": "accurcy", "mode": "max"}}},
            "run.checkpoint.best: is no metric of the evaluation (got 'accurcy'); did you mean 'accuracy'?",
        ),
        (
            {"run": {"early_stopping": {"metric": "beauty", "mode": "max"}}},
            "run.early_stopping.metric: is no metric of the evaluation (got 'beauty'); known: loss, accuracy",
        ),
        (
            {"run": {"early_stopping": {"metric": "loss", "mode": "low"}}},
            "run.early_stopping.mode: must be 'max' or 'min'",
        ),
        ({"run": {"extensions": ["Toll"]}}, "run.extensions.0.type: unknown extension (got 'Toll')"),
        (
            {"run": {"extensions": ["tests.training.small_experiments:Tol"]}},
            "run.extensions.0.type: module 'tests.training.small_experiments' has no 'Tol'; did you mean 'Toll'?",
        ),
        (
            {"run": {"extensions": ["tests.training.small_experiments:Explosion"]}},
            "run.extensions.0.frame: is required",
        ),
        (
            {"run": {"extensions": ["tests.training.small_experiments:silly"]}},
            "run.extensions.0.type: module 'tests.training.small_experiments' has no 'silly'",
        ),
        (
            {"run": {"extensions": ["torch.nn:ReLU"]}},
            "run.extensions.0.type: must be a subclass of rillnet.training.extensions:Extension (got 'torch.nn:ReLU')",
        ),
        ({"run": {"epocs": 1}}, "run.epocs: unknown key; did you mean 'epochs'?"),
        (
            {"run": {"steps": 1}},
            "run.steps: must not stand beside epochs: one of epochs, steps and frames says how long",
        ),
        (
            {"rollout": {"delays": {"cnv->norm": 1}}},
            "rollout.delays.cnv->norm: unknown edge; did you mean 'conv->norm'?",
        ),
        ({"data": {"source": "Digit"}}, "data.source.type: unknown source (got 'Digit'); did you mean 'Digits'?"),
        ({"data": {"source": images(), "batch_size": 0}}, "data.batch_size: must be at least 1 (got 0)"),
        ({"placement": {"processes": 0}}, "placement.processes: must be at least 1 (got 0)"),
        (
            {"placement": {"processes": 2}, "run": {"epochs": 1, "precision": "fp16"}},
            "run.precision: cannot be fp16 on several processes; take bf16, which needs no scaling of gradients",
        ),
        ({"net": "lenett"}, "net: there is no ready net of this name (got 'lenett'); did you mean 'lenet'?"),
    ],
)
def test_one_fault(parts: dict[str, Any], message: str) -> None:
    found = faults(**parts)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_faults_come_in_one_pass() -> None:
    assert [text.split(":")[0] for text in faults(
        data={"source": {"type": "Digits", "rot": 1}},
        learning={"loss": "los", "optimizer": {"type": "SGD", "lr": "much"}, "rate": {"type": "Step"}},
        run={"log": "often", "checkpoint": {"best": "beauty"}, "extensions": ["Toll"]},
    )] == [
        "data.source.rot",
        "learning/main.optimizer.lr",
        "learning/main.rate.every",
        "learning/main.loss",
        "run.log",
        "run.checkpoint.mode",
        "run.extensions.0.type",
        "run.checkpoint.best",
    ]  # fmt: skip


@pytest.mark.parametrize("parameters", ["logits", "*"])
def test_two_rules_may_change_the_same_parameters(parameters: str) -> None:
    rule = {"type": "Backprop", "parameters": "conv"}
    other = {"type": "Backprop", "parameters": parameters}
    made = rn.Experiment(net=image_net(), data=data(), learning={"a": other, "b": rule}, run={"epochs": 1})
    with Session(made, record=False) as session:
        session.run()


def _reach(source: str, window: int) -> list[str]:
    """What is wrong with a net whose loss reads a layer's output, some frames later, within a window."""
    net = rn.Net("late", inputs={"x": (2,), "y": (2,)})
    net.add("fit", rn.Linear(out_features=2), source="x").add("act", rn.Tanh())
    net.add("loss", rn.MeanSquaredError(), source=[source, "y"])
    learning = {"main": {"type": "Backprop", "optimizer": "SGD", "window": window}}
    spec = ExperimentSpec.model_validate({"experiment": "late", "net": {"name": "late"}, "learning": learning})
    return [str(fault) for fault in check_reach(spec, net, rn.Rollout.sequential(net))]


def test_a_loss_depends_on_what_is_learned_within_its_window() -> None:
    assert _reach("act", 1) == []
    assert _reach("act@-2", 3) == []
    assert _reach("act@-2", 2) == [
        "learning/main.loss: would depend on no parameter any more within 2 frames (got 'loss')"
    ]
    assert _reach("x", 1) == ["learning/main.loss: would depend on no parameter any more within a frame (got 'loss')"]
