"""Commands to a run of several processes: asked of the first, done by all before the same frame."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import Interrupted, RillnetError
from rillnet.runtime.session import Session
from tests.placed import in_processes
from tests.training.small_experiments import differing, state_of

STEPS = 24


def split_experiment() -> rn.Experiment:
    net = rn.Net("split", inputs={"x": (3,), "y": rn.Scalar("int64")}, seed=3)
    net.add("hidden", rn.Linear(out_features=4), source="x").add("act", rn.Tanh()).add("drop", rn.Dropout(p=0.25))
    net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
    random = torch.Generator().manual_seed(1)
    data = {"source": {"x": torch.randn(24, 3, generator=random), "y": torch.arange(24) % 2}, "batch_size": 4}
    return rn.Experiment(
        net=net,
        data=data,
        learning={"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}},
        placement={"processes": 2, "default": {"partition": "batch"}, "blocks": {"logits": {"partition": "feature"}}},
        run={"steps": STEPS, "seed": 1, "execution": "eager", "checkpoint": {"every": "5 steps"}},
    )


def ask(session: Session, told: list[Any]) -> None:
    """What the first process is asked, from a thread of its own."""
    while session.control.state == "idle":
        time.sleep(0.001)
    for text in (
        "pause",
        "step 3",
        "set net/hidden/bias 0.5",
        "set net/hidden/bias [1, 2]",
        "get net/logits/weight",
        "hold logits",
        "set net/drop/p 0.5",
        "reinitialise hidden",
        "step 2",
        "undo",
        "rate main 0.01",
        "checkpoint",
        "play",
    ):
        try:
            told.append(session.command(text))
        except RillnetError as error:
            told.append(str(error))
    told.append(session.control.call(lambda s: s.clock.frame).result())


def commanded(root: str) -> dict[str, Any]:
    told: list[Any] = []
    with Session(split_experiment(), root=root, say=lambda text: None) as session:
        session.command("pause")
        assert session.placement is not None
        is_first = session.placement.processes.is_first
        thread = threading.Thread(target=ask, args=(session, told), daemon=True)
        if is_first:
            thread.start()
        session.run(progress=False)
        if is_first:
            thread.join(30)
        whole = session.placement.whole(session.net.state_by_address(), everyone=True)
        history = [(entry.number, entry.frame, entry.text) for entry in session.control.history]
        return {"told": told, "history": history, "state": {k: v.detach().clone() for k, v in whole.items()}}


def stopped(root: str) -> tuple[int, str]:
    with Session(split_experiment(), root=root, say=lambda text: None) as session:
        assert session.placement is not None
        session.command("pause")
        if session.placement.processes.is_first:
            threading.Timer(0.2, lambda: session.control.submit("stop")).start()
        try:
            session.run(progress=False)
        except Interrupted as error:
            return session.clock.step, str(error)
        return session.clock.step, "was not interrupted"


def repeated(history: list[tuple[int, int, str]]) -> dict[str, torch.Tensor]:
    """The same run in one process, its commands given at the same frames."""

    def command(session: Session) -> None:
        for _, frame, text in history:
            if frame == session.clock.frame and not text.startswith("checkpoint"):
                session.command(text)

    experiment = split_experiment()
    experiment.spec.placement.clear()
    with Session(experiment, record=False, observers=[command]) as session:
        with contextlib.suppress(Interrupted):
            session.run(progress=False)
        return state_of(session)


@pytest.mark.slow
def test_all_processes_do_what_the_first_is_asked_before_the_same_frame(tmp_path: Path) -> None:
    first, second = in_processes(2, tmp_path / "store", commanded, str(tmp_path / "runs"))
    assert first["history"] == second["history"]
    assert [(frame, text) for _, frame, text in first["history"]] == [
        (3, "set net/hidden/bias 0.5"),
        (3, "hold logits"),
        (3, "set net/drop/p 0.5"),
        (3, "reinitialise hidden"),
        (5, "undo 4"),
        (5, "rate main 0.01"),
        (5, "checkpoint"),
    ]
    told = first["told"]
    assert (told[1], told[3]) == (3, "net/hidden/bias: must have the shape [4] (got [2])")
    assert told[4].shape == (2, 4)
    assert differing(first["state"], second["state"]) == []
    alone = repeated(first["history"])
    for address, tensor in alone.items():
        torch.testing.assert_close(first["state"][address], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_stop_ends_all_processes_at_the_same_step(tmp_path: Path) -> None:
    (first, said), (second, _) = in_processes(2, tmp_path / "store", stopped, str(tmp_path / "runs"))
    assert (first, second) == (0, 0)
    assert said.startswith("interrupted after step 0 and saved")


SCRIPT = {2: ["set net/drop/p 0.5"], 6: ["hold hidden/bias", "rate main 0.2"], 7: ["learning off"], 9: ["learning on"]}


class KilledError(BaseException):
    """The process is gone."""


def scripted(root: str, first: int, last: int, resume: bool) -> dict[str, torch.Tensor]:
    """A run whose processes all give the same commands after the same steps, and end after one of them."""

    def command(session: Session) -> None:
        for text in SCRIPT.get(session.clock.step, ()) if session.clock.step > first else ():
            session.command(text)
        if session.clock.step == last:
            raise KilledError

    with Session(split_experiment(), root=root, resume=resume, observers=[command], say=lambda text: None) as session:
        with contextlib.suppress(KilledError):
            session.run(progress=False)
        assert session.placement is not None
        whole = session.placement.whole(session.net.state_by_address(), everyone=True)
        return {address: tensor.detach().clone() for address, tensor in whole.items()}


@pytest.mark.slow
def test_a_killed_run_of_several_processes_does_its_commands_again(tmp_path: Path) -> None:
    unbroken, _ = in_processes(2, tmp_path / "one", scripted, str(tmp_path / "whole"), 0, 12, False)
    in_processes(2, tmp_path / "two", scripted, str(tmp_path / "parts"), 0, 8, False)
    first, second = in_processes(2, tmp_path / "three", scripted, str(tmp_path / "parts"), 8, 12, True)
    assert differing(unbroken, first) == []
    assert differing(first, second) == []
