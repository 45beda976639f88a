"""Replay: a run done again from its beginning, with the commands of its journal, and compared with what it saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import CheckpointError, Fault, RequestError, RunError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.control import values
from rillnet.runtime.control.command import Command, find
from rillnet.runtime.execution import Choice
from rillnet.runtime.journal import Entry, Journal
from rillnet.runtime.placement.joining import joined_count
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.record import LENGTH, PROCESSES
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.extensions import Evaluate, Log, Save
from rillnet.training.loading import Run
from rillnet.training.trainer import Trainer

_TOLD_EVERY = 0.1  # of the way
_MOST_TOLD = 3  # commands that cannot be applied again


@dataclass(frozen=True)
class Replayed:
    """What came of a replay.

    Args:
        step: learning steps that were done again.
        commands: commands that were applied again.
        checkpoint: what was compared with.
        compared: how many parameters and buffers.
        differing: the addresses of those that are not the same to the last bit.
    """

    step: int
    commands: int
    checkpoint: Path
    compared: int
    differing: list[str]


@dataclass(frozen=True, slots=True)
class _Told:
    """A command of a journal."""

    number: int
    frame: int
    command: Command


def replay(
    directory: RunDirectory, *, until: int | None = None, trust: bool = True, say: Callable[[str], None] = print
) -> Replayed:
    """Does a run again in memory, and compares its parameters with those of its newest checkpoint.

    A run of several processes is done again by as many that have joined each other; all of them call this.

    Args:
        directory: the run's; nothing is written there.
        until: the step to stop at; the newest checkpoint that is not later is compared with.
        trust: whether the document may name Python code.
        say: told how far it is.

    Raises:
        RequestError: there is no such step, or the run cannot be done again here.
        CheckpointError: nothing was saved that could be compared with.
        RunError: a command of the journal cannot be applied again.
    """
    run = Run.open(directory, trust=trust)
    count = joined_count()
    if count > 1:
        run.place({**run.spec.placement, "processes": count})
    said: list[str] = []
    with Session(run, record=False, say=said.append) as session:
        saved = _saved_by_all(session.placement, directory, until)
        lines = Journal(directory).read()[0]
        _check(saved, lines, count)
        if session.data is None:
            raise session.no_data("learn")
        session.choice = _choice(lines, saved)
        session.prepare()
        told = _commands(lines, saved)
        for one in told:
            session.control.schedule(one.frame, _unpacked(one.command, directory), one.number)
        _run(session, saved.step, _lengths(lines), say)
        _check_applied(session, told, said)
        compared = saved.tensors("parameters")
        return Replayed(saved.step, len(told), saved.path, len(compared), _found(session, compared))


def processes_of(directory: RunDirectory, until: int | None = None) -> int:
    """How many processes it takes to do a run again.

    Args:
        directory: the run's.
        until: the step to stop at.

    Raises:
        RequestError: there is no such step.
        CheckpointError: nothing was saved.
    """
    return int(_saved(directory, until).values.get("processes", 1))


def _saved(directory: RunDirectory, until: int | None) -> Checkpoint:
    """The checkpoint that is compared with."""
    damaged = []
    steps = []
    for path in reversed(checkpoints.saved(directory.checkpoints)):
        steps.append(int(path.name.rpartition("-")[2]))
        if until is not None and steps[-1] > until:
            continue
        try:
            return checkpoints.load(path)
        except CheckpointError as error:
            damaged.append(str(error))
    if damaged:
        raise CheckpointError(f"{directory}: every checkpoint is damaged: {'; '.join(damaged)}")
    if steps:
        known = ", ".join(str(step) for step in reversed(steps))
        raise RequestError(Fault("--until", "is before the first checkpoint", until, hint=f"saved are steps {known}"))
    raise CheckpointError(f"{directory}: has saved no checkpoint, so there is nothing to compare with")


def _saved_by_all(placement: Placement | None, directory: RunDirectory, until: int | None) -> Checkpoint:
    """The same, where it is one for all processes."""
    if placement is None:
        return _saved(directory, until)
    found: Checkpoint | None = placement.first_makes(lambda: _saved(directory, until))
    path = placement.processes.told(None if found is None else str(found.path.resolve()))
    return found or checkpoints.load(Path(path))


def _check(saved: Checkpoint, lines: Sequence[Entry], there: int) -> None:
    """Looks whether the processes that are there can do what the run did."""
    processes = int(saved.values.get("processes", 1))
    hint = "rillnet check compares what different numbers of processes compute"
    if processes != there:
        rule = f"was computed by {processes} processes, and {there} would add up in another order"
        raise RequestError(Fault("placement", rule, hint="rillnet replay starts as many"))
    counts = _counts(lines, saved.step)
    if len(set(counts)) > 1:
        told = ", then by ".join(str(count) for count in counts)
        rule = f"was computed by {told} processes, and only one number of them adds up in the same order throughout"
        raise RequestError(Fault("placement", rule, hint=hint))


def _counts(lines: Sequence[Entry], end: int) -> list[int]:
    """The numbers of processes that computed a run up to a step, as far as its journal tells, one after the other."""
    told = {line.step: int(line.details["processes"]) for line in lines if line.text == PROCESSES and line.step < end}
    if not told:
        return []
    return [count for _, count in sorted({0: 1, **told}.items())]


def _found(session: Session, saved: Mapping[str, Tensor]) -> list[str]:
    """The addresses at which a net differs from what was saved."""
    own = session.net.state_by_address()
    if session.placement is None:
        return _differing(own, saved)
    whole = session.placement.whole(own)
    return list(session.placement.processes.told(_differing(whole, saved) if whole else []))


def _choice(lines: Sequence[Entry], saved: Checkpoint) -> Choice | None:
    """How the run was executed."""
    told: Mapping[str, Any] | None = saved.values.get("execution")
    if told is None:
        told = next((line.details for line in lines if line.text == "execution"), None)
    return Choice.from_dict(told) if told is not None else None


def _lengths(lines: Sequence[Entry]) -> list[tuple[int, int]]:
    """How many steps the run was to have, from which step on, as rates depend on it."""
    return [
        (line.step, int(line.details["total_steps"])) for line in lines if line.kind == "event" and line.text == LENGTH
    ]


def _commands(lines: Sequence[Entry], saved: Checkpoint) -> list[_Told]:
    """The lasting commands that a checkpoint holds."""
    clock, state = saved.values["clock"], saved.values.get("control", {})
    applied, found = set(state.get("applied", ())), []
    for line in lines:
        if line.kind != "command" or not {"name", "arguments", "number"} <= line.details.keys():
            continue
        number, command = int(line.details["number"]), Command(line.details["name"], line.details["arguments"])
        is_held = line.frame < clock["frame"] or (line.frame == clock["frame"] and number in applied)
        if is_held and find(command.name).lasting:
            found.append(_Told(number, line.frame, command))
    return found


def _unpacked(command: Command, directory: RunDirectory) -> Command:
    """A command with its arrays, which stand in files of the run."""
    return Command(command.name, values.unpacked(command.arguments, directory.path))


def _run(session: Session, target: int, lengths: Sequence[tuple[int, int]], say: Callable[[str], None]) -> None:
    trainer = session.trainer
    assert isinstance(trainer, Trainer)
    # what only looks and writes is left out; what extensions of the user's own do may matter
    trainer.extensions = [one for one in trainer.extensions if not isinstance(one, Evaluate | Log | Save)]
    for extension in trainer.extensions:
        extension.begin(session)
    session.total_steps = trainer.length or target
    waiting, told = list(lengths), _TOLD_EVERY
    while session.clock.step < target:
        while waiting and waiting[0][0] <= session.clock.step:
            session.total_steps = waiting.pop(0)[1]
        session.control.apply_scheduled()
        trainer.take_step()
        if session.clock.step >= told * target:
            say(f"step {session.clock.step:,} of {target:,}")
            told += _TOLD_EVERY
    session.control.apply_scheduled()


def _check_applied(session: Session, told: Sequence[_Told], said: Sequence[str]) -> None:
    done = {entry.number for entry in session.control.history}
    missing = [one for one in told if one.number not in done]
    if missing:
        reasons = [text for text in said if "cannot be applied again" in text]
        raise RunError(f"{len(missing)} of {len(told)} commands: " + "; ".join(reasons[:_MOST_TOLD]))


def _differing(own: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> list[str]:
    """The addresses at which two nets differ in any bit."""
    return [
        address
        for address in {**own, **others}
        if address not in own or address not in others or not _is_same(own[address], others[address])
    ]


def _is_same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    pair = [tensor.detach().cpu().contiguous().flatten().view(torch.uint8) for tensor in (one, other)]
    return torch.equal(*pair)
