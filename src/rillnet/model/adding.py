"""Adding to a net from Python, block by block and edge by edge: each call is done whole, or not at all."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model import assembly, records
from rillnet.model.block import Block, parse_sources
from rillnet.model.graph import ZeroDelayCycleError
from rillnet.model.structure import Structure
from rillnet.spec import NAME, PHASES, BlockSpec, ShareSpec, SourceSpec
from rillnet.wiring import throughs, unfold


@dataclass(frozen=True, slots=True)
class Asked:
    """A block as it is asked for; see `rillnet.model.net.Net.add`.

    Args:
        name: of the block.
        block: a module, or a description.
        source: what it reads, one source or several; None is what its description says, or the block before it.
        delay: frames, for the sources that name none of their own.
        exclude: the phases it is left out of, besides those of its description.
        share: its parameters that are other blocks', besides those of its description.
        tags: words that it can be told by, besides those of its description.
    """

    name: str
    block: nn.Module | BlockSpec
    source: Any = None
    delay: int = 0
    exclude: frozenset[str] = frozenset()
    share: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def spec(self) -> BlockSpec | None:
        """Its description, if it is no module."""
        return self.block if isinstance(self.block, BlockSpec) else None

    @property
    def listed(self) -> list[Any]:
        """Its sources, also where one stands without a list around it."""
        return list(self.source) if isinstance(self.source, list | tuple) else [self.source]

    def with_description(self) -> Asked:
        """The same, with what its description says besides said here."""
        if self.spec is None:
            return self
        return replace(
            self,
            source=self.spec.sources if self.source is None else self.source,
            exclude=self.exclude.union(self.spec.exclude),
            tags=tuple(dict.fromkeys([*self.spec.tags, *self.tags])),
        )


def add(net: Structure, asked: Asked) -> None:
    """Adds a block, and builds it when the shapes of what it reads are known.

    Args:
        net: the net; as it was if the block cannot be added.
        asked: the block.

    Raises:
        RequestError: the name is taken, a source is unknown, or the block cannot read it.
    """
    check_name(net, asked.name, "a block")
    address = f"{net.address}/{asked.name}"
    if not isinstance(asked.block, nn.Module | BlockSpec):
        rule = "must be a module, or a description such as rn.Linear(out_features=10)"
        raise RequestError(Fault(address, rule, asked.block))
    asked = asked.with_description()
    if asked.source is None:
        asked = replace(asked, source=_before(net, address))
    if any(isinstance(item, Mapping) for item in asked.listed):
        _add_with_throughs(net, asked)
        return
    own = _declared(net, asked, address)
    assembly.declare(net, own, None if isinstance(asked.block, BlockSpec) else asked.block)
    try:
        reads_itself = any(source.block == own.name and not source.delay for source in own.sources)
        _raise((_cycle_faults(net) if reads_itself else []) or assembly.resolve_added(net, own.name))
    except RequestError:
        _forget(net, own.name)
        raise


def _declared(net: Structure, asked: Asked, address: str) -> Block:
    """What the net will know of the block.

    Raises:
        RequestError: holds every fault found in what is said of it.
    """
    sources = parse_sources(asked.source, asked.delay, address)
    place = ("net", "blocks", asked.name, "share")
    ties = {own: records.read(ShareSpec, of, (*place, own)) for own, of in asked.share.items()}
    if asked.spec is not None:
        ties |= asked.spec.share
    phases = [Fault(f"{address}.exclude", "must be train, val or test", x) for x in asked.exclude if x not in PHASES]
    _raise([*_unknown_sources(net, asked.name, sources), *phases])
    return Block(asked.name, sources, asked.exclude, asked.spec, None, ties, asked.tags)


def _add_with_throughs(net: Structure, asked: Asked) -> None:
    """Adds the blocks that are written as sources of a block, and the block, or none of them."""
    name, spec, address = asked.name, asked.spec, f"{net.address}/{asked.name}"
    arguments = vars(asked.block) if spec is None else spec.arguments
    shape = arguments.get("shape") or (None if spec is None else spec.shape)
    reader = {"from": asked.listed, "shape": shape, "exclude": sorted(asked.exclude)}
    through = throughs({name: reader}, ChainMap[str, Any](net.inputs, net.blocks))
    reads = unfold({name: reader}, through)[name]["from"]
    try:
        for key, one in through.items():
            add(net, Asked(key, records.read(BlockSpec, one.block, ("net", "blocks", key)), delay=asked.delay))
        sources: list[SourceSpec] = []
        for position, item in enumerate(reads):
            place = ("net", "blocks", name, "from", position)
            source = records.read(SourceSpec, item, place) if isinstance(item, Mapping) else item
            is_own = isinstance(source, str) and source in through  # which has the delay already
            sources += parse_sources(source, 0 if is_own else asked.delay, address)
        add(net, replace(asked, source=sources, delay=0))
    except RequestError:
        for key in [*through, name]:
            _forget(net, key)
        raise


def _forget(net: Structure, name: str) -> None:
    """Takes a block away that nothing reads yet."""
    net.blocks.pop(name, None)
    net._modules.pop(name, None)
    net.pending.pop(name, None)
    net.untied[:] = [tie for tie in net.untied if tie[0] != name]
    assembly.wait_anew(net)
    net.forget_plans()


def connect(net: Structure, a: str, b: str, delay: int) -> None:
    """Wires a block to a further input of another; see `rillnet.model.net.Net.connect`.

    Args:
        net: the net; as it was if the edge cannot be added.
        a: the block that is read.
        b: the block that reads.
        delay: frames.

    Raises:
        RequestError: a name is unknown, the edge closes a cycle without delay, or b cannot read it.
    """
    if b not in net.blocks:
        raise RequestError(Fault(f"{net.address}/{b}", "unknown block", hint=suggest(b, net.blocks)))
    block = net.blocks[b]
    before = list(block.sources)
    block.sources = [*before, *parse_sources(a, delay, f"{net.address}/{b}")]
    net.forget_plans()
    try:
        now = [source.block for source in block.sources[len(before) :] if not source.delay]
        _raise(_unknown_sources(net, b, block.sources) or (_cycle_faults(net) if net.needs(now, b) else []))
        _raise(assembly.recheck(net, b))
    except RequestError:
        block.sources = before
        net.pending.pop(b, None)
        assembly.wait_anew(net)
        net.forget_plans()
        raise


def check_name(net: Structure, name: str, what: str) -> None:
    """Looks whether something new of a net may have a name.

    Raises:
        RequestError: it is no name, or is taken.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RequestError(Fault(f"{net.address}/{name}", f"a name of {what} must be letters, digits and _ only"))
    if name in net.blocks or name in net.inputs:
        raise RequestError(Fault(f"{net.address}/{name}", "the name is taken; names are unique in a net"))


def _before(net: Structure, address: str) -> str:
    """What a block reads that does not say what: the block before it, or the first input."""
    if net.blocks:
        return next(reversed(net.blocks))
    if not net.inputs:
        raise RequestError(Fault(address, assembly.NOTHING_BEFORE))
    return next(iter(net.inputs))


def _unknown_sources(net: Structure, name: str, sources: Iterable[SourceSpec]) -> list[Fault]:
    known = ChainMap[str, Any]({name: None}, net.inputs, net.blocks)
    return [
        Fault(f"{net.address}/{name}.from", "unknown source", source.block, hint=suggest(source.block, known))
        for source in sources
        if not source.delay and source.block not in known
    ]


def _cycle_faults(net: Structure) -> list[Fault]:
    try:
        net.order()
    except ZeroDelayCycleError as error:
        return [assembly.cycle_fault(net, error)]
    return []


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise RequestError(faults)
