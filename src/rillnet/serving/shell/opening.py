"""`rillnet shell`: finds or starts the session that is meant, and takes lines from a prompt, `-c`, a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, Location, RequestError
from rillnet.runtime.placement.placed import check_not_alone
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.finding import load_experiment, newest_run
from rillnet.serving.cli.signals import terminated_as_interrupted
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.rest.live import Live
from rillnet.serving.shell.interpreter import Interpreter
from rillnet.serving.shell.local import LocalSession
from rillnet.serving.shell.prompt import above_the_prompt, check_installed, converse
from rillnet.serving.shell.protocol import Reached
from rillnet.serving.shell.remote import RemoteSession
from rillnet.serving.shell.results import plain_value
from rillnet.serving.shell.script import Line, divide
from rillnet.training.experiment import Experiment
from rillnet.training.loading import Run, find

_PIPE = "standard input"


def shell(
    terminal: Terminal,
    experiment: str,
    script: Path | None = None,
    command: str | None = None,
    overrides: list[str] | None = None,
    fresh: bool = False,
    play: bool = False,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Commands a session: a live one of another process, or one that is started here and held at first.

    Args:
        terminal: where to write.
        experiment: a document or a run.
        script: a file of commands.
        command: commands, with `;` between them.
        overrides: `key=value` changes of the document.
        fresh: begin anew.
        play: let a session that is started here run at once.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        The session, what each command answered, and how the session stands.

    Raises:
        RequestError: there is no such thing, a run cannot be reached, or a command is invalid.
    """
    lines, source = _lines(script, command)
    if lines is None:
        if terminal.as_json:
            raise RequestError("--json: writes no prompt; give commands by -c, in a file or on standard input")
        check_installed()
    with terminated_as_interrupted():
        if lines is not None:
            with _reached(terminal, experiment, overrides, fresh, play, root, trust) as session:
                return _perform(session, terminal, lines, source)
        with (
            above_the_prompt(terminal) as inner,
            _reached(inner, experiment, overrides, fresh, play, root, trust) as session,
        ):
            converse(session, inner)
            return {"session": session.name}


def _lines(script: Path | None, command: str | None) -> tuple[list[Line] | None, str]:
    """The commands that were handed over, and where they stand; None where somebody is to be asked for them."""
    if script is not None and command is not None:
        raise RequestError("-c: a script is given as well; one of them says what to do")
    if command is not None:
        return divide(command), ""
    if script is not None and str(script) != "-":
        try:
            return divide(script.read_text(encoding="utf-8")), str(script)
        except (OSError, UnicodeDecodeError) as error:
            reason = (getattr(error, "strerror", None) or "is not UTF-8 text").lower()
            raise RequestError(f"{script}: cannot be read: {reason}") from error
    if script is None and sys.stdin.isatty() and sys.stdout.isatty():
        return None, ""
    return divide(sys.stdin.read()), _PIPE


def _perform(session: Reached, terminal: Terminal, lines: list[Line], source: str) -> dict[str, Any]:
    """Carries out commands, and stops at the first that is refused."""
    interpreter = Interpreter(session, terminal)
    results: list[dict[str, Any]] = []
    for line in lines:
        try:
            results.append({"command": line.text, "result": plain_value(interpreter.do(line.text))})
        except RequestError as error:
            place = Location(source, line.number) if source else None
            raise RequestError([fault.at(place) for fault in error.faults]) from error
        if interpreter.is_left:
            break
    status = session.status() if terminal.as_json and not session.has_ended else None
    return {"session": session.name, "results": results, "status": status}


@contextmanager
def _reached(
    terminal: Terminal,
    experiment: str,
    overrides: list[str] | None,
    fresh: bool,
    play: bool,
    root: Path,
    trust: bool,
) -> Iterator[Reached]:
    """The session that is meant, let go of at the end."""
    found = find(experiment, overrides or (), root=root)
    session: Reached
    if isinstance(found, RunDirectory) and found.status == "running":
        session = attach(found)
    else:
        loaded = load_experiment(experiment, overrides, root, trust)
        if fresh and isinstance(loaded, Run):
            raise RequestError(f"--fresh: {experiment} is a run, which can only go on; give --fresh its document")
        session = _begin(terminal, loaded, root, fresh=fresh, play=play)
    if isinstance(session, RemoteSession):
        _tell(terminal, f"attached to {session.name}, which runs in process {session.live.pid}")
    try:
        yield session
    finally:
        told = session.close()
        if told:
            _tell(terminal, told)


def _begin(terminal: Terminal, loaded: Experiment, root: Path, *, fresh: bool, play: bool) -> Reached:
    """A session in this process, unless the same document runs in another one."""
    check_not_alone(loaded.spec.placement)
    before = None if fresh else newest_run(loaded, root)
    if before is not None and before.status == "running":
        return attach(before)
    session = LocalSession(loaded, root=root, fresh=fresh, say=lambda text: _tell(terminal, text))
    try:
        session.begin(plays=play)
    except BaseException as error:  # raised again: whatever ends its beginning must let go of the run directory
        session.close()
        if isinstance(error, RequestError):
            raise loaded.located(error) from error
        raise
    return session


def attach(directory: RunDirectory) -> RemoteSession:
    """The session of a run that another process has.

    Args:
        directory: the run's.

    Raises:
        RequestError: it has no port to be reached by.
    """
    live = Live.of(directory.path)
    if live is None:
        status = directory.read_status()
        rule = f"{directory}: runs in process {status.pid} on {status.host}, and cannot be reached from here"
        hint = f"rillnet run {directory} --watch goes on with it where it can be, once it was stopped"
        raise RequestError(Fault("", rule, hint=hint))
    return RemoteSession(live, str(directory))


def _tell(terminal: Terminal, text: str) -> None:
    """Writes what is no result: beside the results, where they may be read by a program."""
    if terminal.results.is_terminal:
        terminal.say(text)
    elif not terminal.quiet:
        terminal.warn(text)
