"""From the words of a command line to what they ask for, and from any failure to a message and an exit code.

Nothing here imports torch: help and faults of the command line itself are answered at once.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from rillnet.errors import Fault, RequestError, RillnetError, suggest
from rillnet.registry import key_elsewhere
from rillnet.serving.cli.app import app
from rillnet.serving.cli.request import Request
from rillnet.serving.cli.terminal import Terminal, leave

INTERRUPTED = 130
FAILED = 4
WRONG = 2

_MISSING = re.compile(r"no such (?P<kind>command|option):? '?(?P<word>[\w-]+)'?")

_WrongUsage: type[Exception] = typer.BadParameter.__mro__[2]
"""The base of what typer raises on a command line that it cannot read; it has no public name in all versions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what a command line asks for.

    Args:
        arguments: without the program's name; None takes those of this process.

    Returns:
        The exit code: 0 done, 2 the request is wrong, 3 the data is wrong, 4 it failed, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    terminal = Terminal(as_json="--json" in words, program=_program())
    try:
        return _answer(words, terminal)
    except BaseException as error:  # the one place where every failure becomes a message and an exit code
        return _fail(error, terminal)
    finally:
        _flush()


def _answer(words: Sequence[str], terminal: Terminal) -> int:
    request = app(list(words) or ["--help"], prog_name="rillnet", standalone_mode=False)
    if not isinstance(request, Request):  # help was asked for and given
        return request if isinstance(request, int) else 0
    terminal.quiet = request.quiet
    result = perform(request, terminal)
    if isinstance(result, int):  # it was told by processes that this one has started
        return result
    terminal.json(result)
    return 0


def perform(request: Request, terminal: Terminal) -> dict[str, Any] | int:
    """Carries out a request; the modules that do are imported now.

    Returns:
        The result, as `--json` prints it; or an exit code, where others have printed it.
    """
    module, _, name = request.body.partition(":")
    result: dict[str, Any] | int = getattr(importlib.import_module(module), name)(terminal, **request.arguments)
    return result


def _fail(error: BaseException, terminal: Terminal) -> int:
    """Says what went wrong.

    Returns:
        The exit code.
    """
    faults, code = _told(error)
    if faults is None:
        traceback.print_exception(error, file=sys.stderr)
        faults = [
            Fault("", f"{type(error).__name__}: {error}; if the fault is not in code of your own, please report it")
        ]
    if terminal.as_json:
        terminal.json({"error": {"faults": [_as_json(fault) for fault in faults], "exit_code": code}})
    else:
        terminal.error([str(fault) for fault in faults])
    return code


def _told(error: BaseException) -> tuple[list[Fault] | None, int]:
    """The faults of an error in plain words, or None for one that nobody foresaw; and the exit code."""
    if isinstance(error, RequestError):
        return error.faults, error.exit_code
    if isinstance(error, RillnetError):
        return [Fault("", str(error))], error.exit_code
    if isinstance(error, _WrongUsage):
        return [Fault("", _usage(error))], WRONG
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return [Fault("", "interrupted")], INTERRUPTED
    if isinstance(error, OSError):
        return [Fault("", _system_fault(error))], FAILED
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return [Fault("", "the memory is used up; lower data.batch_size, or use a smaller net")], FAILED
    return None, FAILED


def _usage(error: Any) -> str:
    text = str(error.format_message()).strip().rstrip(".")
    text = (text[:1].lower() + text[1:]).replace(". Did you mean", "; did you mean")
    if text.endswith("?"):
        return text
    missing = _MISSING.match(text)
    if missing:
        word = missing["word"].lstrip("-").replace("-", "_")
        commands = [one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands]
        near = suggest(word, commands) if missing["kind"] == "command" else ""
        elsewhere = key_elsewhere(word) if missing["kind"] == "option" else ""
        if near or elsewhere:
            text = text.partition(" (Possible options")[0]  # those are guesses, and this is known
            return f"{text}; {near}" if near else f"{text}; --set {elsewhere}=... says that"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "rillnet"
    return f"{text}; see {command} --help"


def _system_fault(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"{error.filename}: {reason}" if error.filename else reason


def _as_json(fault: Fault) -> dict[str, Any]:
    location = fault.location
    return {
        "address": fault.address,
        "rule": fault.rule,
        "value": fault.value if fault.has_value else None,
        "file": location.file if location is not None else None,
        "line": location.line if location is not None else None,
        "text": str(fault),
    }


def _program() -> str:
    """How the user started rillnet."""
    started = Path(sys.argv[0])
    return "python -m rillnet" if started.parts[-2:] == ("rillnet", "__main__.py") else "rillnet"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            leave(stream)
        except OSError:  # a full disk behind a redirected stream; the exit code already tells how it went
            os.close(stream.fileno())
