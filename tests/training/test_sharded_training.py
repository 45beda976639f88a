"""Runs whose processes keep slices: what each keeps, saves, shows, and goes on with."""

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

ADAM = {"optimizer": {"type": "Adam", "lr": 0.003}, "accumulate": 3, "clip": 1.0}


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with assembled() as team:
        yield team


def experiment(shard: str | None, steps: int = 12, **parts: Any) -> rn.Experiment:
    net = rn.Net("small", inputs={"x": (2, 6, 6), "label": rn.Scalar("int64")}, seed=2)
    net.add("conv", rn.Conv2d(out_channels=5, kernel_size=3, bias=False), source="x").add("norm", rn.BatchNorm2d())
    net.add("act", rn.ReLU()).add("flat", rn.Flatten()).add("fit", rn.Linear(out_features=7))
    net.add("logits", rn.Linear(out_features=5))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(39, 2, 6, 6, generator=generator)
    examples = {"x": x, "label": torch.randint(0, 5, (39,), generator=generator)}
    data = {"source": {"train": examples, "test": examples}, "batch_size": 8}
    run = {"steps": steps, "seed": 3, "execution": "eager", "evaluate": {"every": "never"}, **parts.pop("run", {})}
    placement = {} if shard is None else {"default": {"partition": "batch", "shard": shard}}
    learning = {"type": "Backprop", **ADAM, **parts.pop("learning", {})}
    return rn.Experiment(net=net, data=data, learning=learning, run=run, placement=placement)


def session_of(shard: str | None, root: str, **parts: Any) -> rn.Session:
    return rn.Session(experiment(shard, **parts), root=root, resume=True)


def saved_by(session: rn.Session) -> dict[str, dict[str, Tensor]]:
    assert session.record is not None
    session.record.saved_at = None
    saved = checkpoints.load(session.checkpoint())
    return {group: saved.tensors(group) for group in saved.groups}


def run_in_parts(rank: int, shard: str | None, root: str, parts: list[int]) -> dict[str, dict[str, Tensor]]:
    """What a run has saved at last that was stopped after some steps, and was gone on with."""
    for steps in parts[:-1]:
        with session_of(shard, root) as session:
            session.run(steps=steps, progress=False)
    with session_of(shard, root) as session:
        session.run(steps=parts[-1], progress=False)
        return saved_by(session)


def resaved(rank: int, shard: str | None, root: str) -> dict[str, dict[str, Tensor]]:
    """What a session saves that has done nothing but go on."""
    with session_of(shard, root) as session:
        return saved_by(session)


def assert_same(a: dict[str, dict[str, Tensor]], b: dict[str, dict[str, Tensor]]) -> None:
    assert a.keys() == b.keys()
    for group, tensors in a.items():
        assert tensors.keys() == b[group].keys()
        for name, tensor in tensors.items():
            assert torch.equal(tensor, b[group][name]), name


@pytest.mark.parametrize("shard", ["optimizer", "parameters"])
def test_a_run_stopped_while_gradients_are_gathered_ends_with_the_same_bits(
    team: Team, tmp_path: Path, shard: str
) -> None:
    whole = team.run(2, run_in_parts, shard, str(tmp_path / "a"), [12])[0]
    in_parts = team.run(2, run_in_parts, shard, str(tmp_path / "b"), [4, 8])[0]
    assert_same(whole, in_parts)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_checkpoint_loads_exactly_on_any_number_of_processes(team: Team, tmp_path: Path) -> None:
    root = str(tmp_path)
    before = team.run(3, run_in_parts, "parameters", root, [7])[0]
    assert any(name.endswith("#gradient") for name in before["learning"])
    on_three = team.run(3, resaved, "parameters", root)[0]
    on_two = team.run(2, resaved, "optimizer", root)[0]
    unsliced = team.run(2, resaved, None, root)[0]
    alone = resaved(0, None, root)
    for after in (on_three, on_two, unsliced, alone):
        assert_same(before, after)


def test_a_checkpoint_of_two_processes_loads_exactly_in_one(team: Team, tmp_path: Path) -> None:
    before = team.run(2, run_in_parts, "parameters", str(tmp_path), [5])[0]
    assert_same(before, resaved(0, None, str(tmp_path)))


def kept(rank: int, shard: str | None, root: str) -> tuple[int, int, int]:
    """Numbers of parameters and of Adam's state that a process keeps between steps, and of all parameters."""
    with session_of(shard, root, steps=4) as session:
        session.run(progress=False)
        storages = {p.untyped_storage()._cdata: p.untyped_storage().nbytes() // 4 for p in session.net.parameters()}
        state = sum(t.numel() for key, t in session.rules["main"].state_tensors().items() if "#exp" in key)
        assert session.placement is not None
        return sum(storages.values()), state, session.placement.size


def test_a_process_keeps_slices_only(team: Team, tmp_path: Path) -> None:
    whole = team.run(2, kept, None, str(tmp_path / "whole"))
    optimizer = team.run(2, kept, "optimizer", str(tmp_path / "optimizer"))
    parameters = team.run(2, kept, "parameters", str(tmp_path / "parameters"))
    size = whole[0][2]
    assert whole == [(size, 2 * size, size)] * 2
    assert [held for held, _, _ in optimizer] == [size + size % 2] * 2
    assert [abs(state - size) <= 2 for _, state, _ in optimizer] == [True, True]
    assert sum(state for _, state, _ in optimizer) == 2 * size
    assert [abs(held - size / 2) <= 4 for held, _, _ in parameters] == [True, True]  # one number for each block
    assert sum(state for _, state, _ in parameters) == 2 * size


def looked_at(rank: int, shard: str, root: str) -> dict[str, Any]:
    with session_of(shard, root, steps=4) as session:
        session.run(progress=False)
        session.set("net/fit/bias", torch.arange(7.0))
        sent = session.predict({"x": torch.ones(3, 2, 6, 6)}, ["logits"])["logits"]
        metrics = session.evaluate("test")
        return {"weight": session["net/fit/weight"], "bias": session["net/fit/bias"], "logits": sent, **metrics}


@pytest.mark.parametrize("shard", ["optimizer", "parameters"])
def test_what_is_looked_at_and_set_is_whole_in_every_process(team: Team, tmp_path: Path, shard: str) -> None:
    found = team.run(2, looked_at, shard, str(tmp_path / "two"))
    with session_of(None, str(tmp_path / "one"), steps=4) as session:
        session.run(progress=False)
        session.set("net/fit/bias", torch.arange(7.0))
        logits = session.predict({"x": torch.ones(3, 2, 6, 6)}, ["logits"])["logits"]
        for one in found:
            torch.testing.assert_close(one["weight"], session["net/fit/weight"].detach(), rtol=0, atol=1e-5)
            torch.testing.assert_close(one["bias"], torch.arange(7.0))
            torch.testing.assert_close(one["logits"], logits, rtol=0, atol=1e-4)
            assert one["loss"] == pytest.approx(session.evaluate("test")["loss"], abs=1e-5)


def laid_out(rank: int, root: str) -> dict[str, dict[str, Tensor]]:
    run = {"execution": {"memory_format": "channels_last", "compile": False, "optimizer": "single"}}
    with session_of("optimizer", root, steps=3, run=run) as session:
        session.run(progress=False)
        return saved_by(session)


def test_slices_stay_right_when_the_net_is_moved_to_another_memory_format(team: Team, tmp_path: Path) -> None:
    found = team.run(2, laid_out, str(tmp_path / "two"))[0]
    with session_of(None, str(tmp_path / "one"), steps=3) as session:
        session.run(progress=False)
        alone = saved_by(session)
    for name, tensor in alone["parameters"].items():
        torch.testing.assert_close(found["parameters"][name], tensor, rtol=0, atol=1e-5)


def refused(rank: int) -> str:
    learning = {"optimizer": {"type": "SGD", "lr": 0.1, "max_norm": 1.0}}
    with rn.Session(experiment("optimizer", 1, learning=learning), record=False) as session:
        try:
            session.run(progress=False)
        except RequestError as error:
            return str(error)
    return "nothing"


def test_an_optimiser_that_needs_whole_parameters_is_refused(team: Team) -> None:
    rule = "learning/main.optimizer: needs each parameter whole in one process, and the placement shards some"
    assert team.run(2, refused) == [f"{rule}; leave out shard"] * 2
