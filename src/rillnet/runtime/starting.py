"""Where a net's parameters may be taken from: a run, or one of its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rillnet.errors import CheckpointError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.manifest import FILE
from rillnet.runtime.rundirectory import RunDirectory


def find_parameters(text: str | Path, root: Path, say: Callable[[str], None] | None = None) -> Checkpoint:
    """The checkpoint that a text means.

    Args:
        text: a checkpoint's directory; or a run (its directory, `name/n`, or `name`), whose newest complete
            checkpoint is taken.
        root: the directory of all runs.
        say: told of each damaged checkpoint that is passed over.

    Raises:
        RequestError: there is no such run.
        CheckpointError: it has no complete checkpoint.
    """
    if (Path(text) / FILE).is_file():
        return checkpoints.load(Path(text))
    run = RunDirectory.find(root, str(text))
    found, damaged = checkpoints.newest(run.checkpoints)
    if found is None:
        raise CheckpointError(f"{run}: has no complete checkpoint" + "".join(f"; {one}" for one in damaged))
    if say is not None:
        for one in damaged:
            say(f"{one}; taking the checkpoint before")
    return found
