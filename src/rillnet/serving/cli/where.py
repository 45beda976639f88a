"""`rillnet show RUN --where`: what each process of a run is doing, and whom all wait for."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from rillnet.errors import RequestError
from rillnet.runtime.placement.heartbeat import FOLDER, read_beats, stalled
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.terminal import Terminal, table
from rillnet.training.wording import duration_text

_STALL_S = 10.0


def show_where(terminal: Terminal, run: RunDirectory) -> dict[str, Any]:
    """Shows where the processes of a run stand.

    Args:
        terminal: where to write.
        run: the run.

    Returns:
        The same as a mapping.

    Raises:
        RequestError: it has not run on several processes.
    """
    beats = read_beats(run.path / FOLDER)
    if not beats:
        raise RequestError(f"{run}: has not run on several processes, which alone say where they are")
    status, now = run.status, time.time()
    shown = table("process", "host", "pid", "step", "does", "for", right=("process", "pid", "step", "for"))
    for beat in beats:
        does = f"{beat.doing} {beat.what}"
        shown.add_row(
            str(beat.rank), beat.host, str(beat.pid), f"{beat.step:,}", does, duration_text(max(0.0, now - beat.since))
        )
    terminal.print(f"{run} is {status}")
    terminal.print(shown)
    stall = stalled(beats, _STALL_S, now) if status == "running" else ""
    if stall:
        terminal.print(stall)
    return {"run": str(run), "status": status, "processes": [asdict(beat) for beat in beats], "stalled": stall or None}
