"""Parameters taken from another run by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rillnet as rn
from rillnet.errors import CheckpointError
from rillnet.runtime.rundirectory import RunDirectory

DATA = {"x": torch.randn(8, 3), "y": torch.randn(8, 2)}


def session(root: Path, hidden: int = 4, **run: object) -> rn.Session:
    net = rn.Net("fit", {"x": (3,), "y": (2,)})
    net.add("a", rn.Linear(out_features=hidden), source="x").add("b", rn.Linear(out_features=2))
    net.add("loss", rn.MeanSquaredError(), source=["b", "y"])
    learning = {"type": "Backprop", "optimizer": "SGD"}
    run = {"evaluate": {"every": "never"}, **run}
    experiment = rn.Experiment(net=net, data=DATA, learning=learning, run=run)
    said: list[str] = []
    made = rn.Session(experiment, root=root, say=said.append)
    made.said = said  # type: ignore[attr-defined]
    return made


def test_a_run_starts_with_the_parameters_of_another(tmp_path: Path) -> None:
    with session(tmp_path, steps=3) as first:
        first.run()
    with session(tmp_path, seed=7, start_from="fit/1", steps=1) as second:
        assert torch.equal(second["net/a/weight"], first["net/a/weight"])
        assert second.said == ["starting from fit/1: 4 of 4 tensors loaded"]  # type: ignore[attr-defined]


def test_what_does_not_fit_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    with session(tmp_path, steps=1) as first:
        path = first.checkpoint()
    with session(tmp_path, hidden=5, seed=1) as second:
        before = second["net/a/weight"].detach().clone()
        match = second.load_parameters(path)
    assert match.loaded == ["net/b/bias"]
    assert set(match.mismatched) == {"net/a/weight", "net/a/bias", "net/b/weight"}
    assert torch.equal(second["net/a/weight"], before)


def test_a_run_that_was_interrupted_goes_on_with_its_own(tmp_path: Path) -> None:
    with session(tmp_path, steps=2) as first:
        first.run()
    with session(tmp_path, seed=3, start_from="fit/1", steps=4) as second:
        second.run(steps=2)
        after = second["net/a/weight"].detach().clone()
    experiment = second.experiment
    with rn.Session(experiment, root=tmp_path, resume=True) as third:
        assert third.clock.step == 2
        assert torch.equal(third["net/a/weight"], after)


def test_a_run_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "empty", "", "0")
    with session(tmp_path) as made, pytest.raises(CheckpointError) as error:
        made.load_parameters("empty")
    assert str(error.value) == "empty/1: has no complete checkpoint"


def test_a_damaged_checkpoint_that_is_passed_over_is_told(tmp_path: Path) -> None:
    with session(tmp_path, steps=2, checkpoint={"every": "1 steps"}) as first:
        first.run()
    damaged = tmp_path / "fit/1/checkpoints/step-0000000002/parameters.safetensors"
    damaged.write_bytes(b"")
    with session(tmp_path, start_from="fit/1", steps=1) as second:
        told, started = second.said  # type: ignore[attr-defined]
    assert told.startswith(f"{damaged}: must have ")
    assert told.endswith("; taking the checkpoint before")
    assert started == "starting from fit/1: 4 of 4 tensors loaded"
