"""Widening: a layer gets more units, and what reads it reads them too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.model.editing.draft import draft_of, find_block, spec_of
from rillnet.model.editing.settling import Settled, settle
from rillnet.model.layers.pool import Pool
from rillnet.model.net import Net
from rillnet.model.registry import find_block_type
from rillnet.model.shapes import Signature, pick
from rillnet.registry import signature_of
from rillnet.spec import BlockSpec

WIDTHS = ("out_features", "out_channels", "hidden_size", "hidden_channels", "embedding_dim", "shape")
"""What a layer's number of units is called, in the order in which it is looked for."""


def widening(net: Net, name: str, size: int) -> dict[str, Any]:
    """The edit that gives a layer more units.

    Args:
        net: the net it stands in.
        name: of the block.
        size: how many units, or features of a map, it is to have.

    Raises:
        RequestError: it is no layer with a width of its own, or has as many already.
    """
    find_block(net, name)
    width = _width(net, name)
    if size <= width:
        raise RequestError(Fault(f"{net.address}/{name}", f"must have more than the {width} units it has", size))
    return {"edit": "widen", "block": name, "from": width, "size": size}


def widened(net: Net, edit: Mapping[str, Any]) -> tuple[Net, Settled, dict[str, Any]]:
    """A draft of a net in which a layer has another width.

    Args:
        net: the net; it is not changed.
        edit: what is changed.

    Returns:
        The draft, what became of its blocks, and the edit that takes it back.

    Raises:
        RequestError: the net would not be valid.
    """
    draft = draft_of(net)
    name, before, size = edit["block"], edit["from"], edit["size"]
    find_block(draft, name)
    width = _width(draft, name)
    if width != before:
        rule = f"has {width} units now, and had {before} then; undo what came between first"
        raise RequestError(Fault(f"{net.address}/{name}", rule))
    asked = {name: _of_width(draft, name, size)}
    if isinstance(draft._modules[name], Pool):
        asked = _with_synapses(draft, name, before, size) | asked
    settled = settle(net, draft, (), asked)
    return draft, settled, {"edit": "widen", "block": name, "from": size, "size": before}


def _with_synapses(draft: Net, name: str, before: int, size: int) -> dict[str, BlockSpec]:
    """What a pool reads has as many features as the pool itself."""
    found = {}
    for source in draft.blocks[name].sources:
        if source.block in draft.inputs or source.block == name:
            continue
        sent = pick(draft.blocks[source.block].output, source.output)
        if not isinstance(sent, Signature) or not sent.shape or sent.shape[0] != before:
            continue
        readers = [
            reader for reader, block in draft.blocks.items() if any(s.block == source.block for s in block.sources)
        ]
        if readers != [name]:
            rule = f"reads {source.block}, which would have to grow with it, and which others read too"
            raise RequestError(Fault(f"{draft.address}/{name}", rule))
        found[source.block] = _of_width(draft, source.block, size)
    return found


def _argument(net: Net, name: str) -> tuple[BlockSpec, str]:
    """The record of a layer, and what its width is called there."""
    address, module = f"{net.address}/{name}", net._modules[name]
    spec = spec_of(net, name)
    kind = type(module).__name__
    if spec is None:
        rule = "does not show its arguments, so that it cannot be made anew"
        raise RequestError(Fault(address, rule, kind))
    known = {} if spec.type == "Net" or spec.repeat else signature_of(find_block_type(spec.type, trust=net.trust))
    found = next((argument for argument in WIDTHS if argument in known), None)
    if found is None:
        rule = "has no width of its own: what it sends is as wide as what it reads"
        raise RequestError(Fault(address, rule, kind, hint=_before(net, name)))
    if getattr(module, "bidirectional", False) or getattr(module, "proj_size", 0):
        raise RequestError(Fault(address, "cannot be widened in both directions, or with a projection", kind))
    if getattr(module, "groups", 1) != 1:
        raise RequestError(Fault(address, "cannot be widened, as its channels are in groups", kind))
    return spec, found


def _before(net: Net, name: str) -> str:
    """The nearest block before one that has a width."""
    seen, waiting = {name}, [source.block for source in net.blocks[name].sources]
    while waiting:
        one = waiting.pop(0)
        if one in seen or one not in net.blocks:
            continue
        seen.add(one)
        spec = net.blocks[one].spec or spec_of(net, one)
        if spec is not None and any(argument in spec.arguments for argument in WIDTHS):
            return f"widen {one}"
        waiting += [source.block for source in net.blocks[one].sources]
    return ""


def _width(net: Net, name: str) -> int:
    spec, argument = _argument(net, name)
    if argument != "shape":
        return int(spec.arguments[argument])
    sent = pick(net.blocks[name].output, None)
    assert isinstance(sent, Signature)
    if not sent.shape:
        raise RequestError(Fault(f"{net.address}/{name}", "sends one number, and has no units to add to"))
    return sent.shape[0]


def _of_width(net: Net, name: str, size: int) -> BlockSpec:
    """The record of a layer with another width."""
    spec, argument = _argument(net, name)
    if argument != "shape":
        arguments = {**spec.arguments, argument: size}
        shape = spec.shape if spec.shape is None or len(spec.shape) != 1 else (size,)
        return _freed(spec.model_copy(update={"arguments": arguments, "shape": shape}))
    sent = pick(net.blocks[name].output, None)
    shape = (size, *sent.shape[1:])
    if "shape" in spec.arguments:
        return _freed(spec.model_copy(update={"arguments": {**spec.arguments, "shape": list(shape)}}))
    return _freed(spec.model_copy(update={"shape": shape}))


def _freed(spec: BlockSpec) -> BlockSpec:
    """A record without the sizes that follow from what the block reads."""
    from_sources = ("in_channels", "in_features", "input_size", "num_channels", "source_shapes")
    kept = {key: value for key, value in spec.arguments.items() if key not in from_sources}
    return spec.model_copy(update={"arguments": kept})
