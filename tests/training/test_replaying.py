"""A run done again from its beginning is the same to the last bit; one that is not is told by address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import CheckpointError, RequestError, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.replaying import Replayed, replay
from tests.runtime.control.random_commands import experiment


def run_with(root: Path, *parts: Any, document: rn.Experiment | None = None) -> Path:
    """A run: numbers are steps, texts commands; what is called gets the session."""
    with Session(document or experiment(), root=root, say=lambda text: None) as session:
        for part in parts:
            if isinstance(part, int):
                session.run(steps=part, progress=False)
            elif isinstance(part, str):
                session.command(part)
            else:
                part(session)
        session.checkpoint()
        assert session.record is not None
        return session.record.directory.path


def again(path: Path, until: int | None = None) -> Replayed:
    return replay(RunDirectory.open(path), until=until, say=lambda text: None)


def test_a_run_without_commands_is_the_same(tmp_path: Path) -> None:
    found = again(run_with(tmp_path, 6))
    assert (found.step, found.commands, found.differing) == (6, 0, [])
    assert found.compared == 11


def _in_python(net: rn.Net, **run: Any) -> rn.Experiment:
    made = {"steps": 40, "seed": 5, "execution": "eager", **run}
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.05}}
    return rn.Experiment(net=net, data={"source": "Digits", "batch_size": 16}, learning=learning, run=made)


def _python_net(seed: int | None) -> rn.Net:
    net = rn.Net("handmade", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=seed)
    net.add("flat", rn.Flatten(), source="image").add("hidden", rn.Linear(out_features=6)).add("drop", rn.Dropout())
    return net.add("logits", rn.Linear(out_features=10)).add("loss", rn.CrossEntropy(), source=["logits", "label"])


@pytest.mark.parametrize("seed", [None, 3, 5])
def test_a_net_from_python_is_drawn_again_from_its_own_seed(tmp_path: Path, seed: int | None) -> None:
    path = run_with(tmp_path, 3, "reinitialise hidden", 3, document=_in_python(_python_net(seed)))
    assert again(path).differing == []
    told = [line for line in (path / "experiment.yaml").read_text().splitlines() if line == "  seed: 3"]
    assert len(told) == (seed == 3)


def test_a_run_of_a_net_with_a_seed_is_found_again_though_the_net_has_learned(tmp_path: Path) -> None:
    net = _python_net(3)
    run_with(tmp_path, 3, document=_in_python(net))
    with Session(_in_python(net), root=tmp_path, resume=True, say=lambda text: None) as session:
        assert session.clock.step == 3


def test_edits_interventions_and_what_was_taken_back_are_done_again(tmp_path: Path) -> None:
    commands = ("clamp hidden[2] 0.3", 2, "widen conv 5", 2, "remove drop", "undo", 2, "noise act 0.1", 1, "back 2", 1)
    path = run_with(tmp_path, 2, *commands, "reinitialise logits", 2)
    found = again(path)
    assert found.differing == []
    assert found.commands == 5  # the noise came after what was gone back to


def test_arrays_are_kept_with_the_run(tmp_path: Path) -> None:
    def large(session: Session) -> None:
        session.set("net/hidden/weight", torch.full_like(session["net/hidden/weight"], 0.25))
        session.command("widen hidden 200")
        session.set("net/hidden/weight", torch.linspace(-1, 1, 200 * 48).view(200, 48))

    path = run_with(tmp_path, 2, large, 2)
    assert len(list((path / "values").iterdir())) == 1
    assert again(path).differing == []


def test_a_picture_is_kept_though_its_file_is_gone(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    picture = tmp_path / "picture.npy"
    numpy.save(picture, numpy.full((1, 8, 8), 0.5, dtype="float32"))
    path = run_with(tmp_path, 2, f"clamp image {picture}", 2)
    picture.unlink()
    assert again(path).differing == []


def test_an_earlier_checkpoint_is_compared_with_where_it_is_asked_for(tmp_path: Path) -> None:
    path = run_with(tmp_path, 2, "checkpoint", 2, "widen hidden 11", 2)
    found = again(path, until=5)
    assert (found.step, found.commands, found.differing) == (4, 0, [])


def test_a_run_that_was_gone_on_with_is_one_run(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path, say=lambda text: None) as session:
        session.run(steps=3, progress=False)
        session.command("rate main 0.002")
    with Session(experiment(), root=tmp_path, resume=True, say=lambda text: None) as session:
        session.command("clamp act 0.1")
        session.run(steps=3, progress=False)
        assert session.record is not None
        path = session.record.directory.path
    found = again(path)
    assert (found.commands, found.differing) == (2, [])


def test_what_differs_is_named(tmp_path: Path) -> None:
    def secretly(session: Session) -> None:
        with torch.no_grad():
            session.net["logits"].bias[0] += 1e-6

    path = run_with(tmp_path, 4, secretly)
    assert again(path).differing == ["net/logits/bias"]


def test_a_run_of_a_length_of_its_own_follows_the_same_rates(tmp_path: Path) -> None:
    document = experiment(steps=5)
    path = run_with(tmp_path, 4, 4, document=document)
    texts = [json.loads(line)["text"] for line in (path / "journal.jsonl").read_text().splitlines()]
    assert texts == ["execution", "run"]
    assert again(path).differing == []


def test_a_run_that_saved_nothing_cannot_be_compared(tmp_path: Path) -> None:
    path = run_with(tmp_path, 2)
    for one in (path / "checkpoints").iterdir():
        if one.is_dir():
            one.rename(one.with_name(f"set-aside-{one.name}"))
    with pytest.raises(CheckpointError) as caught:
        again(path)
    assert str(caught.value) == "small/1: has saved no checkpoint, so there is nothing to compare with"


def test_a_step_before_the_first_checkpoint_is_refused(tmp_path: Path) -> None:
    path = run_with(tmp_path, 3)
    with pytest.raises(RequestError) as caught:
        again(path, until=2)
    assert str(caught.value) == "--until: is before the first checkpoint (got 2); saved are steps 3"


def test_a_command_that_cannot_be_applied_again_is_told(tmp_path: Path) -> None:
    path = run_with(tmp_path, 2, "clamp act 0.5", 2)
    journal = path / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"block":"act"', '"block":"ack"'))
    with pytest.raises(RunError) as caught:
        again(path)
    assert str(caught.value).startswith("1 of 1 commands: clamp ack 0.5: cannot be applied again: net/ack: ")


def test_data_from_python_are_not_there_again(tmp_path: Path) -> None:
    net = rn.Net("line", inputs={"x": (1,), "y": (1,)})
    net.add("fit", rn.Linear(out_features=1), source="x").add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    x = torch.linspace(-1, 1, 8).unsqueeze(1)
    learning = {"type": "Backprop", "optimizer": "SGD"}
    document = rn.Experiment(net=net, data={"x": x, "y": x}, learning=learning, run={"steps": 4, "execution": "eager"})
    path = run_with(tmp_path, 2, document=document)
    with pytest.raises(RequestError, match="were handed in from Python, and a run keeps none of them"):
        again(path)
