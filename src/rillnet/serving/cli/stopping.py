"""`rillnet runs stop` and `runs remove`: ends runs and deletes them."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

from rillnet.errors import RequestError, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.status import is_alive
from rillnet.serving.cli.standing import describe_run
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.wording import count_text

_POLL_S = 0.05


def stop(terminal: Terminal, run: str, wait: float = 60.0, root: Path = Path("runs")) -> dict[str, Any]:
    """Asks the process of a run to save and end.

    Args:
        terminal: where to write.
        run: which run.
        wait: how many seconds to wait until it has ended.
        root: the directory of all runs.

    Returns:
        How the run stands afterwards.

    Raises:
        RequestError: it is not running here.
        RunError: it did not end in time.
    """
    directory = RunDirectory.find(root, run)
    status = directory.read_status()
    if status.status != "running":
        raise RequestError(f"{directory}: is not running; it is {status.status}")
    if status.host != socket.gethostname():
        raise RequestError(f"{directory}: runs on {status.host}; stop it there")
    os.kill(status.pid, signal.SIGTERM)
    deadline = time.monotonic() + wait
    while is_alive(status.pid, status.pid_started):
        if time.monotonic() > deadline:
            raise RunError(
                f"{directory}: process {status.pid} has not ended after {wait:g} s; it is asked to, wait longer"
            )
        time.sleep(_POLL_S)
    result = describe_run(directory)
    terminal.print(
        f"{directory} is {result['status']} at step {result['step']:,}; {terminal.program} run {directory} goes on"
    )
    return result


def remove(terminal: Terminal, names: list[str], yes: bool = False, root: Path = Path("runs")) -> dict[str, Any]:
    """Deletes runs.

    Args:
        terminal: where to write.
        names: which runs.
        yes: do not ask.
        root: the directory of all runs.

    Returns:
        What was removed.

    Raises:
        RequestError: a run is not there or is in use, or nobody said yes.
    """
    found = {directory.path.resolve(): directory for directory in (RunDirectory.find(root, name) for name in names)}
    chosen = list(found.values())
    listed = ", ".join(map(str, chosen))
    if not yes and not terminal.ask(f"delete {count_text(len(chosen), 'run')} with all checkpoints: {listed}?"):
        raise RequestError(f"nothing was removed; --yes removes {listed} without asking")
    for directory in chosen:
        directory.remove()
        terminal.print(f"removed {directory}")
    return {"removed": [str(directory) for directory in chosen]}
