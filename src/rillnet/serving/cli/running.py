"""`rillnet run`: trains, or goes on with a run, and says what comes next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rillnet.errors import Interrupted, RequestError
from rillnet.model.frontends import yaml
from rillnet.model.summary import blocks_text
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.placement.joining import first_says
from rillnet.runtime.rundirectory import DOCUMENT, RunDirectory
from rillnet.runtime.session import Session
from rillnet.serving.cli.finding import load_experiment, newest_run
from rillnet.serving.cli.launching import as_one_of_many, is_launched, place, supervise, words_of
from rillnet.serving.cli.runs import flat_values
from rillnet.serving.cli.signals import terminated_as_interrupted
from rillnet.serving.cli.standing import describe_run
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.watching import Watched, page_of
from rillnet.serving.rest.live import end_with_server
from rillnet.serving.rest.server import HOST
from rillnet.training.experiment import Experiment
from rillnet.training.loading import Run
from rillnet.training.tables import tables_text
from rillnet.training.trainer import Trainer
from rillnet.training.watching import Watch
from rillnet.training.wording import count_text, duration_text, metrics_text

_GOES_ON = "the same command goes on"
_ANEW = "the same command begins anew"
_MOST_CHANGES = 3


def run(
    terminal: Terminal,
    experiment: str,
    overrides: list[str] | None = None,
    fresh: bool = False,
    root: Path = Path("runs"),
    trust: bool = False,
    processes: int | None = None,
    watch: bool = False,
    port: int | None = None,
    host: str = HOST,
    open_page: bool = False,
    stay: bool = False,
) -> dict[str, Any] | int:
    """Trains an experiment, or goes on with its unfinished run.

    Args:
        terminal: where to write.
        experiment: a document or a run.
        overrides: `key=value` changes of the document.
        fresh: begin anew.
        root: the directory of all runs.
        trust: whether the document may name Python code.
        processes: on how many; as the document says if left out.
        watch: show it in a browser while it runs.
        port: of the page; None tries the usual one first, 0 takes any.
        host: the address that the page is served on.
        open_page: open a browser.
        stay: keep the page when the run has ended, until Ctrl-C.

    Returns:
        The run, how it stands, and its metrics; or an exit code, where other processes have told them.

    Raises:
        RequestError: the document has faults, or asks for what cannot be done; holds all of them.
        Interrupted: it was stopped, and has saved.
    """
    with terminated_as_interrupted():
        end_with_server()
        shown = Watched.asked(watch, port, host, open_page, stay)
        loaded = load_experiment(experiment, overrides, root, trust)
        if fresh and isinstance(loaded, Run):
            raise RequestError(f"--fresh: {experiment} is a run, which can only go on; give --fresh its document")
        count = place(loaded, processes)
        if is_launched():
            with as_one_of_many(terminal, loaded):
                return _begin(terminal, loaded, root, fresh, shown)
        if count == 1:
            return _begin(terminal, loaded, root, fresh, shown)
        before = None if fresh else newest_run(loaded, root)
        if before is not None and before.status == "finished":
            return _already_finished(terminal, before)
        options = {"--set": overrides or [], "--runs": root, "--trust": trust, "--json": terminal.as_json}
        options |= shown.words() if shown is not None else {}
        words = ["run", experiment, *words_of({**options, "--quiet": terminal.quiet})]
        return supervise(terminal, loaded, count, words, fresh)


def _begin(terminal: Terminal, loaded: Experiment, root: Path, fresh: bool, shown: Watched | None) -> dict[str, Any]:
    """Trains in this process, be it one of several or alone."""
    for note in loaded.document.notes if loaded.document is not None else ():
        terminal.say(f"note: {note}")
    before = None if fresh else newest_run(loaded, root)
    # of several processes the first one decides, as the others may look when it has begun
    if first_says(before is not None and before.status == "finished") and before is not None:
        return _already_finished(terminal, before)
    if before is None and not fresh:
        _tell_of_another(terminal, loaded, root)
    try:
        return _train(terminal, loaded, root, fresh, shown)
    except RequestError as error:
        raise loaded.located(error) from error


def _train(
    terminal: Terminal, experiment: Experiment, root: Path, fresh: bool, shown: Watched | None
) -> dict[str, Any]:
    begun = time.perf_counter()
    with (
        Session(experiment, root=root, resume=not fresh, say=terminal.say, goes_on_by=_GOES_ON) as session,
        page_of(terminal, session, shown) as page,
    ):
        terminal.say(header(session))
        first = session.clock.step
        metrics = _run(terminal, session)
        assert session.record is not None
        directory, steps = session.record.directory, session.clock.step
        evaluated: list[str] = [phase for phase in ("val", "test") if phase in session.metrics]
        result = {**describe_run(directory), "metrics": metrics, "metrics_of": (evaluated or ["train"])[-1]}
        result |= {"resumed_from": first or None, "seconds": round(time.perf_counter() - begun, 3)}
        if session.choice is not None:
            result["execution"] = session.choice.as_dict()
        told = [metrics_text(session.metrics[phase], f"{phase} ") for phase in evaluated]
        if page is not None:
            page.end(f"finished after {count_text(steps, 'step')}")
    numbers = "  ".join(told) or metrics_text(metrics, "train ")
    terminal.print(f"finished after {count_text(steps, 'step')} in {duration_text(result['seconds'])}: {numbers}")
    for line in tables_text(metrics, {}):
        terminal.print(line)
    _say_next(terminal, directory)
    return result


def _run(terminal: Terminal, session: Session) -> dict[str, Any]:
    """Learns under the eyes of the user."""
    assert isinstance(session.trainer, Trainer)
    try:
        with Watch(terminal, session, session.trainer.extensions) as watch:
            session.observers.append(watch)
            return session.run(progress=False)
    except KeyboardInterrupt:  # while it was prepared, or for the second time
        record = session.open_record
        if record is not None:
            record.wait()
        saved = checkpoints.saved(record.directory.checkpoints) if record is not None else []
        if saved:
            step = int(saved[-1].name.rpartition("-")[2])
            raise Interrupted(f"interrupted at once; {_GOES_ON} from step {step:,}, which is saved") from None
        raise Interrupted(f"interrupted before anything was saved; {_ANEW}") from None


def _tell_of_another(terminal: Terminal, experiment: Experiment, root: Path) -> None:
    """A changed document begins a run of its own: what becomes of the one before is said in one line."""
    other = RunDirectory.left_unfinished(root, experiment.spec.experiment)
    if other is None or isinstance(experiment, Run):
        return
    step = other.read_status().step
    changed = _changes(yaml.read(other.path / DOCUMENT).values, experiment.resolved())
    of = f", of a document with {changed}" if changed else ""
    terminal.say(
        f"{other} stopped at step {step:,}{of}; a new run begins; {terminal.program} run {other} goes on with that one"
    )


def _changes(before: Any, now: Any) -> str:
    """The first values in which a document differed, `run.seed 1`."""
    old, new = flat_values(before), flat_values(now)
    differing = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    told = [f"{key} {old[key]}" if key in old else f"no {key}" for key in differing[:_MOST_CHANGES]]
    more = len(differing) - len(told)
    return ", ".join(told) + (f" and {more} more differences" if more else "")


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
    placement = session.placement
    size = placement.size if placement is not None else sum(parameter.numel() for parameter in net.parameters())
    parts = [f"{blocks_text(net)}, {count_text(size, 'parameter')}"]
    if data is not None:
        parts.append(f"{data.spec.source.type}, {count_text(session.feed.examples, 'example')}")
    parts.append(str(session.device))
    if placement is not None:
        parts.append(f"{placement.processes.count} processes")
    return f"{session.spec.experiment}: {'; '.join(parts)}"
