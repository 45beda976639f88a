"""Interventions on nets that a session runs: windows, several processes, what cells send in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.runtime.hoisting import WindowProgram
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion
from rillnet.runtime.session import Session
from tests.placed import in_processes
from tests.runtime.control.driving import wide_session
from tests.training.small_experiments import state_of

COMMANDS = (
    "clamp hidden 0.5 at=1",
    "noise act 0.3",
    'clamp x[0] "normal(0, 1)"',
    "lesion drop->logits",
    "restore drop->logits",
    "lesion act[2]",
)


def trained(**learning: Any) -> tuple[dict[str, float], dict[str, Any]]:
    with wide_session(learning={"window": 4, **learning}) as session:
        for text in COMMANDS:
            session.command(text)
        for _ in range(12):
            scalars = session.step()
        return scalars, state_of(session)


def test_frames_that_are_computed_again_on_the_way_back_see_the_same() -> None:
    high, parameters = trained()
    low, others = trained(memory="low")

    assert low["loss"] == pytest.approx(high["loss"], rel=1e-6)
    assert all(torch.allclose(others[name], tensor, atol=1e-6) for name, tensor in parameters.items())


def test_windows_that_overlap_learn_on() -> None:
    scalars, _ = trained(every=2)

    assert 0 < scalars["loss"] < 5


@pytest.mark.parametrize("at_once", [False, True])
def test_parts_of_what_a_cell_sends(at_once: bool) -> None:
    net = rn.Net("n", inputs={"x": (2,)}, seed=1)
    net.add("cell", rn.LSTMCell(hidden_size=3), source="x").add("y", rn.Linear(out_features=1), source="cell[0]")
    interventions = Interventions(rn.Rollout.sequential(net).flat)
    interventions.set("cell[0][1]", Lesion())
    interventions.set("cell[1][:2]", Clamp([1, 2]))
    program = rn.Program(net, outputs=["y", "cell"], interventions=interventions)
    frames = [{"x": torch.randn(4, 2)} for _ in range(3)]
    h = c = torch.zeros(4, 3)
    expected = []
    for frame in frames:
        h, c = net["cell"](frame["x"], h, c)
        h, c = h * torch.tensor([1.0, 0.0, 1.0]), torch.cat([torch.tensor([[1.0, 2.0]]).expand(4, 2), c[:, 2:]], 1)
        expected.append(net["y"](h))

    sent = WindowProgram(program)(frames, program.initial_state(4))[0] if at_once else program.unroll(frames)[0]

    for frame, value in zip(sent, expected, strict=True):
        assert torch.allclose(frame["y"], value, atol=1e-6)
    assert torch.allclose(sent[-1]["cell"][1], c, atol=1e-6)


def split(placement: dict[str, Any]) -> rn.Experiment:
    net = rn.Net("split", inputs={"x": (3,), "y": rn.Scalar("int64")}, seed=3)
    net.add("hidden", rn.Linear(out_features=4), source="x").add("act", rn.Tanh()).add("drop", rn.Dropout(p=0.25))
    net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
    net.add("accuracy", rn.Accuracy(), source=["logits", "y"], exclude="train")
    random = torch.Generator().manual_seed(1)
    x, y = torch.randn(24, 3, generator=random), torch.arange(24) % 2
    return rn.Experiment(
        net=net,
        data={"source": {"train": {"x": x, "y": y}, "test": {"x": x, "y": y}}, "batch_size": 6},
        learning={"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}},
        placement=placement,
        run={"steps": 12, "seed": 1, "execution": "eager", "checkpoint": {"every": "5 steps"}},
    )


def commanded(root: str, placement: dict[str, Any]) -> dict[str, Any]:
    """What a run comes to that is commanded before its third step, ends after its sixth, and goes on."""
    with Session(split(placement), root=root, say=lambda text: None) as session:
        session.run(steps=2, progress=False)
        for text in COMMANDS:
            session.command(text)
        session.run(steps=4, progress=False)
    with Session(split(placement), root=root, resume=True, say=lambda text: None) as session:
        targets = [one["target"] for one in session.executor.interventions.describe()]
        session.run(steps=3, progress=False)
        metrics = session.evaluate("test")
        session.command("restore all")
        session.run(steps=3, progress=False)
        state = session.net.state_by_address()
        if session.placement is not None:
            state = session.placement.whole(state, everyone=True)
        return {"targets": targets, "metrics": metrics, "state": {k: v.detach().clone() for k, v in state.items()}}


@pytest.mark.timeout(240)
def test_several_processes_obey_alike(tmp_path: Path) -> None:
    expected = commanded(str(tmp_path / "alone"), {})
    placement = {"processes": 2, "default": {"partition": "batch"}, "blocks": {"hidden": {"partition": "feature"}}}

    found = in_processes(2, tmp_path / "team", commanded, str(tmp_path / "runs"), placement)

    for one in found:
        assert one["targets"] == expected["targets"]
        assert one["metrics"] == pytest.approx(expected["metrics"], rel=1e-4)
        assert all(torch.allclose(one["state"][key], value, atol=1e-5) for key, value in expected["state"].items())


def test_local_rules_learn_nothing_through_a_cut_edge() -> None:
    net = (
        rn.Net("n", inputs={"x": (3,)}, seed=1).add("a", rn.Linear(out_features=3)).add("b", rn.Linear(out_features=2))
    )
    experiment = rn.Experiment(
        net=net,
        data={"source": {"x": torch.randn(8, 3)}, "batch_size": 4},
        learning={"type": "Hebbian", "parameters": "*.weight"},
        run={"steps": 4, "seed": 1, "execution": "eager"},
    )
    with Session(experiment, record=False) as session:
        before = state_of(session)
        session.command("lesion a->b")
        session.run(steps=2, progress=False)
        changed = [name for name, tensor in state_of(session).items() if not torch.equal(tensor, before[name])]
        assert changed == ["net/a/weight"]
        session.command("restore all")
        session.run(steps=1, progress=False)
        assert not torch.equal(session["net/b/weight"], before["net/b/weight"])
