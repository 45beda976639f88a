"""`rillnet replay`: does a run again with the commands of its journal, and says whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.replaying import replay as do_again
from rillnet.training.wording import count_text

DIFFERS = 4
_MOST_TOLD = 20


def replay(
    terminal: Terminal, run: str, until: int | None = None, root: Path = Path("runs"), trust: bool = False
) -> dict[str, Any] | int:
    """Does a run again in memory, and compares its parameters with what it saved.

    Args:
        terminal: where to write.
        run: a run.
        until: the step to stop at; the newest checkpoint that is not later is compared with.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        What was done and compared; or an exit code, where it differs.
    """
    directory = RunDirectory.find(root, run)
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
