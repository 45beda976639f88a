"""Replay of one frame: the one that was not learned from, as its change held NaN or infinity, from what it read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file

from rillnet.errors import Fault, RequestError, UpdateError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.control import values
from rillnet.runtime.execution import Choice
from rillnet.runtime.executor import Context
from rillnet.runtime.health import nonfinite_blocks
from rillnet.runtime.journal import Entry, Journal
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.extensions import Evaluate, Log, Save
from rillnet.training.loading import Run
from rillnet.training.trainer import Trainer

_KEPT = re.compile(r"frame-(\d+)\.safetensors")


@dataclass(frozen=True)
class FrameReplayed:
    """What came of a frame that was computed again.

    Args:
        frame: counted from 1.
        checkpoint: where the way there began; None for the beginning of the run.
        blocks: addresses of the blocks that send NaN or infinity, in the order of a frame.
        error: what the first learning rule says that may not change its parameters; empty where all may.
    """

    frame: int
    checkpoint: Path | None
    blocks: list[str]
    error: str


def kept_frames(directory: RunDirectory) -> list[int]:
    """The frames of a run whose inputs were kept, as they could not be learned from.

    Args:
        directory: the run's.
    """
    found = (_KEPT.fullmatch(path.name) for path in directory.path.glob("frame-*.safetensors"))
    return sorted(int(one[1]) for one in found if one is not None)


def replay_frame(
    directory: RunDirectory, frame: int, *, trust: bool = True, say: Callable[[str], None] = print
) -> FrameReplayed:
    """Computes a frame again in memory, from the newest checkpoint before it and from the inputs that were kept.

    Args:
        directory: the run's; nothing is written there.
        frame: which, counted from 1.
        trust: whether the document may name Python code.
        say: told how far it is.

    Raises:
        RequestError: the inputs of that frame were not kept, or the run cannot be done again here.
    """
    known = kept_frames(directory)
    if frame not in known:
        hint = f"kept are those of {', '.join(map(str, known))}" if known else "the run kept none"
        raise RequestError(Fault("--frame", "is none whose inputs were kept", frame, hint=hint))
    lines, saved = Journal(directory).read()[0], _saved_before(directory, frame)
    run = Run.open(directory, trust=trust)
    with Session(run, record=False, say=lambda text: None) as session:
        if session.data is None:
            raise session.no_data("learn")
        session.choice = _choice(lines)
        session.prepare()
        if saved is not None:
            session.return_to(saved)
        session.control.resume([_unpacked(line, directory) for line in lines])
        _run_to(session, frame - 1, say)
        return _computed(session, directory.path / f"frame-{frame}.safetensors", saved)


def _unpacked(line: Entry, directory: RunDirectory) -> Entry:
    """A line with the arrays of its command, which stand in files of the run."""
    if line.kind != "command" or "arguments" not in line.details:
        return line
    arguments = values.unpacked(line.details["arguments"], directory.path)
    return replace(line, details={**line.details, "arguments": arguments})


def _saved_before(directory: RunDirectory, frame: int) -> Checkpoint | None:
    """The newest checkpoint that lies before a frame and can be read."""
    for path in reversed(checkpoints.saved(directory.checkpoints)):
        if int(path.name.rpartition("-")[2]) < frame:
            return checkpoints.load(path)
    return None


def _choice(lines: list[Entry]) -> Choice | None:
    """How the run was executed."""
    told = next((line.details for line in lines if line.text == "execution"), None)
    return Choice.from_dict(told) if told is not None else None


def _run_to(session: Session, step: int, say: Callable[[str], None]) -> None:
    trainer = session.trainer
    assert isinstance(trainer, Trainer)
    trainer.extensions = [one for one in trainer.extensions if not isinstance(one, Evaluate | Log | Save)]
    for extension in trainer.extensions:
        extension.begin(session)
    session.total_steps = trainer.length
    say(f"from step {session.clock.step:,} to step {step:,}")
    while session.clock.step < step:
        session.control.apply_scheduled()
        trainer.take_step()
    session.control.apply_scheduled()


def _computed(session: Session, path: Path, saved: Checkpoint | None) -> FrameReplayed:
    fields, clock = load_file(path), session.clock
    blocks = nonfinite_blocks(session, fields, clock.step + 1, session.executor.state)
    context = Context(clock.step, clock.epoch, session.total_steps, clock.batches, session.executor.precision)
    error = ""
    try:
        session.executor.learn(fields, context)
    except UpdateError as found:
        error = str(found)
    return FrameReplayed(clock.step + 1, None if saved is None else saved.path, blocks, error)
