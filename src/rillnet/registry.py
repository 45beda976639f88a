"""A family of interchangeable classes: found by name, checked by signature, built from a record.

Sources, optimisers, rates, transforms, learning rules and the like are each one `Family`. The check
reads a class's own signature, so that what a document may say is written once, in the constructor:
its argument names, its annotations and its `Annotated[int, Field(ge=1)]` bounds.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from rillnet.errors import Fault, RequestError, near_or_known, other_names, suggest
from rillnet.spec import TypedSpec

T = TypeVar("T")

UNTRUSTED = "runs code of yours; pass --trust, or trust=True in Python, if you mean it"
"""The rule that an import path in a document breaks."""


class Family(Generic[T]):
    """The members of one interchangeable family, by name.

    Args:
        kind: what a member is called in messages, "optimizer".
        members: classes or functions by name; `package.module:Class` names others.

    Example:
        >>> family = Family("counter", {"Range": range})
        >>> sorted(family)
        ['Range']
    """

    def __init__(self, kind: str, members: Mapping[str, Callable[..., T]]) -> None:
        self.kind = kind
        self._members: dict[str, Callable[..., T]] = dict(members)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def register(self, name: str, member: Callable[..., T]) -> None:
        """Adds a member under a name that is not taken yet.

        Raises:
            RequestError: it is taken.
        """
        if name in self._members:
            raise RequestError(f"{self.kind} {name!r} is registered already")
        self._members[name] = member

    def find(self, name: str) -> Callable[..., T]:
        """The member of that name, or the object at that import path.

        Raises:
            RequestError: there is none.
        """
        if ":" in name:
            found: Callable[..., T] = import_path(name)
            return found
        if name not in self._members:
            hint = written_with_a_dot(name) or near_or_known(name, self._members, self.listed_by)
            raise RequestError(Fault("", f"unknown {self.kind}", name, hint=hint))
        return self._members[name]

    @property
    def listed_by(self) -> str:
        """The command that lists the members."""
        return f"rillnet list {self.kind.rpartition(' ')[2]}s"

    def check(self, spec: TypedSpec, address: str, omit: tuple[str, ...] = ()) -> list[Fault]:
        """Every fault of a record: its type, its arguments' names and values.

        Args:
            spec: the record.
            address: where it stands, `data.source`.
            omit: leading arguments that the caller supplies and a document may not.
        """
        try:
            member = self.find(spec.type)
        except RequestError as error:
            return [Fault(f"{address}.type", fault.rule, fault.value, None, fault.hint) for fault in error.faults]
        return check_arguments(member, spec.arguments, address, omit)

    def build(self, spec: TypedSpec, /, *arguments: Any, **keywords: Any) -> T:
        """The object a (checked) record describes; further arguments go to its constructor."""
        return self.find(spec.type)(*arguments, **{**spec.arguments, **keywords})


_trusted: ContextVar[bool] = ContextVar("trusted", default=True)
_beside: ContextVar[Path | None] = ContextVar("beside", default=None)


@contextlib.contextmanager
def trusting(trust: bool, beside: Path | None = None) -> Iterator[None]:
    """Says whether import paths may be followed meanwhile: importing a module runs its code.

    Python code may follow them; a document may when its user says so.

    Args:
        trust: whether they may.
        beside: the directory that is searched first, that of the document.
    """
    before, place = _trusted.set(trust), _beside.set(beside)
    try:
        yield
    finally:
        _trusted.reset(before)
        _beside.reset(place)


def written_with_a_dot(name: str) -> str:
    """What to write instead of `mymodule.Gate`, or nothing where that is not what was meant.

    Example:
        >>> written_with_a_dot("mymodule.Gate")
        "a class of a module is written 'mymodule:Gate'"
    """
    module, dot, member = name.rpartition(".")
    is_path = dot and all(part.isidentifier() for part in name.split("."))
    return f"a class of a module is written '{module}:{member}'" if is_path else ""


def import_path(path: str) -> Any:
    """The object at `package.module:Name`.

    Raises:
        RequestError: there is no such module, it has no such name, or it is not trusted.
    """
    if not _trusted.get():
        raise RequestError(Fault("", UNTRUSTED, path))
    module_name, _, name = path.partition(":")
    folder = _beside.get()
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # to stay: processes that decode files import from there too
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]
        hint = f"searched first: {folder}; then PYTHONPATH" if folder is not None and is_absent else ""
        raise RequestError(Fault("", f"cannot import {module_name!r}: {error}", hint=hint)) from error
    if not hasattr(module, name):
        raise RequestError(Fault("", f"module {module_name!r} has no {name!r}", hint=suggest(name, vars(module))))
    return getattr(module, name)


_ELSEWHERE = {
    **{key: f"run.{key}" for key in ("epochs", "steps", "frames", "seed", "device", "execution", "precision")},
    **{key: f"data.{key}" for key in ("batch_size", "shuffle", "augment", "prepare", "workers", "validation")},
    **{key: f"optimizer.{key}" for key in ("lr", "momentum", "weight_decay", "betas")},
}
"""Keys that are looked for in the wrong section, and where they stand."""


def key_hint(name: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown key: a key of another section, the nearest one, or all.

    Example:
        >>> key_hint("epochs", ["loss", "optimizer"]), key_hint("learning_rate", ["lr"])
        ("'run.epochs' says that", "did you mean 'lr'?")
    """
    words = list(known)
    near, other = suggest(name, words), key_elsewhere(name)
    if other and (not other.startswith("optimizer.") or "optimizer" in words) and not near:
        return f"{other!r} says that"
    return near or f"known: {', '.join(words) or 'none'}"


def key_elsewhere(name: str) -> str:
    """The address of a key of another section that is called so, or nothing.

    Example:
        >>> key_elsewhere("epochs"), key_elsewhere("max_epochs"), key_elsewhere("zebra")
        ('run.epochs', 'run.epochs', '')
    """
    return next((_ELSEWHERE[one] for one in (name, *other_names(name)) if one in _ELSEWHERE), "")


def check_arguments(
    member: Callable[..., Any], arguments: Mapping[str, Any], address: str, omit: tuple[str, ...] = ()
) -> list[Fault]:
    """Every fault of a call by keywords: unknown, missing and wrong arguments, by the signature."""
    parameters = dict(signature_of(member))
    for name in omit:
        parameters.pop(name, None)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    faults = []
    for name, value in arguments.items():
        if name in named:
            rule = value_rule(named[name].annotation, value)
            if rule:
                faults.append(Fault(f"{address}.{name}", rule, value))
        elif not takes_any:
            faults.append(Fault(f"{address}.{name}", "unknown key", hint=key_hint(name, named)))
    for name, parameter in named.items():
        if parameter.default is parameter.empty and name not in arguments:
            faults.append(Fault(f"{address}.{name}", "is required"))
    return faults


@functools.lru_cache(maxsize=4096)
def signature_of(member: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a call, with annotations resolved where they can be."""
    try:
        signature = inspect.signature(member)
    except (TypeError, ValueError):
        return {"keywords": inspect.Parameter("keywords", inspect.Parameter.VAR_KEYWORD)}
    target = member.__init__ if inspect.isclass(member) else member
    parameters = signature.parameters.values()
    loose = all(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters)
    if loose and inspect.isfunction(target):  # a class without a constructor has object's, which is none
        for overload in typing.get_overloads(target)[:1]:  # nn.LSTM says there what it takes
            signature, target = inspect.signature(functools.partial(overload, None)), overload
    try:
        hints = typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = {}
    return {
        name: parameter.replace(annotation=hints.get(name, inspect.Parameter.empty))
        for name, parameter in signature.parameters.items()
    }


@functools.lru_cache(maxsize=4096)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


def value_rule(annotation: Any, value: Any) -> str:
    """The rule that a value breaks, or nothing.

    Example:
        >>> value_rule(int, "many")
        'must be a whole number'
    """
    if annotation is inspect.Parameter.empty:
        return ""
    try:
        adapter = _adapter(annotation)
    except Exception:  # an annotation that pydantic cannot read (a foreign class's) is not checked
        return ""
    try:
        _validate(adapter, value)
    except PydanticUserError:  # likewise where a name in it is not defined
        return ""
    except ValidationError as error:
        return " or ".join(dict.fromkeys(rule_of(dict(detail)) for detail in error.errors()))
    return ""


def _validate(adapter: TypeAdapter[Any], value: Any) -> None:
    """Checks what a document can say as JSON, strictly: there a list is a tuple, and "3" or `on` no number or flag."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # an object that only Python code can hand in
        adapter.validate_python(value)
    else:
        adapter.validate_json(text, strict=True)


_RULES: dict[str, str] = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "missing": "is required",
    "extra_forbidden": "unknown key",
    "literal_error": "must be {expected}",
    "none_required": "must be null",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}


def rule_of(detail: Mapping[str, Any]) -> str:
    """One detail of a pydantic error in this project's words."""
    template = _RULES.get(str(detail["type"]))
    if template:
        bounds = {name: f"{x:g}" if isinstance(x, float) else x for name, x in detail.get("ctx", {}).items()}
        return template.format(**bounds)
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
