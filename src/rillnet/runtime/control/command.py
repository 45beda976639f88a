"""What a command is: its name, its arguments, and what it does to a session between two frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.runtime.control.controlled import Controlled

Kind = Literal["address", "block", "edge", "number", "text", "value", "rule", "count", "pattern"]
"""What an argument is: shells complete by it, and `value`, `number` and `count` are read as YAML says."""

TYPED: tuple[Kind, ...] = ("number", "count", "value")
"""Kinds whose words mean a number or a value; the words of all others are taken as they are written."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument that a command takes.

    Args:
        name: what it is called.
        kind: what it is.
        required: whether a command is wrong without it.
        default: what holds where it is left out.
        doc: what it says, in a few words.
        many: whether it takes all words that are left, as a list.
        choices: the only words that it may be, if there are but a few.
    """

    name: str
    kind: Kind
    required: bool = True
    default: Any = None
    doc: str = ""
    many: bool = False
    choices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON says it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "required": self.required,
            "default": self.default,
            "doc": self.doc,
            "many": self.many,
            "choices": list(self.choices),
        }


@dataclass(frozen=True, slots=True)
class Command:
    """A change that is asked for, as the journal keeps it.

    Args:
        name: of the command.
        arguments: by name; numbers, words, lists and mappings, as JSON has them.

    Example:
        >>> Command("rate", {"rule": "main", "value": 0.01}).arguments["value"]
        0.01
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON says it."""
        return {"name": self.name, "arguments": dict(self.arguments)}


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a command.

    Args:
        result: what it answers, as JSON has it; a value that is asked for from Python may be a tensor.
        undo: puts back what was there before; None where nothing can or need be undone.
        saves: whether the run is saved after it, as it could not be applied to a resumed one again.
    """

    result: Any = None
    undo: Callable[[], None] | None = None
    saves: bool = False


class CommandType:
    """Base of commands; one subclass each, made known by `register`.

    Both methods are called between two frames, in the thread that runs them, and in every process of a run. They are
    given every parameter by its name, those that were left out at their defaults.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    journaled: ClassVar[bool] = True
    """Whether it is put on record."""
    lasting: ClassVar[bool] = True
    """Whether what it changes belongs to the run: then it is applied again where a run is resumed or replayed."""

    def check(self, session: Controlled, *parameters: Any, **arguments: Any) -> None:
        """Looks whether it can be applied, and changes nothing.

        Raises:
            RequestError: it cannot.
        """

    def apply(self, session: Controlled, *parameters: Any, **arguments: Any) -> Applied:
        """Applies it; what it raises has changed nothing either."""
        raise TypeError(f"{type(self).__name__} must define apply")

    def noted(self, session: Controlled, arguments: Mapping[str, Any], applied: Applied) -> Mapping[str, Any]:
        """Its arguments as the journal keeps them: what does the same whenever it is applied again.

        Args:
            session: whose.
            arguments: as they were given.
            applied: what came of it.
        """
        return arguments

    @classmethod
    def usage(cls) -> str:
        """How it is written: `rate RULE VALUE`."""
        words = [cls.name]
        for one in cls.parameters:
            word = one.name.upper() + (" ..." if one.many else "")
            words.append(word if one.required else f"[{one.name}={_shown(one.default)}]")
        return " ".join(words)

    @classmethod
    def as_dict(cls) -> dict[str, Any]:
        """What there is to know of it, as JSON says it."""
        return {
            "name": cls.name,
            "summary": cls.summary,
            "usage": cls.usage(),
            "parameters": [one.as_dict() for one in cls.parameters],
            "journaled": cls.journaled,
            "lasting": cls.lasting,
            "doc": (cls.__doc__ or "").strip(),
        }


COMMANDS: dict[str, CommandType] = {}
"""All commands by name; `rillnet.runtime.control.commands` fills it."""


def register(command: type[CommandType]) -> type[CommandType]:
    """Makes a command known under its name.

    Args:
        command: the class; it is made without arguments.

    Raises:
        RequestError: the name is taken.
    """
    if command.name in COMMANDS:
        raise RequestError(f"the command {command.name!r} is registered already")
    COMMANDS[command.name] = command()
    return command


def find(name: str) -> CommandType:
    """The command of that name.

    Raises:
        RequestError: there is none; names the nearest.
    """
    if name not in COMMANDS:
        hint = near_or_known(name, sorted(COMMANDS), "help")
        raise RequestError(Fault("command", "unknown command", name, hint=hint))
    return COMMANDS[name]


def completed(command: Command) -> dict[str, Any]:
    """A command's arguments with those that were left out at their defaults.

    Args:
        command: as it was given.

    Raises:
        RequestError: an argument is unknown, missing, or not of its kind; with all faults.
    """
    kind = find(command.name)
    known = {parameter.name: parameter for parameter in kind.parameters}
    faults = [
        Fault(f"{command.name}.{name}", "unknown argument", hint=near_or_known(name, known))
        for name in command.arguments
        if name not in known
    ]
    found: dict[str, Any] = {}
    for name, parameter in known.items():
        if name in command.arguments:
            found[name] = command.arguments[name]
            faults += _faults(parameter, found[name], f"{command.name}.{name}")
        elif parameter.required:
            faults.append(Fault(f"{command.name}.{name}", "is required", hint=f"usage: {kind.usage()}"))
        else:
            found[name] = parameter.default
    if faults:
        raise RequestError(faults)
    return found


def _faults(parameter: Parameter, value: Any, address: str) -> list[Fault]:
    if parameter.many:
        if not isinstance(value, list | tuple):
            return [Fault(address, "must be a list", value)]
        return [fault for one in value for fault in _faults_of_one(parameter, one, address)]
    return _faults_of_one(parameter, value, address)


def _faults_of_one(parameter: Parameter, value: Any, address: str) -> list[Fault]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None and not parameter.required and parameter.default is None:
        return []
    if parameter.kind == "count" and not (is_number and isinstance(value, int) and value >= 0):
        return [Fault(address, "must be a whole number, at least 0", value)]
    if parameter.kind == "number" and not is_number:
        return [Fault(address, "must be a number", value)]
    if parameter.kind not in TYPED and not isinstance(value, str):
        return [Fault(address, "must be text", value)]
    if parameter.choices and value not in parameter.choices:
        return [Fault(address, f"must be {' or '.join(parameter.choices)}", value)]
    return []


def _shown(default: Any) -> str:
    return "..." if default is None else str(default)
