"""`rillnet run`: trains, or goes on with a run, and says what comes next."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rillnet.errors import RequestError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli.finding import load_experiment, newest_run
from rillnet.serving.cli.standing import describe_run
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.watching import Watch
from rillnet.serving.cli.wording import count_text, duration_text, metrics_text
from rillnet.training.experiment import Experiment, Run


def run(
    terminal: Terminal,
    experiment: str,
    overrides: list[str] | None = None,
    fresh: bool = False,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Trains an experiment, or goes on with its unfinished run.

    Args:
        terminal: where to write.
        experiment: a document or a run.
        overrides: `key=value` changes of the document.
        fresh: begin anew.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        The run, how it stands, and its metrics.
    """
    with _terminated_as_interrupted():
        loaded = load_experiment(experiment, overrides, root, trust)
        if fresh and isinstance(loaded, Run):
            raise RequestError(f"--fresh: {experiment} is a run, which can only go on; give --fresh its document")
        before = None if fresh else newest_run(loaded, root)
        if before is not None and before.status == "finished":
            return _already_finished(terminal, before)
        try:
            return _train(terminal, loaded, root, fresh)
        except RequestError as error:
            raise loaded.located(error) from error


def _train(terminal: Terminal, experiment: Experiment, root: Path, fresh: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    with Session(experiment, root=root, resume=not fresh, say=terminal.say) as session:
        terminal.say(header(session))
        first = session.clock.step
        with Watch(terminal, session) as watch:
            session.observers.append(watch)
            metrics = session.run()
        assert session.record is not None
        directory, steps = session.record.directory, session.clock.step
        result = {**describe_run(directory), "metrics": metrics, "resumed_from": first or None}
        result["seconds"] = round(time.perf_counter() - begun, 3)
        if session.choice is not None:
            result["execution"] = session.choice.as_dict()
    evaluated = [metrics_text(session.metrics[p], f"{p} ") for p in ("val", "test") if p in session.metrics]
    numbers = "  ".join(evaluated) or metrics_text(metrics)
    terminal.print(f"finished after {count_text(steps, 'step')} in {duration_text(result['seconds'])}: {numbers}")
    _say_next(terminal, directory)
    return result


def _already_finished(terminal: Terminal, directory: RunDirectory) -> dict[str, Any]:
    status = directory.read_status()
    terminal.print(f"{directory} has finished after {count_text(status.step, 'step')}: {metrics_text(status.metrics)}")
    terminal.print("nothing is left to do; with its document, --fresh trains anew")
    _say_next(terminal, directory)
    return {**describe_run(directory), "resumed_from": status.step}


def _say_next(terminal: Terminal, directory: RunDirectory) -> None:
    terminal.print(f"run: {directory.path}")
    terminal.print(f"next: {terminal.program} eval {directory}, {terminal.program} show {directory}")


def header(session: Session) -> str:
    """One line: what is trained, on what, where."""
    net, data = session.net, session.data
    size = sum(parameter.numel() for parameter in net.parameters())
    parts = [f"{count_text(len(net.blocks), 'block')}, {count_text(size, 'parameter')}"]
    if data is not None:
        parts.append(f"{data.spec.source.type}, {count_text(session.feed.examples, 'example')}")
    parts.append(str(session.device))
    return f"{session.spec.experiment}: {'; '.join(parts)}"


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Lets SIGTERM end what is not a step as Ctrl-C does; while it learns, the trainer has handlers of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
