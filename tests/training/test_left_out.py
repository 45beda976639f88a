"""A frame whose change is not finite: nothing is changed, and the run ends or is held, as the document says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import rillnet as rn
from rillnet.errors import UpdateError
from rillnet.runtime.journal import Journal
from rillnet.runtime.session import Session

BAD = 2
"""The frame, counted from 0, that reads what becomes infinite."""

WHERE = "in frame 3: the first block to send NaN or infinity is net/power; it was not applied"


def experiment(rules: dict[str, Any] | None = None, bad: int = BAD, **run: Any) -> rn.Experiment:
    """A wide layer behind a normalisation; the third batch of six, or another, holds a number that is too large."""
    net = rn.Net("wide", inputs={"x": (4,), "y": rn.Scalar("int64")}, seed=1)
    net.add("power", rn.Square(), source="x").add("norm", rn.BatchNorm1d())
    net.add("hidden", rn.Linear(out_features=2000, bias=False)).add("act", rn.Tanh())
    net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
    x = torch.randn(48, 4, generator=torch.Generator().manual_seed(1))
    x[8 * bad + 1] = 1e38
    data = {"source": {"x": x, "y": (x[:, 0] > 0).long()}, "batch_size": 8, "shuffle": False}
    given = rules or {"main": {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}}}
    return rn.Experiment(net=net, data=data, learning=given, run={"epochs": 1, "seed": 1, "execution": "eager", **run})


def seen(session: Session) -> list[dict[str, Tensor]]:
    """What the net's parameters and buffers are after every frame, as the run goes on."""
    found: list[dict[str, Tensor]] = []
    session.observers.append(
        lambda own: found.append({name: tensor.clone() for name, tensor in own.net.state_by_address().items()})
    )
    return found


def test_it_ends_the_run_and_changes_nothing(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path, say=lambda text: None) as session:
        states = seen(session)
        with pytest.raises(UpdateError) as caught:
            session.run(progress=False)
        after = session.net.parameters_by_address()
        kept = load_file(session.record.directory.path / "frame-3.safetensors")  # type: ignore[union-attr]

    assert str(caught.value).startswith("learning/main: its change of net/")
    assert WHERE in str(caught.value)
    assert len(states) == BAD
    assert all(torch.equal(states[-1][name], tensor) for name, tensor in after.items())
    assert kept["x"].max() == pytest.approx(1e38)


def test_measuring_how_the_net_is_best_executed_does_not_stumble_over_it(tmp_path: Path) -> None:
    with Session(experiment(bad=0, execution="auto"), root=tmp_path, say=lambda text: None) as session:
        with pytest.raises(UpdateError) as caught:
            session.run(progress=False)
        folder = session.record.directory.path  # type: ignore[union-attr]
    assert WHERE.replace("frame 3", "frame 1") in str(caught.value)
    assert (folder / "frame-1.safetensors").exists()


RULES = [
    None,
    {
        "one": {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}},
        "other": {
            "type": "Backprop",
            "parameters": "logits",
            "accumulate": 2,
            "optimizer": {"type": "SGD", "lr": 0.01},
        },
        "decay": {"type": "Decay", "l2": 0.01},
    },
    {
        "one": {"type": "Decay", "l2": 0.01},
        "local": {"type": "Hebbian", "parameters": "logits.weight", "lr": 0.01},
    },
]


@pytest.mark.parametrize("rules", RULES, ids=["alone", "several", "local"])
def test_it_holds_the_run_and_the_frame_leaves_no_trace(tmp_path: Path, rules: dict[str, Any] | None) -> None:
    said: list[str] = []
    with Session(experiment(rules, if_not_finite="pause"), root=tmp_path, say=said.append) as session:
        states, held = seen(session), []

        def play(event: Any) -> None:
            if session.control.state == "paused":
                held.append(session.clock.frame)
                session.command("play")

        session.control.listeners.append(play)
        session.run(progress=False)
        events = [entry for entry in Journal(session.record.directory).read()[0] if entry.text == "left out"]  # type: ignore[union-attr]

    assert session.clock.step == len(states) == 6
    assert held == [BAD]
    assert all(torch.equal(states[BAD - 1][name], tensor) for name, tensor in states[BAD].items())
    assert all(torch.isfinite(tensor).all() for tensor in states[-1].values())
    assert not torch.equal(states[-1]["net/logits/weight"], states[BAD]["net/logits/weight"])
    assert [(event.step, event.frame) for event in events] == [(BAD, BAD)]
    assert any(
        "in frame 3: the first block to send NaN or infinity is net/power; it was not applied" in one for one in said
    )


def test_alone_it_goes_on_from_where_it_is(tmp_path: Path) -> None:
    """Without a run there is nothing to be held."""
    with Session(experiment(if_not_finite="pause"), record=False, say=lambda text: None) as session:
        told = [session.step() for _ in range(BAD + 2)]
    assert told[BAD] == {}
    assert all(math.isfinite(one["loss"]) for number, one in enumerate(told) if number != BAD)
