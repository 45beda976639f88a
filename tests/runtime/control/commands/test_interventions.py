"""Clamps, noise and lesions by command: obeyed in training and evaluation, undone, resumed, on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_net, wide_session
from tests.runtime.interventions.reference import Done, IntervenedInterpreter
from tests.training.small_experiments import differing, state_of

RUN = {"checkpoint": {"every": "4 steps", "keep": 9}, "epochs": 2}
SCRIPT = {
    2: ["clamp hidden 0.5 at=[1]", "noise act 0.2"],
    3: ["lesion act->drop", 'clamp x "normal(0, 1)"'],
    5: ["clamp hidden -0.5 at=[1]", "restore act->drop", "lesion act[0:2]"],
    6: ["restore act[0]", "undo"],
    9: ["restore all"],
}
"""What is commanded after which step."""


def commander(script: dict[int, list[str]]) -> Any:
    def command(session: Session) -> None:
        for text in script.get(session.clock.step, ()):
            session.command(text)

    return command


def in_force(session: Session) -> list[str]:
    return [f"{one['kind']} {one['target']}" for one in session.executor.interventions.describe()]


def test_commands_put_in_force_and_restore() -> None:
    with wide_session() as session:
        assert session.command("clamp act 0.5 at=1:3") == {"targets": ["act[1:3]"]}
        assert session.command("noise hidden 0.1") == {"targets": ["hidden"]}
        assert session.command("lesion hidden->back") == {"targets": ["hidden->back"]}
        assert session.command('lesion logits mask={shape: [2], bits: "QA=="}') == {
            "targets": ["logits (1 of 2 units)"]
        }
        everything = ["clamp act[1:3]", "noise hidden", "lesion hidden->back", "lesion logits (1 of 2 units)"]
        assert in_force(session) == everything

        session.run(steps=2, progress=False)
        assert session.command("restore hid*")["targets"] == ["hidden", "hidden->back"]
        assert in_force(session) == ["clamp act[1:3]", "lesion logits (1 of 2 units)"]
        session.command("undo")
        assert in_force(session) == everything
        session.command("restore all")
        assert in_force(session) == []
        session.run(steps=1, progress=False)


def test_undoing_one_leaves_what_came_after() -> None:
    with wide_session() as session:
        session.command("clamp act 1")
        session.command("clamp act 2")
        session.command("noise x 1")
        session.command("undo 2")
        assert [(one["target"], one["value"]) for one in session.executor.interventions.describe()] == [
            ("act", 1),
            ("x", 1.0),
        ]


@pytest.mark.parametrize("execution", ["eager", {"compile": False, "group": "on", "memory_format": "contiguous"}])
def test_training_obeys_as_told_in_the_plainest_way(execution: Any) -> None:
    done = [Done("clamp", "hidden", 0.5, (1,)), Done("noise", "logits", 0.3), Done("cut", "back", source="hidden")]
    net = wide_net()
    net["drop"].p = 0.0
    with wide_session(net=net, run={"execution": execution}, learning={"window": 1}) as session:
        for text in ("clamp hidden 0.5 at=1", "noise logits 0.3", "lesion hidden->back"):
            session.command(text)
        peeked = session.feed.peek().fields
        plain = IntervenedInterpreter(wide_net(), None, [peeked], done, seed=1, phase="train")
        plain.net["drop"].p = 0.0

        found = session.step()

        assert found["loss"] == pytest.approx(float(plain.value("loss", 0).detach()), rel=1e-5)


def test_evaluation_obeys() -> None:
    with wide_session() as session:
        before = session.evaluate("test")
        shares = []
        for value in ("[0, 9]", "[9, 0]"):
            session.command(f"clamp logits {value}")
            shares.append(session.evaluate("test")["accuracy"])
        assert sum(shares) == pytest.approx(1.0)
        session.command("clamp y 0")
        assert session.evaluate("test")["accuracy"] == 1.0
        session.command("lesion logits->accuracy")
        session.command("clamp y 1")
        assert session.evaluate("test")["accuracy"] == 0.0
        session.command("clamp accuracy 0.25")
        assert session.evaluate("test")["accuracy"] == 0.25
        session.command("restore all")
        assert session.evaluate("test") == before


def test_restored_the_net_is_as_if_nothing_had_been_done() -> None:
    """Where nothing was learned meanwhile."""
    with wide_session() as plain, wide_session() as touched:
        for session in (plain, touched):
            session.run(steps=2, progress=False)
        for text in ("clamp hidden 3", "noise act 1", "lesion drop->logits", 'clamp x "uniform(0, 1)"'):
            touched.command(text)
        touched.evaluate("test")
        touched.command("restore all")
        for session in (plain, touched):
            session.run(steps=4, progress=False)

        assert differing(state_of(plain), state_of(touched)) == []
        assert plain.executor.state is not None
        assert touched.executor.state is not None
        assert all(torch.equal(touched.executor.state[key], value) for key, value in plain.executor.state.items())


@pytest.mark.parametrize(("stop", "execution"), [(3, "eager"), (5, {"group": "on"}), (7, "eager"), (10, "eager")])
def test_a_resumed_run_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path, stop: int, execution: Any) -> None:
    def experiment() -> Any:
        return wide_experiment(run={**RUN, "execution": execution})

    with Session(experiment(), root=tmp_path / "whole", observers=[commander(SCRIPT)]) as whole:
        whole.run(progress=False)
        expected = state_of(whole)
    early = {step: texts for step, texts in SCRIPT.items() if step <= stop}
    with Session(experiment(), root=tmp_path / "parts", observers=[commander(early)]) as first:
        first.run(steps=stop, progress=False)
        described = first.executor.interventions.describe()
    rest = {step: texts for step, texts in SCRIPT.items() if step > stop}
    with Session(experiment(), root=tmp_path / "parts", resume=True, observers=[commander(rest)]) as second:
        assert second.executor.interventions.describe() == described
        second.run(progress=False)
        assert differing(expected, state_of(second)) == []


def test_the_journal_holds_the_numbers_of_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1.0, 2.0, 3.0, 4.0]))
    with Session(wide_experiment(run=RUN), root=tmp_path / "runs") as session:
        session.run(steps=1, progress=False)
        session.command(f"clamp hidden {tmp_path / 'a.npy'}")
        (tmp_path / "a.npy").unlink()
        entry = session.control.history[-1]
        assert entry.command.arguments == {"block": "hidden", "value": [1.0, 2.0, 3.0, 4.0]}
        assert entry.text == "clamp hidden [1.0, 2.0, 3.0, 4.0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clamp hiden 1", "net/hiden: unknown block; did you mean 'hidden'?"),
        ("clamp hidden [1, 2, 3]", "net/hidden: takes a number, or an array of the shape [4] (got [3])"),
        ("clamp hidden 1 at=3:6", "net/hidden: must lie within 0:4 in dimension 0 of [4] (got '3:6')"),
        ("clamp y 2", "net/y: must be one of 0 to 1, as net/loss reads it (got 2)"),
        ("noise hidden -1", "net/hidden: the standard deviation of noise must be a number, at least 0 (got -1)"),
        ("noise hidden much", "noise.std: must be a number (got 'much')"),
        ("lesion x->logits", "net/x->logits: no such edge; did you mean 'drop->logits'?"),
        ("lesion hidden[4]", "net/hidden: has the units 0 to 3 in dimension 0 of [4] (got 4)"),
        ("restore hidden", "restore: nothing is done to it (got 'hidden'); nothing is in force"),
        ("restore hiden", "net/hiden: unknown block; did you mean 'hidden'?"),
        ("restore ''", "restore.target: must name something (got '')"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(text: str, message: str) -> None:
    with wide_session() as session:
        with pytest.raises(RequestError) as caught:
            session.command(text)
        assert str(caught.value) == message
        assert in_force(session) == []
        assert not session.control.history


def test_what_is_set_before_the_first_run_stays(tmp_path: Path) -> None:
    with Session(wide_experiment(run={"epochs": 1, "execution": "auto"}), root=tmp_path) as session:
        session.command("lesion hidden")
        session.run(steps=1, progress=False)
        assert in_force(session) == ["lesion hidden"]
