"""Numbers and words that blocks and data were made with, to be changed while a net runs: `net/drop/p`, `data/noise`."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, RequestError
from rillnet.model.block import Block
from rillnet.model.building import infer_output
from rillnet.model.net import Net
from rillnet.model.records import record_of
from rillnet.model.registry import check_block, construct
from rillnet.model.shapes import Output, pick
from rillnet.model.structure import Structure
from rillnet.registry import signature_of, value_rule
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.places import Place, Undo, is_number
from rillnet.spec import BlockSpec

_MACHINERY = frozenset(vars(nn.Module()))


@functools.lru_cache(maxsize=1024)
def setting_names(kind: Callable[..., nn.Module]) -> tuple[str, ...]:
    """The arguments of a block's class that are numbers with fractions, which therefore shape nothing.

    Args:
        kind: the class.

    Example:
        >>> setting_names(nn.Dropout), setting_names(nn.Linear)
        (('p',), ())
    """
    return tuple(
        name
        for name, parameter in signature_of(kind).items()
        if parameter.annotation is not parameter.empty
        and not value_rule(parameter.annotation, 0.5)
        and value_rule(parameter.annotation, "a word")
    )


@functools.lru_cache(maxsize=1024)
def word_names(kind: Callable[..., nn.Module]) -> tuple[str, ...]:
    """The arguments of a block's class that are one of a few words.

    Args:
        kind: the class.

    Example:
        >>> word_names(nn.Conv2d)
        ('padding_mode',)
    """
    return tuple(name for name, parameter in signature_of(kind).items() if _is_word(parameter.annotation))


def _is_word(annotation: Any) -> bool:
    choices = typing.get_args(annotation) if typing.get_origin(annotation) is Literal else ()
    return bool(choices) and all(isinstance(choice, str) for choice in choices)


def settings_of(module: nn.Module) -> Iterator[str]:
    """The settings of a block that another value never makes another block, by name.

    Args:
        module: the block.
    """
    kind = cast(Callable[..., nn.Module], type(module))
    for name in setting_names(kind):
        value = getattr(module, name, None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name
    for name in word_names(kind):
        if isinstance(getattr(module, name, None), str):
            yield name


def is_argument(module: nn.Module, name: str) -> bool:
    """Whether a block was made with an argument of this name that it keeps as a number, numbers or a word.

    Some of these can be set, as what they change is neither the shape of a parameter nor of what is sent.

    Args:
        module: the block.
        name: of the argument.

    Example:
        >>> is_argument(nn.GroupNorm(2, 4), "num_groups"), is_argument(nn.GroupNorm(2, 4), "weight")
        (True, False)
    """
    known = signature_of(cast(Callable[..., nn.Module], type(module)))
    return name in known and _is_plain(getattr(module, name, None))


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(isinstance(one, int) for one in value)
    return isinstance(value, bool | int | float | str)


class SettingPlace(Place):
    """A number or a word that a block was made with.

    Args:
        session: whose.
        address: where, `net/drop/p`.
        block: the path of the block.
        name: of the number.
    """

    kind = "setting"

    def __init__(self, session: Controlled, address: str, block: str, name: str) -> None:
        super().__init__(address)
        self._session, self._block, self._name = session, block, name

    @property
    def _module(self) -> nn.Module:
        return self._session.rollout.flat.module(self._block)

    def read(self) -> Any:
        """It."""
        found = getattr(self._module, self._name)
        return list(found) if isinstance(found, tuple) else found

    def check(self, value: Any) -> None:
        """Looks whether a block can be made with it that is otherwise the same."""
        now = self.read()
        if isinstance(now, int | float) and not isinstance(now, bool) and not is_number(value):
            raise RequestError(Fault(self.address, "must be a number", value))
        if value is None or isinstance(value, dict) or isinstance(value, list) > isinstance(now, list):
            raise RequestError(Fault(self.address, f"must be {_kind_of(now)}", value))
        self._changed(value)

    def write(self, value: Any) -> Undo:
        """Sets it; programs are made anew, as they may hold the number that was."""
        before = self.read()
        net, block = self._found()
        spec, changes = self._changed(value)
        for module, attributes in changes:
            for name, attribute in attributes.items():
                setattr(module, name, attribute)
        if net.blocks[block].spec is not None:
            net.blocks[block].spec = spec
        net.forget_plans()
        self._session.executor.forget_programs()
        self._session.control.settings.note(self.address, before, value)
        return self.back_to(before)

    def _found(self) -> tuple[Net, str]:
        """The net in which the block stands, and its name there."""
        above, _, name = self._block.rpartition("/")
        net = self._session.net.get_submodule(above.replace("/", ".")) if above else self._session.net
        assert isinstance(net, Net)
        return net, name

    def _changed(self, value: Any) -> tuple[BlockSpec, list[tuple[nn.Module, dict[str, Any]]]]:
        """The record with another number, and which attributes of which modules that changes."""
        net, name = self._found()
        module, block = self._module, net.blocks[name]
        spec = block.spec or record_of(module)
        if spec is None:
            raise RequestError(Fault(self.address, "cannot be set, as the block does not show its arguments"))
        # an edit that is taken back brings an earlier record back, of a module that is as it is now
        spec = spec.model_copy(update={"arguments": {**spec.arguments, self._name: self.read()}})
        wanted = spec.model_copy(update={"arguments": {**spec.arguments, self._name: value}})
        faults = check_block(wanted, f"net/{self._block}", trust=net.trust)
        if faults:
            raise RequestError([Fault(self.address, fault.rule, value, hint=fault.hint) for fault in faults])
        read = [pick(_output(net, source.block), source.output) for source in block.sources]
        try:
            now, then = (_described(one, read, net.trust) for one in (spec, wanted))
        except Exception as error:  # whatever a constructor raises on a number that it does not accept
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RequestError(Fault(self.address, f"is not accepted by {spec.type}: {reason}", value)) from error
        found = _differences(module, now, then, self._refusal("makes another block", value))
        if self._name not in setting_names(cast(Callable[..., nn.Module], type(module))):
            self._check_sent(then, block, read, value)
        return wanted, found

    def _check_sent(self, then: nn.Module, block: Block, read: list[Any], value: Any) -> None:
        """Looks whether the block would send what those who read it were built for, in every process."""
        named = [(source.block, output) for source, output in zip(block.sources, read, strict=True)]
        try:
            sent = infer_output(then, f"net/{self._block}", type(then).__name__, named)
        except RequestError as error:
            raise self._refusal("cannot work on what it reads then", value) from error
        if sent != block.output:
            raise self._refusal(f"would send {sent} instead of {block.output}", value)
        placement = self._session.placement
        assigned = None if placement is None else placement.plan.blocks.get(self._block)
        if assigned is not None and (assigned.kind not in ("batch", "none") or assigned.shard != "none"):
            raise self._refusal("is divided over processes by what it is now", value)

    def _refusal(self, reason: str, value: Any) -> RequestError:
        """That it cannot be set, why, and what can be."""
        can = [name for name in settings_of(self._module) if name != self._name]
        told = f"of this block {', '.join(can)} can be set" if can else "remove and add put another block in its place"
        return RequestError(Fault(self.address, f"cannot be set while it runs, as it {reason}", value, hint=told))


def _output(net: Structure, name: str) -> Output:
    output = net.inputs.get(name) or net.blocks[name].output
    assert output is not None
    return output


def _described(spec: BlockSpec, read: list[Any], trust: bool) -> nn.Module:
    with torch.device("meta"):
        return construct(spec, read, trust=trust)


def _kind_of(value: Any) -> str:
    if isinstance(value, list):
        return "a number, or a list of them"
    return "true or false" if isinstance(value, bool) else "a word" if isinstance(value, str) else "a number"


def _differences(
    module: nn.Module, now: nn.Module, then: nn.Module, refusal: RequestError
) -> list[tuple[nn.Module, dict[str, Any]]]:
    """Which attributes of a module, and of modules in it, are others in a block made with another number."""
    trees = [list(one.named_modules()) for one in (module, now, then)]
    kinds = [[(name, type(one)) for name, one in tree] for tree in trees]
    shapes = [
        [(name, tuple(t.shape)) for name, t in (*one.named_parameters(), *one.named_buffers())] for one in (now, then)
    ]
    if kinds[1] != kinds[2] or kinds[0] != kinds[1] or shapes[0] != shapes[1]:
        raise refusal
    found = []
    for (_, own), (_, one), (_, other) in zip(*trees, strict=True):
        changed = {
            name: attribute
            for name, attribute in vars(other).items()
            if name not in _MACHINERY and not _is_same(vars(one).get(name), attribute)
        }
        if changed:
            found.append((own, changed))
    return found


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return True
    try:
        return bool(one == other)
    except Exception:  # whatever foreign values raise that cannot be compared
        return False


class DataPlace(Place):
    """A number of the source that can be changed while it shows its streams.

    Args:
        session: whose.
        address: where, `data/noise`.
        name: of the number.
    """

    kind = "data"

    def __init__(self, session: Controlled, address: str, name: str) -> None:
        super().__init__(address)
        self._session, self._name = session, name

    def read(self) -> Any:
        """The number."""
        assert self._session.data is not None
        return self._session.data.settings()[self._name]

    def check(self, value: Any) -> None:
        """Looks whether the source takes it."""
        assert self._session.data is not None
        self._session.data.check_setting(self._name, value)

    def write(self, value: Any) -> Undo:
        """Sets it, from the next frame on."""
        assert self._session.data is not None
        before = self.read()
        self._session.data.change(self._name, value)
        self._session.control.settings.note(self.address, before, value)
        return self.back_to(before)


class Settings:
    """Which settings were changed, so that checkpoints hold them and going back puts them back.

    Args:
        place: what stands at an address.
    """

    def __init__(self, place: Callable[[str], Place]) -> None:
        self._place = place
        self._first: dict[str, Any] = {}
        self._newest: dict[str, Any] = {}

    def note(self, address: str, before: Any, value: Any) -> None:
        """Notes that a setting is changed.

        Args:
            address: of it.
            before: what it was.
            value: what it is now.
        """
        self._first.setdefault(address, before)
        self._newest[address] = value

    def renew(self, rules: Mapping[str, Any]) -> None:
        """Sets what was changed of learning rules also of those that are made anew.

        Args:
            rules: by name.
        """
        for address, value in self._newest.items():
            head, name, setting = (*address.split("/", 2), "", "")[:3]
            if head == "learning" and name in rules:
                rules[name].set_setting(setting, value)

    def state(self) -> dict[str, Any]:
        """Those that are not what they were first, by address."""
        now = {address: place.read() for address, place in self._there(self._first)}
        return {address: value for address, value in now.items() if value != self._first[address]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what was kept, and all others to what they were first.

        Args:
            state: what `state` gave.
        """
        wanted = {**self._first, **state}
        for address, place in self._there(wanted):
            if place.read() != wanted[address]:
                place.write(wanted[address])

    def _there(self, addresses: Iterable[str]) -> Iterator[tuple[str, Place]]:
        """What stands at those of the addresses that are there; blocks may have been removed."""
        for address in addresses:
            try:
                place = self._place(address)
            except AddressError:
                continue
            yield address, place
