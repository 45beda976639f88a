"""Targets: what an intervention acts on, found in a net by its text.

`hidden1` is a block (or an input), `res1/conv1` one in a nested net, `lstm[0]` the first of what a block sends,
`hidden1[3]` a unit or channel, `hidden1[:, 4:10]` a region, `image->hidden1` an edge. `*` stands for any part of a
name, `**` for any path; `tag:v1` means every block that has this tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rillnet.errors import AddressError, Fault, RequestError, known_words, suggest
from rillnet.model.flat import FlatNet, FlatSource, outputs_of, part
from rillnet.model.layers.synapse import Synapse
from rillnet.model.shapes import Output, Signature
from rillnet.runtime.control.globs import TAG, compiled, is_glob
from rillnet.runtime.interventions.regions import (
    Indices,
    check_indices,
    decoded,
    mask_of,
    read_indices,
    write_indices,
)

_TEXT = re.compile(r"(?P<name>[^\[\]]+)(?P<groups>(\s*\[[^\[\]]*\])*)\s*")
_GROUP = re.compile(r"\[([^\[\]]*)\]")
_PORT = re.compile(r"(?P<name>.*)#(?P<port>\d{1,9})")


@dataclass(frozen=True, eq=False)
class Units:
    """Some or all units of one tensor that a block sends, or that is an input.

    Args:
        source: the block, and which of the tensors it sends.
        signature: what that is for one example.
        indices: the units that are meant; none for all.
        mask: the units that are meant, as truth values of one example; None for all.
        text: how it is written.
    """

    source: FlatSource
    signature: Signature
    indices: Indices
    mask: Tensor | None
    text: str

    @property
    def address(self) -> str:
        """In messages."""
        return f"net/{self.source.name}"


@dataclass(frozen=True)
class Port:
    """An edge, as what its reader sees of it.

    Args:
        reader: the block that reads.
        port: which of the things that it reads.
        source: what is read.
        text: how it is written.
    """

    reader: str
    port: int
    source: FlatSource
    text: str


Target = Units | Port


def find_targets(flat: FlatNet, text: str, mask: Any = None) -> list[Target]:
    """What a text names in a net.

    Args:
        flat: the net.
        text: see above.
        mask: units that were drawn, as `regions.encoded` gives them.

    Raises:
        AddressError: there is no such block or edge; names the nearest.
        RequestError: a region is not within what the block sends.
    """
    if "->" in text:
        if mask is not None:
            raise RequestError(Fault(f"net/{text}", "is an edge, and a mask is for the units of a block"))
        return list(find_ports(flat, text))
    return list(find_units(flat, text, mask))


def find_units(flat: FlatNet, text: str, mask: Any = None) -> list[Units]:
    """The tensors, or parts of them, that a text names; see `find_targets`."""
    told = _TEXT.fullmatch(text.strip())
    if told is None:
        hint = "as in hidden1, hidden1[3] or hidden1[:, 4:10]"
        raise RequestError(Fault(f"net/{text}", "is no block with a region", hint=hint))
    name, groups = told["name"].strip().removeprefix("net/"), _GROUP.findall(told["groups"])
    names = [name]
    if name.startswith(TAG):
        names = flat.tagged(name.removeprefix(TAG))
    elif is_glob(name):
        matches = compiled(name).fullmatch
        names = [known for known in (*flat.inputs, *flat.blocks) if matches(known)]
        if not names:
            raise AddressError(Fault(f"net/{name}", "matches no block"))
    return [units for one in names for units in _units_of(flat, one, groups, mask)]


def _units_of(flat: FlatNet, name: str, groups: Sequence[str], mask: Any) -> list[Units]:
    sources = flat.sent_by(name)
    node: Any = sources if len(sources) > 1 else sources[0]
    address, left = f"net/{name}", list(groups)
    while left and _is_several(flat, node):
        indices = read_indices(left[0], address)
        count = len(node) if isinstance(node, tuple) else len(_nested(flat, node))
        if len(indices) != 1 or not isinstance(indices[0], int) or not 0 <= indices[0] < count:
            rule = f"sends {count} tensors, {name}[0] to {name}[{count - 1}]"
            raise RequestError(Fault(address, rule, f"[{left[0]}]"))
        at = indices[0]
        node = node[at] if isinstance(node, tuple) else FlatSource(node.block, (*node.place, at))
        left = left[1:]
    if (left or mask is not None) and _is_several(flat, node):
        raise RequestError(Fault(address, "sends several tensors; name one of them", hint=f"as in {name}[0]"))
    if len(left) > 1:
        raise RequestError(Fault(address, "a region stands in one pair of brackets", "".join(f"[{g}]" for g in left)))
    nodes = node if isinstance(node, tuple) else (node,)
    tensors = [
        (FlatSource(one.block, place), signature)
        for one in nodes
        for place, signature in outputs_of(_nested(flat, one), one.place)
    ]
    return [_region(source, signature, left, mask) for source, signature in tensors]


def _nested(flat: FlatNet, source: FlatSource) -> Any:
    """What a source sends for one example: a signature, or a tuple of such."""
    whole: Output = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output
    return part(whole, source.place)


def _is_several(flat: FlatNet, node: Any) -> bool:
    return isinstance(node, tuple) or isinstance(_nested(flat, node), tuple)


def _region(source: FlatSource, signature: Signature, groups: Sequence[str], mask: Any) -> Units:
    address = f"net/{source.name}"
    if mask is not None:
        if groups:
            raise RequestError(Fault(address, "takes a region or a mask, not both"))
        drawn = decoded(mask, signature.shape, address)
        return units_with(source, signature, drawn)
    if not groups:
        return Units(source, signature, (), None, source.name)
    indices = read_indices(groups[0], address)
    check_indices(indices, signature.shape, address)
    return Units(source, signature, indices, mask_of(indices, signature.shape), source.name + write_indices(indices))


def units_with(source: FlatSource, signature: Signature, mask: Tensor) -> Units:
    """The units of a mask."""
    return Units(source, signature, (), mask, f"{source.name} ({int(mask.sum())} of {mask.numel()} units)")


def find_ports(flat: FlatNet, text: str) -> list[Port]:
    """The edges that a text names: `image->hidden1`, `lstm[0]->logits`, `x->sum#1` for one of several.

    An edge to a pool that reads through a synapse of its own is the edge to that synapse.
    """
    before, _, after = (word.strip().removeprefix("net/") for word in text.partition("->"))
    told = _PORT.fullmatch(after)
    reader, number = (told["name"], int(told["port"])) if told else (after, None)
    found = [port for port in _ports_to(flat, reader) if _is_from(flat, port, before)]
    if not found and not is_glob(reader):
        through = [port.source.block for port in _ports_to(flat, reader)]
        synapses = [name for name in through if name in flat.blocks and isinstance(flat.module(name), Synapse)]
        found = [p for name in synapses for p in _ports_to(flat, name) if _is_from(flat, p, before)]
    if number is not None:
        found = [port for port in found if port.port == number]
    if not found:
        raise AddressError(_no_edge(flat, text, before, reader))
    return found


def _ports_to(flat: FlatNet, reader: str) -> list[Port]:
    """The edges that end at a block, in a nested net, or at all blocks that a pattern matches."""
    if reader in flat.blocks:
        names: Iterable[str] = [reader]
    elif reader in flat.nested:
        names = [name for name in flat.blocks if name.startswith(f"{reader}/")]
    elif is_glob(reader):
        names = filter(compiled(reader).fullmatch, flat.blocks)
    else:
        known = [*flat.blocks, *flat.nested]
        raise AddressError(Fault(f"net/{reader}", "unknown block", hint=suggest(reader, known)))
    found = [_port(flat, name, number) for name in names for number in range(len(flat.blocks[name].sources))]
    inside = f"{reader}/" if reader in flat.nested else None
    return [port for port in found if inside is None or not port.source.block.startswith(inside)]


def _port(flat: FlatNet, reader: str, number: int) -> Port:
    sources = flat.blocks[reader].sources
    own = FlatSource(sources[number].block, sources[number].place)
    same = sum((source.block, source.place) == (own.block, own.place) for source in sources)
    return Port(reader, number, own, f"{own.name}->{reader}" + (f"#{number}" if same > 1 else ""))


def _is_from(flat: FlatNet, port: Port, before: str) -> bool:
    source = port.source
    if is_glob(before):
        matches = compiled(before).fullmatch
        return bool(matches(source.block) or matches(source.name))
    if before in flat.nested:
        sent = [(one.block, one.place) for one in flat.nested[before].outputs]
        return (source.block, source.place) in sent
    return before in (source.block, source.name)


def _no_edge(flat: FlatNet, text: str, before: str, reader: str) -> Fault:
    address = f"net/{before}->{reader}"
    known = [*flat.inputs, *flat.blocks, *flat.nested]
    name = before.partition("[")[0]
    if name not in known and not is_glob(name):
        return Fault(f"net/{name}", "unknown block", hint=suggest(name, known))
    if is_glob(reader):
        return Fault(address, "matches no edge")
    read = [port.text for port in _ports_to(flat, reader)]
    return Fault(address, "no such edge", hint=suggest(text, read) or known_words(read))
