"""A net with its nested nets dissolved: leaf blocks named by path, and the edges between them.

What runs a net, and what reasons about delays, needs to know which layer reads which layer, however
deep they are nested. Names of inner inputs are replaced by what the nested net reads, names of nested
nets by the inner block that they send on; the delays on the way add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import nn

from rillnet.errors import AddressError, Fault, RequestError, near_or_known, suggest
from rillnet.model.block import Block
from rillnet.model.garbage import collecting_later
from rillnet.model.graph import Edge
from rillnet.model.layers.merge import Merge
from rillnet.model.parameters import has_parameters
from rillnet.model.shapes import Output, Signature
from rillnet.model.structure import Structure
from rillnet.spec import SourceSpec

Place = tuple[int, ...]
"""Where a tensor stands in the nested tuple that a block sends; empty for a block that sends one tensor."""


@dataclass(frozen=True, slots=True)
class FlatSource:
    """What a leaf block reads.

    Args:
        block: the path of a leaf block, or an input of the net.
        place: which part of what that block sends; the whole if empty.
        delay: frames, as the net says; a rollout may say more.
    """

    block: str
    place: Place = ()
    delay: int = 0

    @property
    def name(self) -> str:
        """`lstm[1][0]`, without the delay."""
        return self.block + "".join(f"[{index}]" for index in self.place)


@dataclass(frozen=True, slots=True)
class FlatBlock:
    """A block that is no net itself.

    Args:
        name: its path, `res1/conv1`.
        sources: what it reads, in the order of its forward's arguments; those that can never be there are left out.
        is_complete: whether none was left out.
        exclude: the phases that it, or a net around it, is left out of.
        output: what it sends.
        ties: transposed parameters: own name, the other's path, the other's name.
        is_merge: whether it is content with those of its sources that are there.
        has_weights: whether it owns parameters, transposed ones of others included; a pool counts as having none, as
            its bias and gain ride along with its synapses.
        within: the nested nets around it, the outermost first.
        tags: words that it, or a net around it, can be told by; its own first.
    """

    name: str
    sources: tuple[FlatSource, ...]
    is_complete: bool
    exclude: frozenset[str]
    output: Output
    ties: tuple[tuple[str, str, str], ...]
    is_merge: bool
    has_weights: bool
    within: tuple[str, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlatNested:
    """A nested net as those around it see it.

    Args:
        sources: what it reads; without all of them none of its blocks is computed.
        is_complete: whether none of its sources can never be there.
        outputs: what it sends on.
        within: the nested nets around it, the outermost first.
    """

    sources: tuple[FlatSource, ...]
    is_complete: bool
    outputs: tuple[FlatSource, ...]
    within: tuple[str, ...]


@dataclass(frozen=True)
class FlatNet:
    """The leaf blocks of a net, and what they read.

    Args:
        net: the net; modules are looked up in it when they are asked for, so that replaced ones are seen.
        inputs: its inputs, by name.
        blocks: by path, in the order of the document.
        nested: the nets that were dissolved, by path.
    """

    net: Structure
    inputs: Mapping[str, Output]
    blocks: Mapping[str, FlatBlock] = field(default_factory=dict)
    nested: Mapping[str, FlatNested] = field(default_factory=dict)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, in the order of the blocks they end at; `output` is the first index of what is read."""
        return tuple(
            Edge(source.block, block.name, source.delay, source.place[0] if source.place else None, port)
            for block in self.blocks.values()
            for port, source in enumerate(block.sources)
        )

    def module(self, name: str) -> nn.Module:
        """The module of a leaf block, as it is now."""
        return self.net.get_submodule(name.replace("/", "."))

    def tagged(self, tag: str) -> list[str]:
        """The paths of the leaf blocks that have a tag, or stand in a net that has it.

        Raises:
            AddressError: there are none; names the nearest tag.
        """
        found = [name for name, block in self.blocks.items() if tag in block.tags]
        if not found:
            known = list(dict.fromkeys(one for block in self.blocks.values() for one in block.tags))
            hint = near_or_known(tag, known) if known else "no block has tags"
            raise AddressError(Fault(f"{self.net.address}/tag:{tag}", "no block has this tag", hint=hint))
        return found

    def sent_by(self, name: str) -> tuple[FlatSource, ...]:
        """What stands behind a name: an input or leaf block itself, or the outputs of a nested net.

        Raises:
            AddressError: there is no such block.
        """
        if name in self.nested:
            return self.nested[name].outputs
        if name not in self.blocks and name not in self.inputs:
            known = [*self.inputs, *self.blocks, *self.nested]
            raise AddressError(Fault(f"{self.net.address}/{name}", "unknown block", hint=suggest(name, known)))
        return (FlatSource(name),)


def flatten(net: Structure) -> FlatNet:
    """Dissolves the nested nets of a net.

    Args:
        net: a net whose blocks are all built.

    Raises:
        RequestError: some blocks are not built yet, as what they read is not known.

    Example:
        >>> import rillnet as rn
        >>> inner = {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 3}, "act": "Tanh"}}
        >>> blocks = {"res": inner, "sum": {"type": "Sum", "from": ["res", "x"]}}
        >>> net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks})
        >>> [edge.name for edge in flatten(net).edges]
        ['x->res/fc', 'res/fc->res/act', 'res/act->sum', 'x->sum']
    """
    flattening = _Flattening()
    with collecting_later():
        flattening.dissolve(net, "", {name: FlatSource(name) for name in net.inputs}, _Around())
    return FlatNet(net, dict(net.inputs), flattening.blocks, flattening.nested)


def outputs_of(output: Output, place: Place = ()) -> list[tuple[Place, Signature]]:
    """The single tensors of what a block sends, with their places."""
    if isinstance(output, tuple):
        return [found for index, item in enumerate(output) for found in outputs_of(item, (*place, index))]
    return [(place, output)]


def part(output: Any, place: Place) -> Any:
    """What stands at a place."""
    for index in place:
        output = output[index]
    return output


@dataclass(frozen=True, slots=True)
class _Around:
    """What the nets around a block say of it.

    Args:
        exclude: the phases that they are left out of.
        within: their paths, the outermost first.
        tags: of all of them.
    """

    exclude: frozenset[str] = frozenset()
    within: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def of(self, block: Block) -> _Around:
        """The same, with what a block says of itself."""
        tags = tuple(dict.fromkeys([*block.tags, *self.tags])) if block.tags else self.tags
        return _Around(self.exclude | block.exclude, self.within, tags)


class _Flattening:
    """The leaf blocks found so far."""

    def __init__(self) -> None:
        self.blocks: dict[str, FlatBlock] = {}
        self.nested: dict[str, FlatNested] = {}

    def dissolve(
        self,
        net: Structure,
        prefix: str,
        scope: Mapping[str, FlatSource],
        around: _Around,
    ) -> None:
        """Adds the blocks of a net.

        Args:
            net: the net.
            prefix: what its blocks' names begin with.
            scope: what stands behind the names of its inputs.
            around: what it and the nets around it say of its blocks.
        """
        for name, block in net.blocks.items():
            module = net._modules[name]
            if module is None or block.output is None:
                address = f"{net.address}/{name}"
                raise RequestError(Fault(address, "is not built: what it reads is not known yet"))
            found = [_resolve(net, prefix, source, scope) for source in block.sources]
            sources = tuple(source for source in found if source is not None)
            is_complete = len(sources) == len(block.sources)
            path, own = prefix + name, around.of(block)
            if isinstance(module, Structure):
                inner = {key: source for key, source in zip(module.inputs, found, strict=False) if source is not None}
                outputs = tuple(_sent(module, f"{path}/", source, inner) for source in _sends(module))
                self.nested[path] = FlatNested(sources, is_complete, outputs, own.within)
                self.dissolve(module, f"{path}/", inner, replace(own, within=(*own.within, path)))
            else:
                self.blocks[path] = _leaf(block, module, prefix, sources, is_complete, own)


def _leaf(
    block: Block,
    module: nn.Module,
    prefix: str,
    sources: tuple[FlatSource, ...],
    is_complete: bool,
    own: _Around,
) -> FlatBlock:
    ties = tuple((own, *_tied(prefix, tie.of)) for own, tie in block.ties.items())
    return FlatBlock(
        name=prefix + block.name,
        sources=sources,
        is_complete=is_complete,
        exclude=own.exclude,
        output=block.output if block.output is not None else (),
        ties=ties,
        is_merge=isinstance(module, Merge),
        has_weights=_has_weights(module, ties),
        within=own.within,
        tags=own.tags,
    )


def _has_weights(module: nn.Module, ties: Sequence[Any]) -> bool:
    if getattr(module, "rides_along", False):
        return False
    return bool(ties) or has_parameters(module)


def _tied(prefix: str, of: str) -> tuple[str, str]:
    block, _, parameter = of.rpartition(".")
    return prefix + block, parameter


def _sends(net: Structure) -> list[SourceSpec]:
    """What a nested net sends on: its outputs, or its last block."""
    return net.output_sources or [SourceSpec(block=next(reversed(net.blocks)))]


def _sent(net: Structure, prefix: str, source: SourceSpec, scope: Mapping[str, FlatSource]) -> FlatSource:
    found = _resolve(net, prefix, source, scope)
    assert found is not None  # a net sends on what its blocks send, never an input
    return found


def _resolve(net: Structure, prefix: str, source: SourceSpec, scope: Mapping[str, FlatSource]) -> FlatSource | None:
    """What stands behind a name in a net; None for an input that nothing was wired to."""
    if source.block in net.inputs:
        found = scope.get(source.block)
        if found is None:
            return None
        if source.output is None and not source.delay and isinstance(net.inputs[source.block], Signature):
            return found
        below = _place(net.inputs[source.block], source.output)
        return FlatSource(found.block, found.place + below, found.delay + source.delay)
    module, block = net._modules[source.block], net.blocks[source.block]
    if not isinstance(module, Structure):
        return FlatSource(prefix + source.block, _place(block.output, source.output), source.delay)
    sends = _sends(module)
    if len(sends) > 1 and isinstance(block.output, tuple):
        number = source.output or 0
        below = () if source.output is not None else _place(block.output[number], None)
    else:
        number, below = 0, _place(block.output, source.output)
    inside = {name: FlatSource(name) for name in module.inputs}  # an output is a block, so they are never followed
    found = _sent(module, f"{prefix}{source.block}/", sends[number], inside)
    return FlatSource(found.block, found.place + below, found.delay + source.delay)


def _place(output: Output | None, index: int | None) -> Place:
    """Where `rillnet.model.shapes.pick` finds an output."""
    if index is not None:
        return (index,) if isinstance(output, tuple) else ()
    place: Place = ()
    while isinstance(output, tuple):
        output, place = output[0], (*place, 0)
    return place
