"""What there is to choose from: the members of every family, with their arguments, as their own docstrings say it."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic.fields import FieldInfo

from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.transforms import TRANSFORMS
from rillnet.errors import Fault, RequestError, near_or_known
from rillnet.model.layers.metrics import Metric
from rillnet.model.nets import path_of, ready_nets
from rillnet.model.registry import INFERRED, block_types
from rillnet.registry import Family, signature_of
from rillnet.spec import DataSpec, Record, RunSpec
from rillnet.training.extension_family import EXTENSIONS
from rillnet.training.learning_rules import RULES
from rillnet.training.observers import OBSERVERS
from rillnet.training.optimizer_family import OPTIMIZERS, OWN_ARGUMENTS, SET_ELSEWHERE
from rillnet.training.rates import RATES

_RULE_IS_GIVEN = ("net", "implementation", "address")
_OWN = {
    "of": "globs of the parameters that it works on; all, or what other optimizers leave, if left out",
    "rate": "a learning-rate curve of its own",
    "l1": "strength of an L1 penalty",
    "max_norm": "the largest norm of a filter",
}
_MARKUP = re.compile(r":[a-z]+:`~?([^`<]*?)(?: <[^`]*>)?`|``?([^`]*)``?")
_ENTRY = re.compile(r"(?P<name>\*{0,2}\w+)\s*(\([^)]*\))?\s*:\s*(?P<told>.*)")
_WIDEST = 160
_KIND_WORDS: dict[Any, str] = {int: "int", float: "float", str: "text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a member, or a key of a section.

    Args:
        name: what a document calls it.
        default: as a document would write it; None where it must be given.
        kind: what it takes, in words.
        told: what it means.
        inferred: whether it may be left out as it follows from what a block reads.
    """

    name: str
    default: str | None
    kind: str = ""
    told: str = ""
    inferred: bool = False

    def __str__(self) -> str:
        return self.name if self.default is None else f"{self.name}={self.default}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a family: what a document may give as `type`, or a section's key.

    Args:
        name: its name.
        told: one line.
        arguments: what it takes.
    """

    name: str
    told: str
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        """Its call; what is inferred is left out."""
        shown = [str(argument) for argument in self.arguments if not argument.inferred]
        return f"{self.name}({', '.join(shown)})" if shown else self.name

    def as_dict(self) -> dict[str, Any]:
        """Words, lists and mappings, to be written as JSON."""
        return asdict(self) | {"arguments": [asdict(argument) for argument in self.arguments]}


def kinds() -> dict[str, str]:
    """What can be listed, with what it is."""
    return {kind: told for kind, (told, _) in _KINDS.items()}


def entries(kind: str) -> list[Entry]:
    """All members of a kind, sorted by name; the keys of a section in its own order.

    Args:
        kind: one of `kinds()`.

    Raises:
        RequestError: there is no such kind.
    """
    if kind not in _KINDS:
        raise RequestError(Fault("", "unknown kind", kind, hint=near_or_known(kind, _KINDS)))
    return _KINDS[kind][1]()


def find(name: str) -> list[tuple[str, Entry]]:
    """The members of that name in all kinds, each with its kind.

    Raises:
        RequestError: there is none.
    """
    everything = {kind: entries(kind) for kind in _KINDS}
    found = [(kind, entry) for kind, listed in everything.items() for entry in listed if entry.name == name]
    if not found:
        known = [*_KINDS, *(entry.name for listed in everything.values() for entry in listed)]
        hint = near_or_known(name, known, "rillnet list")
        raise RequestError(Fault("", "is neither a kind nor a member of one", name, hint=hint))
    return found


# --- members ------------------------------------------------------------------------------------


def _members(
    members: Mapping[str, Callable[..., Any]] | Family[Any], omit: Iterable[str] = (), inferred: Iterable[str] = ()
) -> list[Entry]:
    left_out, sizes = set(omit), set(inferred)
    found = []
    for name in sorted(members, key=str.casefold):
        member = members.find(name) if isinstance(members, Family) else members[name]
        told = _arguments_told(member)
        arguments = tuple(
            _argument(parameter, told.get(parameter.name, ""), sizes)
            for parameter in signature_of(member).values()
            if parameter.name not in left_out
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        )
        found.append(Entry(name, _first_sentence(member), arguments))
    return found


def _argument(parameter: inspect.Parameter, told: str, sizes: set[str]) -> Argument:
    is_required = parameter.default is parameter.empty
    default = None if is_required else written(parameter.default)
    inferred = is_required and parameter.name in sizes
    return Argument(parameter.name, default, kind_text(parameter.annotation), told, inferred)


def _blocks() -> list[Entry]:
    return _members(block_types(), ("device", "dtype", "source_shapes"), INFERRED)


def _metrics() -> list[Entry]:
    metrics = {name: found for name, found in block_types().items() if issubclass(found, Metric)}
    return _members(metrics, ("device", "dtype"), INFERRED)


def _optimizers() -> list[Entry]:
    own = tuple(Argument(name, "null", "", _OWN[name]) for name in OWN_ARGUMENTS)
    return [Entry(e.name, e.told, e.arguments + own) for e in _members(OPTIMIZERS, SET_ELSEWHERE)]


def _nets() -> list[Entry]:
    return [Entry(name, _first_comment(path_of(name).read_text(encoding="utf-8"))) for name in ready_nets()]


def _first_comment(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return _sentence(" ".join(lines))


def _keys(record: type[Record], prefix: str = "") -> list[Entry]:
    """The keys of a section and, below each, those of the records in it."""
    told, found = _arguments_told(record), []
    for name, field in record.model_fields.items():
        found.append(Entry(prefix + name, told.get(name, ""), (_key(prefix + name, field, told.get(name, "")),)))
        for inner in _records_in(field.annotation):
            found += _keys(inner, f"{prefix}{name}.")
    return found


def _key(name: str, field: FieldInfo, told: str) -> Argument:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    text = None if field.is_required() else "" if isinstance(default, Record) else written(default)
    return Argument(name, text, kind_text(field.annotation), told)


def _records_in(annotation: Any) -> list[type[Record]]:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return [annotation] if "type" not in annotation.model_fields else []
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return [one for part in typing.get_args(annotation) for one in _records_in(part)] if is_union else []


_KINDS: dict[str, tuple[str, Callable[[], list[Entry]]]] = {
    "blocks": ("what a net is made of", _blocks),
    "metrics": ("blocks that measure: losses too", _metrics),
    "nets": ("ready nets", _nets),
    "sources": ("where examples come from", lambda: _members(SOURCES, SUPPLIED)),
    "transforms": ("what is done to examples, under data.prepare and data.augment", lambda: _members(TRANSFORMS)),
    "rules": ("learning rules", lambda: _members(RULES, _RULE_IS_GIVEN)),
    "optimizers": ("how gradients become changes of parameters", _optimizers),
    "rates": ("learning-rate curves", lambda: _members(RATES)),
    "observers": ("what is recorded besides metrics, under observe", lambda: _members(OBSERVERS)),
    "extensions": ("what a trainer does besides, under run.extensions", lambda: _members(EXTENSIONS)),
    "data": ("the keys of the section data", lambda: _keys(DataSpec)),
    "run": ("the keys of the section run", lambda: _keys(RunSpec)),
}


# --- words --------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A default as a document writes it.

    Example:
        >>> written(None), written(True), written((0.9, 0.999)), written("same")
        ('null', 'true', '[0.9, 0.999]', 'same')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return f"{value:g}" if isinstance(value, float) else str(value)


def kind_text(annotation: Any) -> str:
    """What an annotation takes, in words; nothing where it takes anything.

    Example:
        >>> kind_text(int), kind_text(int | None), kind_text(typing.Literal["min", "max"]), kind_text(typing.Any)
        ('int', 'int or null', 'min or max', '')
    """
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (inspect.Parameter.empty, Any):
        return ""
    if origin is typing.Annotated:
        return kind_text(inner[0])
    if origin is typing.Literal:
        return " or ".join(map(str, inner))
    if origin in (typing.Union, types.UnionType):
        takes_anything = any(part is Any or Any in typing.get_args(part) for part in inner)
        return "" if takes_anything else " or ".join(dict.fromkeys(filter(None, map(kind_text, inner))))
    if annotation is types.NoneType:
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return "a mapping"
    if origin in (list, tuple) or annotation in (list, tuple):
        return "a list"
    if origin is dict or annotation is dict:
        return "a mapping"
    return _KIND_WORDS.get(annotation, "")


def _first_sentence(member: Any) -> str:
    return _sentence((inspect.getdoc(member) or "").split("\n\n")[0])


def _sentence(text: str) -> str:
    plain = _MARKUP.sub(lambda found: found[1] or found[2] or "", " ".join(text.split()))
    first = re.split(r"(?<=[^.\s]{2}\.) (?=[A-Z])", plain)[0].strip()
    return first if len(first) <= _WIDEST else first[: _WIDEST - 4].rsplit(" ", 1)[0] + " ..."


def _arguments_told(member: Any) -> dict[str, str]:
    """What a docstring's section of arguments says, by name."""
    lines = (inspect.getdoc(member) or "").splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:")), None)
    told: dict[str, str] = {}
    if start is None:
        return told
    indent, name = 0, ""
    for line in lines[start + 1 :]:
        depth = len(line) - len(line.lstrip())
        if line.strip() and depth == 0:
            break
        indent = indent or depth
        entry = _ENTRY.match(line.strip()) if depth == indent else None
        if entry:
            name = entry["name"].lstrip("*")
            told[name] = entry["told"]
        elif name and line.strip():
            told[name] += " " + line.strip()
    return {name: _sentence(text) for name, text in told.items()}
