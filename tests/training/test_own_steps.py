"""Runs whose processes take steps of their own: averaged every few steps, or in one memory without locks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime import checkpoint as checkpoints
from tests.runtime.placement.team import Team, assembled

SGD = {"optimizer": {"type": "SGD", "lr": 0.1}}
MOMENTUM = {"optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}, "clip": 1.0}


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with assembled() as team:
        yield team


def experiment(placement: dict[str, Any], learning: dict[str, Any], steps: int, **run: Any) -> rn.Experiment:
    net = rn.Net("small", inputs={"x": (2, 6, 6), "label": rn.Scalar("int64")}, seed=2)
    net.add("conv", rn.Conv2d(out_channels=4, kernel_size=3), source="x").add("norm", rn.BatchNorm2d())
    net.add("act", rn.ReLU()).add("flat", rn.Flatten()).add("logits", rn.Linear(out_features=5))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude=["train"])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(39, 2, 6, 6, generator=generator)  # the last batch is short
    label = (x.mean((1, 2, 3)) * 20).round().clamp(-2, 2).long() + 2
    examples = {"x": x, "label": label}
    values = {"steps": steps, "seed": 3, "execution": "eager", "evaluate": {"every": "never"}, **run}
    data = {"source": {"train": examples, "test": examples}, "batch_size": 8}
    rule = {"type": "Backprop", **learning}
    return rn.Experiment(net=net, data=data, learning=rule, run=values, placement=placement)


def trained(
    placement: dict[str, Any], learning: dict[str, Any], steps: int, root: str, parts: list[int], **run: Any
) -> dict[str, Any]:
    """All tensors of the last checkpoint of a run that stops after some steps, and its metrics."""
    for some in parts:
        with rn.Session(experiment(placement, learning, steps, **run), root=root, resume=True) as session:
            session.run(steps=some, progress=False)
    with rn.Session(experiment(placement, learning, steps, **run), root=root, resume=True) as session:
        session.run(progress=False)
        metrics = session.evaluate("test")
        assert session.record is not None
        path = session.record.directory.checkpoints
    saved, _ = checkpoints.newest(path)
    assert saved is not None
    return {**{group: saved.tensors(group) for group in saved.groups}, "metrics": metrics}


def all_trained(rank: int, cases: list[tuple[Any, ...]], run: dict[str, Any]) -> list[dict[str, Any]]:
    return [trained(*case, **run) for case in cases]


def apart(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((tensor.double() - b[name].double()).abs().max()) for name, tensor in a.items())


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_averaging_after_every_step_of_plain_sgd_equals_one_process(team: Team, count: int, tmp_path: Path) -> None:
    alone = trained({}, SGD, 20, str(tmp_path / "one"), [])
    case = ({"averaging": {"every": 1}}, SGD, 20, str(tmp_path / "many"), [])
    found = team.run(count, all_trained, [case], {})[0][0]
    assert apart(alone["parameters"], found["parameters"]) < 1e-5
    assert found["metrics"] == pytest.approx(alone["metrics"], abs=1e-5)


def test_a_run_stopped_between_two_averages_ends_with_the_same_bits(team: Team, tmp_path: Path) -> None:
    run = {"average": 0.9, "checkpoint": {"every": "5 steps"}}
    placement = {"averaging": {"every": "8 steps"}}
    cases = [(placement, MOMENTUM, 19, str(tmp_path / name), parts) for name, parts in (("a", []), ("b", [6, 7]))]
    whole, in_parts = team.run(2, all_trained, cases, run)[0]
    assert {"parameters", "learning", "average", "replicas"} <= whole.keys()
    assert whole["metrics"] == in_parts["metrics"]
    groups = [group for group in whole if group != "metrics"]
    assert [apart(whole[group], in_parts[group]) for group in groups] == [0] * len(groups)


def seen(rank: int, root: str) -> dict[str, Any]:
    """What a run between two averages shows, and its processes hold."""
    with rn.Session(experiment({"averaging": {"every": 8}}, MOMENTUM, 12), root=root) as session:
        session.run(steps=10, progress=False)
        own = {name: p.detach().clone() for name, p in session.net.parameters_by_address().items()}
        metrics = session.evaluate("test")
        kept = all(torch.equal(p, own[name]) for name, p in session.net.parameters_by_address().items())
        return {"own": own, "shown": session["net/logits/weight"], "metrics": metrics, "kept": kept}


def resumed(placement: dict[str, Any], root: str) -> dict[str, Any]:
    with rn.Session(experiment(placement, MOMENTUM, 12), root=root, resume=True) as session:
        return {"shown": session["net/logits/weight"].detach().clone(), "metrics": session.evaluate("test")}


def test_between_two_averages_the_mean_is_shown_evaluated_saved_and_gone_on_with_by_others(
    team: Team, tmp_path: Path
) -> None:
    root = str(tmp_path / "runs")
    one, other = team.run(2, seen, root)
    name = "net/logits/weight"
    assert not torch.equal(one["own"][name], other["own"][name])
    torch.testing.assert_close(one["shown"], (one["own"][name] + other["own"][name]) / 2)
    assert torch.equal(one["shown"], other["shown"])
    assert one["metrics"] == other["metrics"]
    assert one["kept"]
    assert other["kept"]
    alone = resumed({}, root)
    assert torch.equal(alone["shown"], one["shown"])
    assert alone["metrics"] == pytest.approx(one["metrics"], abs=1e-6)


def test_processes_that_change_one_memory_learn(team: Team, tmp_path: Path) -> None:
    case = ({"hogwild": True}, MOMENTUM, 60, str(tmp_path / "runs"), [25])
    one, other = team.run(2, all_trained, [case], {})
    assert one[0]["metrics"]["loss"] < 1.2
    assert one[0]["metrics"] == other[0]["metrics"]


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (
            {"averaging": {"every": 4}, "blocks": {"logits": "feature"}},
            "placement.averaging: needs all parameters in every process, and net/logits is split by feature; "
            "place this block by batch",
        ),
        (
            {"hogwild": True, "blocks": {"conv": {"location": 1}}},
            "placement.hogwild: needs all parameters in every process, and net/conv is at one location, 1; "
            "place this block by batch",
        ),
        ({"hogwild": True, "averaging": {"every": 4}}, "placement: averaging and hogwild must not stand side by side"),
        (
            {"hogwild": True, "default": {"shard": "optimizer"}},
            "placement: shard and hogwild must not stand side by side",
        ),
        ({"averaging": {"every": "2 epochs"}}, "placement.averaging.every: must be a number of steps, as in '8 steps'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(placement: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        experiment({"processes": 2, **placement}, SGD, 1)
    assert str(caught.value).startswith(message)
