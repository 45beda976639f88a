"""The prompt: completion, history, and the clock in a line below it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rillnet.errors import MissingExtraError, RillnetError
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.shell.completion import Completion, Names
from rillnet.serving.shell.interpreter import OWN, Interpreter
from rillnet.serving.shell.protocol import Reached
from rillnet.serving.shell.results import toolbar_line

_REFRESH_S = 0.25  # between two looks at the clock
_WELCOME = "help lists the commands, Tab completes, exit leaves"


def check_installed() -> None:
    """Looks for what the prompt is made with.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import prompt_toolkit  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("prompt_toolkit", "shell", "the prompt of rillnet shell") from error


def history_file() -> Path:
    """Where the lines typed so far are kept."""
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "rillnet" / "shell_history"


@contextmanager
def above_the_prompt(terminal: Terminal) -> Iterator[Terminal]:
    """Within it, what other threads write appears above the line that is being typed.

    Args:
        terminal: where was written so far.

    Returns:
        Where to write meanwhile.
    """
    from prompt_toolkit.patch_stdout import patch_stdout

    with patch_stdout(raw=True):
        yield Terminal(quiet=terminal.quiet, program=terminal.program)  # takes the streams of this moment


def converse(session: Reached, terminal: Terminal) -> None:
    """Reads and carries out lines until `exit`, Ctrl-D, or the end of the session.

    Args:
        session: what is told and asked.
        terminal: where results are written, above the prompt.
    """
    with Clock(session) as clock:
        prompt = _make(session, clock)
        interpreter = Interpreter(session, terminal)
        terminal.print(_WELCOME)
        while not interpreter.is_left:
            try:
                text = prompt.prompt(f"{session.name}> ")
            except KeyboardInterrupt:  # the line is given up, as in other shells
                continue
            except EOFError:
                return
            _carry_out(interpreter, text)
            if session.has_ended:
                terminal.print(f"{session.name} has ended")
                return


def _carry_out(interpreter: Interpreter, text: str) -> None:
    try:
        interpreter.do(text)
    except KeyboardInterrupt:  # ends a stream, or the wait for a command that is queued
        return
    except RillnetError as error:
        interpreter.terminal.error(str(error).splitlines())
    except OSError as error:
        interpreter.terminal.error([(error.strerror or str(error)).lower()])


def _make(session: Reached, clock: Clock) -> Any:
    from prompt_toolkit import PromptSession

    return PromptSession(
        history=_history(history_file()),
        completer=_completer(Completion(Names(session), OWN)),
        complete_in_thread=True,
        complete_while_typing=False,
        bottom_toolbar=lambda: clock.text,
        refresh_interval=_REFRESH_S,
    )


def _history(path: Path) -> Any:
    """The lines of earlier shells, where a file can hold them."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _completer(completion: Completion) -> Any:
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.completion import Completion as Shown
    from prompt_toolkit.document import Document

    class Candidates(Completer):
        """What `Completion` proposes, as prompt_toolkit shows it."""

        def get_completions(self, document: Document, complete_event: Any) -> Iterator[Shown]:
            before = document.text_before_cursor
            word = before[max(before.rfind(" "), before.rfind("\t")) + 1 :]
            for one in completion.candidates(before):
                yield Shown(one.text, start_position=-len(word), display_meta=one.note)

    return Candidates()


class Clock:
    """The line below the prompt, kept up to date by a thread, so that nothing that is typed waits for it.

    Args:
        session: whose.
    """

    def __init__(self, session: Reached) -> None:
        self.text = session.name
        self._session = session
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="rillnet-shell-clock", daemon=True)

    def __enter__(self) -> Clock:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.wait(_REFRESH_S):
            self.look()

    def look(self) -> None:
        """Reads the clock once."""
        try:
            self.text = toolbar_line(self._session.status())
        except RillnetError as error:
            self.text = str(error)
