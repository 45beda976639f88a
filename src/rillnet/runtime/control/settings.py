"""Numbers that blocks and data were made with and that can be changed while a net runs: `net/drop/p`, `data/noise`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, RequestError
from rillnet.model.net import Net, record_of
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


def settings_of(module: nn.Module) -> Iterator[str]:
    """The settings of a block, by name.

    Args:
        module: the block.
    """
    for name in setting_names(cast(Callable[..., nn.Module], type(module))):
        value = getattr(module, name, None)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name


class SettingPlace(Place):
    """A number that a block was made with.

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
        """The number."""
        return getattr(self._module, self._name)

    def check(self, value: Any) -> None:
        """Looks whether a block can be made with it that is otherwise the same."""
        if not is_number(value):
            raise RequestError(Fault(self.address, "must be a number", value))
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
        self._session.control.settings.note(self.address, before)
        return lambda: self._put_back(before)

    def _put_back(self, before: Any) -> None:
        self.write(before)

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
            raise RequestError([Fault(self.address, fault.rule, value) for fault in faults])
        read = [pick(_output(net, source.block), source.output) for source in block.sources]
        try:
            now, then = (_described(one, read, net.trust) for one in (spec, wanted))
        except Exception as error:  # whatever a constructor raises on a number that it does not accept
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise RequestError(Fault(self.address, f"is not accepted by {spec.type}: {reason}", value)) from error
        return wanted, _differences(module, now, then, self.address, value)


def _output(net: Structure, name: str) -> Output:
    output = net.inputs.get(name) or net.blocks[name].output
    assert output is not None
    return output


def _described(spec: BlockSpec, read: list[Any], trust: bool) -> nn.Module:
    with torch.device("meta"):
        return construct(spec, read, trust=trust)


def _differences(
    module: nn.Module, now: nn.Module, then: nn.Module, address: str, value: Any
) -> list[tuple[nn.Module, dict[str, Any]]]:
    """Which attributes of a module, and of modules in it, are others in a block made with another number."""
    trees = [list(one.named_modules()) for one in (module, now, then)]
    kinds = [[(name, type(one)) for name, one in tree] for tree in trees]
    shapes = [[(name, tuple(t.shape)) for name, t in one.named_parameters()] for one in (now, then)]
    if kinds[1] != kinds[2] or kinds[0] != kinds[1] or shapes[0] != shapes[1]:
        raise RequestError(Fault(address, "cannot be set while it runs, as it makes another block", value))
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
        self._session.control.settings.note(self.address, before)
        return lambda: self._put_back(before)

    def _put_back(self, before: Any) -> None:
        self.write(before)


class Settings:
    """Which settings were changed, so that checkpoints hold them and going back puts them back.

    Args:
        place: what stands at an address.
    """

    def __init__(self, place: Callable[[str], Place]) -> None:
        self._place = place
        self._first: dict[str, Any] = {}

    def note(self, address: str, before: Any) -> None:
        """Notes that a setting is changed.

        Args:
            address: of it.
            before: what it was.
        """
        self._first.setdefault(address, before)

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
