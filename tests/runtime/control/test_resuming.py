"""Commands of a run that is killed, resumed, and gone back in: the same bits as of one that was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.journal import Journal
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment
from tests.training.small_experiments import differing, state_of

SCRIPT = {
    1: ["set net/drop/p 0.5", "rate main 0.02"],
    3: ["add net/hidden/bias 0.25", "hold back"],
    4: ["reinitialise logits"],
    5: ["learning off", "undo 5", "set learning/main/momentum 0.5"],
    6: ["release back/bias", "evaluate", "learning off main"],
    7: ["learning on"],
    8: ["undo"],
    9: ["set net/drop/p 0.1", "rate main auto", "learning on"],
}
"""What is commanded after which step."""


class KilledError(BaseException):
    """The process is gone."""


def commander(script: dict[int, list[str]], killed_after: int = 10**9) -> Any:
    """An observer that gives commands after some steps, and ends the process after one of them."""

    def command(session: Session) -> None:
        for text in script.get(session.clock.step, ()):
            session.command(text)
        if session.clock.step >= killed_after:
            raise KilledError

    return command


def made(**parts: Any) -> rn.Experiment:
    return wide_experiment(run={"checkpoint": {"every": "4 steps", "keep": 9}, "epochs": 2}, **parts)


def journal_of(root: Path) -> list[tuple[int, int, str]]:
    entries, notes = Journal(root / "wide" / "1").read()
    assert notes == []
    return [(entry.details["number"], entry.frame, entry.text) for entry in entries if entry.kind == "command"]


def killed(root: Path, after: int, script: dict[int, list[str]] = SCRIPT) -> None:
    """A run that is killed after a step; its newest checkpoint is that of the fourth step before, at most."""
    session = Session(made(), root=root, observers=[commander(script, killed_after=after)], say=lambda text: None)
    with pytest.raises(KilledError):
        session.run(progress=False)
    session.close()


@pytest.mark.parametrize("after", [3, 4, 5, 7, 8, 11])
def test_a_killed_run_ends_with_the_bits_of_an_unbroken_one(tmp_path: Path, after: int) -> None:
    with Session(made(), root=tmp_path / "whole", observers=[commander(SCRIPT)]) as whole:
        whole.run(progress=False)
        expected = state_of(whole)
        momenta = whole.executor.rules["main"].state_tensors()
    killed(tmp_path / "parts", after)
    rest = {step: texts for step, texts in SCRIPT.items() if step > after}
    said: list[str] = []
    with Session(made(), root=tmp_path / "parts", resume=True, observers=[commander(rest)], say=said.append) as resumed:
        resumed.run(progress=False)
        assert differing(expected, state_of(resumed)) == []
        assert differing(momenta, resumed.executor.rules["main"].state_tensors()) == []
        assert [entry.text for entry in resumed.control.history] == [entry.text for entry in whole.control.history]
    assert journal_of(tmp_path / "parts") == journal_of(tmp_path / "whole")
    assert not any("cannot be applied again" in text for text in said)


def test_a_run_killed_before_its_first_checkpoint_begins_again_with_its_commands(tmp_path: Path) -> None:
    script = {2: ["set net/hidden/bias 1"]}
    with Session(made(), root=tmp_path / "whole", observers=[commander(script)]) as whole:
        whole.run(steps=6, progress=False)
    killed(tmp_path / "parts", 3, script)
    with Session(made(), root=tmp_path / "parts", resume=True) as resumed:
        assert resumed.clock.step == 0
        resumed.run(steps=6, progress=False)
        assert differing(state_of(whole), state_of(resumed)) == []


def test_a_command_after_the_checkpoint_of_its_frame_is_done_again(tmp_path: Path) -> None:
    with Session(made(), root=tmp_path) as session:
        session.run(steps=4, progress=False)
        session.command("set net/hidden/bias 1")
        session.checkpoint()
        session.command("set net/back/bias 2")
    with Session(made(), root=tmp_path, resume=True) as resumed:
        assert resumed["net/hidden/bias"].tolist() == [1.0] * 4
        assert resumed["net/back/bias"].tolist() != [2.0] * 4
        resumed.command("learning off")
        resumed.run(steps=1, progress=False)
        assert resumed["net/hidden/bias"].tolist() == [1.0] * 4
        assert resumed["net/back/bias"].tolist() == [2.0] * 4
    assert [(number, text) for number, _, text in journal_of(tmp_path)] == [
        (1, "set net/hidden/bias 1"),
        (2, "set net/back/bias 2"),
        (3, "learning off"),
    ]


def test_undoing_what_a_checkpoint_holds_is_saved_at_once(tmp_path: Path) -> None:
    with Session(made(), root=tmp_path) as session:
        session.command("set net/hidden/bias 1")
        before = session.net["hidden"].bias.detach().clone()
        session.run(steps=4, progress=False)
        session.command("undo")
        after = state_of(session)
        assert not torch.equal(before, session["net/hidden/bias"])
    with Session(made(), root=tmp_path, resume=True) as resumed:
        assert differing(after, state_of(resumed)) == []
        assert [entry.text for entry in resumed.control.history] == ["set net/hidden/bias 1", "undo 1"]


def test_what_was_commanded_before_the_first_run_is_in_the_journal(tmp_path: Path) -> None:
    with Session(made(), root=tmp_path) as session:
        session.set("net/hidden/bias", [1, 2, 3, 4])
        assert not (tmp_path / "wide").exists()
        session.run(steps=1, progress=False)
    assert journal_of(tmp_path) == [(1, 0, "set net/hidden/bias [1, 2, 3, 4]")]


def test_large_arrays_are_kept_beside_the_journal(tmp_path: Path) -> None:
    def big(root: Path, resume: bool = False) -> Session:
        net = rn.Net("wide", inputs={"x": (3,), "y": rn.Scalar("int64")}, seed=1)
        net.add("hidden", rn.Linear(out_features=2000), source="x").add("logits", rn.Linear(out_features=2))
        net.add("loss", rn.CrossEntropy(), source=["logits", "y"])
        return Session(made(net=net, learning={"window": 1}), root=root, resume=resume)

    given = np.linspace(0, 1, 6000, dtype=np.float32).reshape(2000, 3)
    with big(tmp_path) as session:
        session.run(steps=1, progress=False)
        session.checkpoint()
        session.set("net/hidden/weight", given)
        session.command("learning off")
    [line] = [json.loads(text) for text in (tmp_path / "wide/1/journal.jsonl").read_text().splitlines()[-2:-1]]
    assert line["details"]["arguments"]["value"].keys() == {"file"}
    assert (tmp_path / "wide" / "1" / line["details"]["arguments"]["value"]["file"]).is_file()
    with big(tmp_path, resume=True) as resumed:
        resumed.run(steps=1, progress=False)
        assert torch.equal(resumed["net/hidden/weight"], torch.from_numpy(given))


def test_going_back_to_a_checkpoint_puts_back_what_commands_had_changed(tmp_path: Path) -> None:
    with Session(made(), root=tmp_path) as session:
        session.run(steps=4, progress=False)
        session.command("set net/drop/p 0.6")
        session.command("hold back")
        session.run(steps=2, progress=False)
        session.command("learning off")
        later = session.checkpoint()
        earlier = later.parent / "step-0000000004"
        session.load_checkpoint(checkpoints.load(earlier))
        assert (session["net/drop/p"], list(session.executor.held)) == (0.25, [])
        assert session["learning/main/active"] is True
        session.load_checkpoint(checkpoints.load(later))
        assert (session["net/drop/p"], list(session.executor.held)) == (0.6, ["net/back/weight", "net/back/bias"])
        assert session["learning/main/active"] is False
        session.load_checkpoint(checkpoints.load(earlier))
        session.run(steps=1, progress=False)
        session.command("rate main 1")
    assert [text for _, _, text in journal_of(tmp_path)] == ["rate main 1"]


def test_settings_of_the_data_are_resumed(tmp_path: Path) -> None:
    def stream(root: Path, script: Any, resume: bool = False, after: int = 10**9) -> Session:
        net = rn.Net("wide", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")}, seed=1)
        net.add("flat", rn.Flatten(), source="image").add("fit", rn.Linear(out_features=10))
        net.add("loss", rn.CrossEntropy(), source=["fit", "label"])
        data = {"source": {"type": "RomanNumerals", "size": 8, "frames": 12}, "batch_size": 2}
        observers = [commander(script, after)]
        return Session(made(net=net, data=data, learning={"window": 1}), root=root, resume=resume, observers=observers)

    script = {2: ["set data/noise 0.2"], 5: ["set data/duration 3", "add data/fading 2"], 9: ["undo"]}
    with stream(tmp_path / "whole", script) as whole:
        whole.run(progress=False)
        assert (whole["data/noise"], whole["data/duration"], whole["data/fading"]) == (0.2, 3, 0)
    session = stream(tmp_path / "parts", script, after=7)
    with pytest.raises(KilledError):
        session.run(progress=False)
    session.close()
    with stream(tmp_path / "parts", {9: ["undo"]}, resume=True) as resumed:
        assert resumed["data/noise"] == 0.2
        resumed.run(progress=False)
        assert differing(state_of(whole), state_of(resumed)) == []


def test_an_edit_right_after_a_return_keeps_the_state(tmp_path: Path) -> None:
    with Session(made(), root=tmp_path) as session:
        session.run(steps=4, progress=False)
        session.checkpoint()
        saved = checkpoints.saved(tmp_path / "wide" / "1" / "checkpoints")[-1]
        ends = []
        for _ in range(2):
            session.command("add extra {type: Flatten, from: logits}")
            session.run(steps=2, progress=False)
            ends.append(state_of(session))
            session.load_checkpoint(checkpoints.load(saved))
        assert differing(*ends) == []
