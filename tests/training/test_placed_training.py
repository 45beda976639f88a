"""Runs on several processes: the numbers of one, with every optimiser, limit and average, saved and gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.runtime import checkpoint as checkpoints
from tests.placed import in_processes

_CONV = ("conv", "norm", "act", "pool")
PLACEMENTS: dict[str, dict[str, Any]] = {
    "batch": {},
    "feature": {"default": {"partition": "feature"}},
    "space": {"blocks": {name: {"partition": "space"} for name in _CONV}},
    "location": {"blocks": {"conv": {"location": 1}, "norm": {"location": 0}, "fit": {"location": 1}}},
    "mixed": {"blocks": {"fit": {"partition": "feature"}, "logits": {"location": 0}, "norm": {"partition": "space"}}},
}
RULES: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9, "max_norm": 1.5}, "clip": 0.5},
    "Adam": {"optimizer": {"type": "Adam", "lr": 0.003, "l1": 0.001}, "accumulate": 3, "clip": 1.0},
    "AdamW": {"optimizer": {"type": "AdamW", "lr": 0.003, "weight_decay": 0.1}, "factors": {"*/bias": {"rate": 2}}},
}


def experiment(rule: str, placement: dict[str, Any], steps: int, **run: Any) -> rn.Experiment:
    net = rn.Net("small", inputs={"x": (2, 8, 8), "label": rn.Scalar("int64")})
    net.add("conv", rn.Conv2d(out_channels=6, kernel_size=3, padding=1, bias=False), source="x")
    net.add("norm", rn.BatchNorm2d()).add("act", rn.ReLU()).add("pool", rn.MaxPool2d(kernel_size=2))
    net.add("flat", rn.Flatten()).add("fit", rn.Linear(out_features=9)).add("relu", rn.ReLU())
    net.add("drop", rn.Dropout(p=0.2)).add("logits", rn.Linear(out_features=5))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    net.add("accuracy", rn.Accuracy(), source=["logits", "label"], exclude=["train"])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(39, 2, 8, 8, generator=generator)  # the last batch is short
    data = {"x": x, "label": torch.randint(0, 5, (39,), generator=generator)}
    learning = {"type": "Backprop", **RULES[rule]}
    values = {"steps": steps, "seed": 3, "execution": "eager", "evaluate": {"every": "never"}, **run}
    return rn.Experiment(net=net, data=data, learning=learning, run=values, placement=placement)


def trained(rule: str, placement: dict[str, Any], steps: int, root: str, **run: Any) -> dict[str, dict[str, Tensor]]:
    """All tensors of the last checkpoint of a run, in every process."""
    with rn.Session(experiment(rule, placement, steps, **run), root=root, resume=True) as session:
        session.run(progress=False)
        assert session.record is not None
        path = session.record.directory.checkpoints
    saved, _ = checkpoints.newest(path)
    assert saved is not None
    return {group: saved.tensors(group) for group in saved.groups}


def many(cases: list[tuple[str, dict[str, Any], int, str]], run: dict[str, Any]) -> list[dict[str, dict[str, Tensor]]]:
    return [trained(*case, **run) for case in cases]


def largest_difference(a: dict[str, dict[str, Tensor]], b: dict[str, dict[str, Tensor]]) -> float:
    assert a.keys() == b.keys()
    found = 0.0
    for group, tensors in a.items():
        assert tensors.keys() == b[group].keys()
        for name, tensor in tensors.items():
            assert tensor.shape == b[group][name].shape
            found = max([found, *(tensor.double() - b[group][name].double()).abs().flatten().tolist()])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 4])
def test_all_kinds_with_all_optimisers_equal_one_process(count: int, tmp_path: Path) -> None:
    run = {"average": 0.9}
    rules = list(RULES) if count == 2 else ["Adam"]
    cases = [(rule, kind) for rule in rules for kind in PLACEMENTS]
    alone = {rule: trained(rule, {}, 20, str(tmp_path / "one" / rule), **run) for rule in rules}
    asked = [(rule, PLACEMENTS[kind], 20, str(tmp_path / f"{rule}-{kind}")) for rule, kind in cases]
    found = in_processes(count, tmp_path / "processes", many, asked, run)[0]
    differences = {case: largest_difference(alone[case[0]], got) for case, got in zip(cases, found, strict=True)}
    assert {case: value for case, value in differences.items() if not value < 1e-5} == {}


def in_parts(rule: str, placement: dict[str, Any], root: str, parts: list[int], **run: Any) -> dict[str, Any]:
    """A run of 12 steps that stops after some, is gone on with by another session, and stops again."""
    for steps in parts:
        with rn.Session(experiment(rule, placement, 12, **run), root=root, resume=True) as session:
            session.run(steps=steps, progress=False)
    return trained(rule, placement, 12, root, **run)


def resaved(rule: str, placement: dict[str, Any], root: str) -> dict[str, dict[str, Tensor]]:
    """What a session saves that has done nothing but go on."""
    with rn.Session(experiment(rule, placement, 12), root=root, resume=True) as session:
        assert session.record is not None
        session.record.saved_at = None
        path = session.checkpoint()
    found = checkpoints.load(path)
    return {group: found.tensors(group) for group in found.groups}


def test_a_run_that_was_stopped_in_the_midst_of_gathering_ends_with_the_same_bits(tmp_path: Path) -> None:
    for whole, parts in in_processes(2, tmp_path / "processes", whole_and_in_parts, str(tmp_path))[0]:
        assert largest_difference(whole, parts) == 0


def whole_and_in_parts(root: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    run: dict[str, Any] = {"average": 0.9, "checkpoint": {"every": "5 steps"}}
    found = []
    for name in ("batch", "mixed"):
        whole = trained("Adam", PLACEMENTS[name], 12, f"{root}/{name}-whole", **run)
        found.append((whole, in_parts("Adam", PLACEMENTS[name], f"{root}/{name}-parts", [5], **run)))
    return found


def started(rule: str, placement: dict[str, Any], root: str) -> dict[str, Any]:
    with rn.Session(experiment(rule, placement, 12), root=root, resume=True) as session:
        session.run(steps=6, progress=False)
    return {}


@pytest.mark.parametrize("rule", ["SGD", pytest.param("AdamW", marks=pytest.mark.slow)])
def test_a_checkpoint_loads_on_any_number_of_processes(rule: str, tmp_path: Path) -> None:
    root, mixed = str(tmp_path / "runs"), PLACEMENTS["mixed"]
    in_processes(2, tmp_path / "a", started, rule, mixed, root)
    saved = checkpoints.newest(next((tmp_path / "runs" / "small").iterdir()) / "checkpoints")[0]
    assert saved is not None
    before = {group: saved.tensors(group) for group in saved.groups}
    alone = resaved(rule, {}, root)
    on_three = in_processes(3, tmp_path / "b", resaved, rule, PLACEMENTS["feature"], root)[0]
    back = in_processes(2, tmp_path / "c", resaved, rule, {}, root)[0]
    assert [largest_difference(before, after) for after in (alone, on_three, back)] == [0, 0, 0]


def gone_on_with(placement: dict[str, Any], root: str, steps: int, run: dict[str, Any]) -> dict[str, Any]:
    with rn.Session(experiment("Adam", placement, 12, **run), root=root, resume=True) as session:
        session.run(steps=steps, progress=False)
    return {}


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("mixed", (2, 1)),
        pytest.param("batch", (2, 1), marks=pytest.mark.slow),
        pytest.param("mixed", (1, 2), marks=pytest.mark.slow),
        pytest.param("batch", (3, 2), marks=pytest.mark.slow),
    ],
)
def test_on_another_number_of_processes_it_ends_as_one_would(
    kind: str, counts: tuple[int, int], tmp_path: Path
) -> None:
    """Stopped where gradients are half gathered; in double precision, so that only rounding differs."""
    run: dict[str, Any] = {"precision": "fp64", "average": 0.9}
    alone = trained("Adam", {}, 12, str(tmp_path / "alone"), **run)
    for number, (count, steps) in enumerate(zip(counts, (5, 7), strict=True)):
        asked = (PLACEMENTS[kind] if count > 1 else {}, str(tmp_path / "parts"), steps, run)
        if count == 1:
            gone_on_with(*asked)
        else:
            in_processes(count, tmp_path / f"processes{number}", gone_on_with, *asked)
    saved, _ = checkpoints.newest(tmp_path / "parts" / "small" / "1" / "checkpoints")
    assert saved is not None
    assert saved.step == 12
    assert largest_difference({group: saved.tensors(group) for group in saved.groups}, alone) < 1e-10


def looked_at(root: str) -> dict[str, Any]:
    made = experiment("SGD", PLACEMENTS["mixed"], 3)
    with rn.Session(made, root=root) as session:
        session.run(progress=False)
        session.set("net/fit/bias", torch.arange(9.0))
        sent = session.predict({"x": torch.ones(3, 2, 8, 8)}, ["logits"])["logits"]
        return {"weight": session["net/fit/weight"], "bias": session["net/fit/bias"], "logits": sent}


def test_what_is_looked_at_is_whole_in_every_process(tmp_path: Path) -> None:
    found = in_processes(2, tmp_path / "processes", looked_at, str(tmp_path / "two"))
    alone = experiment("SGD", {}, 3)
    with rn.Session(alone, root=tmp_path / "one") as session:
        session.run(progress=False)
        session.set("net/fit/bias", torch.arange(9.0))
        logits = session.predict({"x": torch.ones(3, 2, 8, 8)}, ["logits"])["logits"]
        for one in found:
            torch.testing.assert_close(one["weight"], session["net/fit/weight"].detach(), rtol=0, atol=1e-5)
            torch.testing.assert_close(one["bias"], torch.arange(9.0))
            torch.testing.assert_close(one["logits"], logits, rtol=0, atol=1e-4)
