"""`rillnet replay`: does a run again with the commands of its journal, and says whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.launching import as_one_of_many, is_launched, start_all, words_of
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.loading import Run
from rillnet.training.replaying import processes_of
from rillnet.training.replaying import replay as do_again
from rillnet.training.replaying_frames import replay_frame
from rillnet.training.wording import count_text

DIFFERS = 4
_MOST_TOLD = 20


def replay(
    terminal: Terminal,
    run: str,
    until: int | None = None,
    frame: int | None = None,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any] | int:
    """Does a run again in memory, and compares its parameters with what it saved.

    A run of several processes is done again by as many.

    Args:
        terminal: where to write.
        run: a run.
        until: the step to stop at; the newest checkpoint that is not later is compared with.
        frame: one that could not be learned from, to be computed again instead.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        What was done and compared; or an exit code, where it differs.
    """
    directory = RunDirectory.find(root, run)
    if frame is not None:
        return _replay_frame(terminal, directory, frame, trust)
    if is_launched():
        with as_one_of_many(terminal, Run.open(directory, trust=trust)):
            return _replay(terminal, directory, until, trust)
    count = processes_of(directory, until)
    if count == 1:
        return _replay(terminal, directory, until, trust)
    options = {"--until": None if until is None else str(until), "--runs": root, "--trust": trust}
    options |= {"--json": terminal.as_json, "--quiet": terminal.quiet}
    return start_all(terminal, count, ["replay", run, *words_of(options)])


def _replay_frame(terminal: Terminal, directory: RunDirectory, frame: int, trust: bool) -> dict[str, Any] | int:
    """Computes one frame again, and says where it ceases to be finite."""
    found = replay_frame(directory, frame, trust=trust, say=terminal.say)
    told = {
        "run": str(directory),
        "frame": found.frame,
        "checkpoint": None if found.checkpoint is None else str(found.checkpoint),
        "blocks": found.blocks,
        "error": found.error or None,
    }
    origin = "the beginning" if found.checkpoint is None else str(found.checkpoint)
    terminal.print(f"frame {found.frame:,} computed again from {origin}")
    for address in found.blocks[:_MOST_TOLD]:
        terminal.print(f"  {address} sends NaN or infinity")
    if len(found.blocks) > _MOST_TOLD:
        terminal.print(f"  and {len(found.blocks) - _MOST_TOLD} more")
    terminal.print(found.error or "all rules may change their parameters")
    if not found.error:
        return told
    terminal.json(told)
    return DIFFERS


def _replay(terminal: Terminal, directory: RunDirectory, until: int | None, trust: bool) -> dict[str, Any] | int:
    """Does it again in this process, be it one of several or alone."""
    found = do_again(directory, until=until, trust=trust, say=terminal.say)
    told = {
        "run": str(directory),
        "step": found.step,
        "commands": found.commands,
        "checkpoint": str(found.checkpoint),
        "identical": not found.differing,
        "compared": found.compared,
        "differing": found.differing,
    }
    done = f"{directory} done again to step {found.step:,} with {count_text(found.commands, 'command')}"
    if not found.differing:
        terminal.print(f"{done}: {count_text(found.compared, 'tensor')} identical to {found.checkpoint}")
        return told
    terminal.print(f"{done}: {len(found.differing)} of {found.compared} tensors differ from {found.checkpoint}:")
    for address in found.differing[:_MOST_TOLD]:
        terminal.print(f"  {address}")
    if len(found.differing) > _MOST_TOLD:
        terminal.print(f"  and {len(found.differing) - _MOST_TOLD} more")
    terminal.json(told)
    return DIFFERS
