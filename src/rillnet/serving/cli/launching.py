"""`rillnet run` on several processes: checked and started here, and carried out by each of them."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, first_line
from rillnet.runtime.placement.elastic import fewer, fitted
from rillnet.runtime.placement.joining import (
    LostContactError,
    end_with_supervisor,
    is_launched,
    is_lost_contact,
    is_supervised,
    joining,
)
from rillnet.runtime.placement.placed import processes_of, spec_of
from rillnet.runtime.placement.supervision import Supervisor
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.experiment import Experiment

__all__ = ["as_one_of_many", "is_launched", "place", "start_all", "supervise"]


def place(experiment: Experiment, processes: int | None) -> int:
    """How many processes an experiment runs on.

    Args:
        experiment: the document's, which is given the number.
        processes: as asked on the command line; None is what the document says.

    Raises:
        RequestError: the net cannot be placed so.
    """
    placement = dict(experiment.spec.placement)
    launched = int(os.environ["WORLD_SIZE"]) if is_launched() else None
    asked = processes if launched is None else launched
    if asked is None:
        return processes_of(placement)
    if launched is not None:
        left = fitted(spec_of(placement), launched)
        placement = left.model_dump(exclude_none=True) if left.processes == launched else placement
    mesh = spec_of({**placement, "processes": None}).mesh_size
    if mesh is not None and mesh != asked:
        rule = f"the mesh of the document holds {mesh} processes"
        raise RequestError(Fault("--processes", rule, asked, hint="leave it out, or change placement.mesh"))
    experiment.place({**placement, "processes": asked})
    return asked


def supervise(
    terminal: Terminal, experiment: Experiment, processes: int, words: Sequence[str], fresh: bool = False
) -> int:
    """Starts the processes of a run and looks after them.

    Args:
        terminal: where to write.
        experiment: what runs, placed.
        processes: how many.
        words: the command line of each, without `--processes` and `--fresh`.
        fresh: begin anew.

    Returns:
        The exit code.
    """
    spec = spec_of(experiment.spec.placement)

    def command(attempt: int) -> list[str]:
        again = ["--fresh"] if fresh and not attempt else []
        return [sys.executable, "-m", "rillnet", *words, *again]

    supervisor = Supervisor(command, processes, terminal.warn, spec.max_restarts, functools.partial(fewer, spec))
    return supervisor.supervise()


def start_all(terminal: Terminal, processes: int, words: Sequence[str]) -> int:
    """Starts processes that join each other, and waits for them; none is started again.

    Args:
        terminal: where to write.
        processes: how many.
        words: the command line of each.

    Returns:
        The exit code.
    """
    return Supervisor(
        lambda attempt: [sys.executable, "-m", "rillnet", *words], processes, terminal.warn, max_restarts=0
    ).supervise()


@contextlib.contextmanager
def as_one_of_many(terminal: Terminal, experiment: Experiment) -> Iterator[None]:
    """Joins the others; of all of them the first writes.

    Raises:
        LostContactError: another process is gone.
    """
    end_with_supervisor()
    is_first = os.environ["RANK"] == "0"
    if not is_first:
        terminal.silence()
    spec = spec_of(experiment.spec.placement)
    try:
        with joining(spec.timeout, experiment.fingerprint):
            yield
    except Exception as error:  # each backend has its own error for a peer that is gone; others go on as they are
        if not is_lost_contact(error):
            raise
        if is_supervised():  # which tells what happened, and need not be told
            os._exit(LostContactError.exit_code)
        told = f"process {os.environ['RANK']} lost contact with the others: {first_line(error)}"
        raise LostContactError(told) from error


def words_of(options: Mapping[str, Any]) -> list[str]:
    """Options as a command line has them; nothing for what is left out."""
    words: list[str] = []
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif isinstance(value, list):
            words += [word for one in value for word in (name, str(one))]
        elif isinstance(value, str | Path):
            words += [name, str(value)]
    return words
