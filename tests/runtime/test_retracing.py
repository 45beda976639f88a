"""Going back: the same way again to the last bit, and what came later set aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.control.command import Command
from rillnet.runtime.control.history import Entry
from rillnet.runtime.retracing import go_back, later_than, origin_of
from rillnet.runtime.session import Session
from rillnet.runtime.snapshots import Snapshot
from tests.runtime.control.random_commands import experiment

COMMANDS = {
    2: "widen hidden 12",
    4: "clamp drop 0.5",
    5: "add extra {type: Linear, from: hidden, out_features: 12}",
    7: "undo 2",
    8: "hold conv",
    9: "set net/drop/p 0.4",
    11: "remove relu",
    12: "rate main 0.003",
}
FRAMES = 14

Passed = dict[int, dict[str, Tensor]]


def parameters(session: Session) -> dict[str, Tensor]:
    return {address: tensor.detach().clone() for address, tensor in session.net.state_by_address().items()}


def begun(root: Path, *, record: bool = True) -> Session:
    """A session that has done nothing yet."""
    session = Session(experiment(), root=root, record=record, say=lambda text: None)
    session.total_steps = 400
    session.prepare()
    return session


def walk(session: Session, until: int) -> Passed:
    """Runs frames with their commands; gives the parameters before each frame, after its command."""
    passed = {}
    while session.clock.frame < until:
        if session.clock.frame in COMMANDS:
            session.command(COMMANDS[session.clock.frame])
        passed[session.clock.frame] = parameters(session)
        session.trainer.take_step()
    return passed


@pytest.mark.parametrize("kept", ["beginning", "checkpoint", "snapshots"])
@pytest.mark.parametrize("frames", [1, 6, 11])
def test_a_frame_is_reached_again_to_the_last_bit(tmp_path: Path, kept: str, frames: int) -> None:
    with begun(tmp_path, record=kept == "checkpoint") as session:
        passed = walk(session, 6)
        if kept == "checkpoint":
            session.checkpoint()
        elif kept == "snapshots":
            session.begin_snapshots()
        passed |= walk(session, FRAMES)
        target = FRAMES - frames
        assert go_back(session, frames) == target
        assert [entry.frame for entry in session.control.history] == [frame for frame in COMMANDS if frame <= target]
        own = parameters(session)
        assert own.keys() == passed[target].keys()
        assert all(torch.equal(own[address], tensor) for address, tensor in passed[target].items())
        assert session.choice is not None
        session.trainer.take_step()
        own = parameters(session)
        if target + 1 not in COMMANDS:
            assert all(torch.equal(own[address], tensor) for address, tensor in passed.get(target + 1, own).items())


def test_what_came_later_is_set_aside(tmp_path: Path) -> None:
    with begun(tmp_path) as session:
        walk(session, FRAMES)
        session.checkpoint()
        record = session.record
        assert record is not None
        go_back(session, 4)
        names = sorted(path.name for path in record.directory.checkpoints.iterdir() if path.is_dir())
        assert names[-1] == "set-aside-step-0000000014"
        rows = [json.loads(line) for line in record.journal.path.read_text().splitlines()]
        assert max(row["step"] for row in rows) == 10
        assert (rows[-1]["text"], rows[-1]["details"]) == ("back", {"reached": 14})
        assert [row["text"] for row in rows if row["kind"] == "command"][-1] == "set net/drop/p 0.4"
        session.checkpoint()
    with Session(experiment(), root=tmp_path, resume=True, say=lambda text: None) as other:
        assert other.clock.frame == 10
        assert [entry.number for entry in other.control.history] == [1, 2, 3, 4, 5, 6]


def test_a_way_on_which_an_earlier_command_is_taken_back_begins_before_that(tmp_path: Path) -> None:
    with begun(tmp_path, record=False) as session:
        walk(session, 6)
        session.begin_snapshots()
        walk(session, FRAMES)
        found = origin_of(session, 8)
        assert isinstance(found, Snapshot)
        assert found.frame == 0  # `undo 2` in frame 7 needs the clamp of frame 4
        assert origin_of(session, 6).values["clock"]["frame"] == 6


def test_commands_that_a_state_holds_are_not_given_again() -> None:
    def entry(number: int, frame: int, name: str = "set") -> Entry:
        return Entry(number, frame, frame, name, Command(name), "python", 0.0)

    kept = Snapshot({}, {"clock": {"step": 3, "frame": 3}, "control": {"applied": [2]}})
    history = [entry(1, 2), entry(2, 3), entry(3, 3), entry(4, 4, "evaluate"), entry(5, 5), entry(6, 6)]
    assert [one.number for one in later_than(kept, history, 5)] == [3, 5]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    with begun(tmp_path) as session:
        session.trainer.take_step()
        session.trainer.take_step()
        first = session.checkpoint()
        session.trainer.take_step()
        second = session.checkpoint()
        session.trainer.take_step()
        (second / "manifest.json").write_text("{}")
        assert checkpoints.saved(second.parent) == [first, second]
        assert origin_of(session, 3).step == 2
