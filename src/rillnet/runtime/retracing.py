"""Going back: to the nearest kept state before a frame, and from there the same way again, commands included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.errors import CheckpointError, Fault, RequestError
from rillnet.model.net import Net
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.clock import Clock
from rillnet.runtime.control.command import find
from rillnet.runtime.control.history import Entry
from rillnet.runtime.execution import Choice
from rillnet.runtime.matching import load_matching
from rillnet.runtime.parts import Assembly, Trainer
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.record import Record
from rillnet.runtime.snapshots import Snapshot, Snapshots
from rillnet.runtime.starting import find_parameters
from rillnet.spec import ExperimentSpec

Kept = Checkpoint | Snapshot
"""A state that a session can return to."""


class Retraced(Protocol):
    """A session that goes back."""

    experiment: Assembly
    spec: ExperimentSpec
    net: Net
    clock: Clock
    control: Any
    trainer: Trainer
    choice: Choice | None
    placement: Placement | None
    snapshots: Snapshots | None
    root: Any
    device: torch.device
    say: Callable[[str], None]

    @property
    def open_record(self) -> Record | None:
        """The run directory, if it has been opened."""

    @property
    def record(self) -> Record | None:
        """The run directory, open for writing."""

    def return_to(self, saved: Kept) -> None:
        """Returns to a state, exactly; nothing that is on record is dropped for it."""


def target_of(session: Retraced, frames: int) -> int:
    """The frame that lies so many before the present one.

    Args:
        session: which goes back.
        frames: how many.

    Raises:
        RequestError: the run is not that long.
    """
    done = session.clock.frame
    if frames < 1:
        raise RequestError(Fault("back.frames", "must be a whole number, at least 1", frames))
    if frames > done:
        rule = f"must be at most {done}, the frames that are done"
        raise RequestError(Fault("back.frames", rule, frames))
    return done - frames


def origin_of(session: Retraced, target: int) -> Kept:
    """The newest state that is kept of a session at or before a frame, from which the way to it is known.

    Args:
        session: which goes back.
        target: frames done.

    Raises:
        RequestError: there is none.
    """
    history: Sequence[Entry] = session.control.history

    def fits(one: Kept) -> bool:
        return not _undoes_earlier(later_than(one, history, target), one)

    found = [one for one in (_snapshot(session, target, fits), _checkpoint(session, target, fits)) if one is not None]
    if found:
        return max(found, key=_frame_of)
    return _beginning(session, target)


def _snapshot(session: Retraced, target: int, fits: Any) -> Snapshot | None:
    return session.snapshots.newest(target, fits) if session.snapshots is not None else None


def _checkpoint(session: Retraced, target: int, fits: Any) -> Checkpoint | None:
    record = session.open_record
    if record is None:
        return None
    record.wait()
    for path in reversed(checkpoints.saved(record.directory.checkpoints)):
        if int(path.name.rpartition("-")[2]) > target:
            continue
        try:
            one = checkpoints.load(path)
        except CheckpointError:  # a damaged one is passed over, as it is where a run goes on
            continue
        if fits(one):
            return one
    return None


def _frame_of(one: Kept) -> int:
    return int(one.values["clock"]["frame"])


def later_than(kept: Kept, history: Iterable[Entry], target: int) -> list[Entry]:
    """The lasting commands of a history that a kept state does not hold, up to a frame.

    Args:
        kept: the state.
        history: of the session.
        target: frames done; commands before the next one count.
    """
    state, frame = kept.values.get("control", {}), _frame_of(kept)
    applied = set(state.get("applied", ()))
    return [
        entry
        for entry in history
        if entry.frame <= target
        and not (entry.frame < frame or (entry.frame == frame and entry.number in applied))
        and find(entry.command.name).lasting
    ]


def _undoes_earlier(later: Sequence[Entry], kept: Kept) -> bool:
    """Whether a command takes back one that lies before a kept state, where it cannot be taken back any more."""
    numbers = {entry.number for entry in later}
    return any(entry.command.name == "undo" and entry.command.arguments["number"] not in numbers for entry in later)


def _beginning(session: Retraced, target: int) -> Snapshot:
    """The state before the first frame, made anew.

    Raises:
        RequestError: the net was made in Python, so that it cannot be made anew here.
    """
    if getattr(session.experiment, "live_net", None) is not None:
        rule = f"is before all that is kept of the run, and its net cannot be made anew: frame {target}"
        raise RequestError(Fault("back.frames", rule, hint="`checkpoint` keeps a state to go back to"))
    net = session.experiment.build_net(session.device)
    if session.spec.run.precision == "fp64":
        net.double()
    parameters = net.state_by_address()
    if session.spec.run.start_from is not None:
        load_matching(find_parameters(session.spec.run.start_from, session.root).tensors("parameters"), parameters)
    if session.placement is not None:
        parameters = {address: session.placement.part(address, tensor) for address, tensor in parameters.items()}
    tensors: dict[str, Mapping[str, Tensor]] = {"parameters": parameters}
    learned = {address: parameters[address] for address in net.parameters_by_address()}
    for group, members in session.trainer.tensors().items():  # averages, by the address of what they are of
        suffixes = {name.partition("#")[2] for name in members}
        tensors[group] = {f"{name}#{suffix}": tensor for suffix in suffixes for name, tensor in learned.items()}
    values = {"clock": Clock(batches=session.clock.batches).state(), "trainer": session.trainer.first_state}
    return Snapshot(tensors, {**values, "metrics": {}, "control": {}})


def go_back(session: Retraced, frames: int) -> int:
    """Returns to a frame, and sets aside what came later.

    Args:
        session: between two frames.
        frames: how many.

    Returns:
        Frames done now.

    Raises:
        RequestError: there is no way back so far.
    """
    target = target_of(session, frames)
    origin = origin_of(session, target)
    later = later_than(origin, session.control.history, target)
    reached = session.clock.frame
    record, choice = session.record, session.choice  # made now if need be, so that all commands so far are noted
    if record is not None:
        for path in record.retrace(_step_of(session, target), int(origin.values["clock"]["step"])):
            session.say(f"set aside, as the run has gone back to frame {target}: {path}")
    session.return_to(origin)
    session.choice = session.choice or choice
    if session.snapshots is not None:
        session.snapshots.forget_after(target)
    retrace(session, later, target)
    if record is not None:
        record.journal.event("back", step=session.clock.step, frame=target, reached=reached)
    return target


def _step_of(session: Retraced, frame: int) -> int:
    """The steps done in so many frames; a step is a frame."""
    return session.clock.step - (session.clock.frame - frame)


def retrace(session: Retraced, later: Iterable[Entry], target: int) -> None:
    """Runs frames again, with the commands that were given then.

    Args:
        session: where it goes on from.
        later: commands that are applied at their frames; they stand in the journal.
        target: frames done at the end.
    """
    for entry in later:
        session.control.schedule(entry.frame, entry.command, entry.number)
    while session.clock.frame < target and session.trainer.stop_reason is None:
        session.control.apply_scheduled()
        session.trainer.take_step()
    session.control.apply_scheduled()
