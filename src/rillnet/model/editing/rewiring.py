"""Rewiring: blocks come and go, and blocks read something else than before. Every edit of edges and blocks is one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from torch import nn

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model import assembly
from rillnet.model.block import Block, parse_sources
from rillnet.model.editing.draft import draft_of, find_block, spec_of
from rillnet.model.editing.settling import Settled, order_faults, settle, sharing
from rillnet.model.frontends.faults import faults_of
from rillnet.model.layers.merge import Merge
from rillnet.model.net import Net
from rillnet.spec import BlockSpec, SourceSpec

Edit = dict[str, Any]
"""An edit as JSON has it; see `rillnet.model.editing.edits`."""


def connecting(net: Net, source: str, target: str, delay: int, port: int | None) -> Edit:
    """The edit that has a block read one more source, or another one in the place of one.

    Args:
        net: the net they stand in.
        source: what is read, `h` or `lstm[1]`.
        target: the block that reads.
        delay: frames.
        port: which of its sources is replaced, counted from 0; None adds one.

    Raises:
        RequestError: a name is unknown, or the block has no such source.
    """
    block = find_block(net, target)
    read = parse_sources(source, delay, f"{net.address}/{target}")
    sources = list(block.sources)
    if port is None:
        if read[0] in sources:
            rule = f"reads {read[0]} already; another delay makes it another edge"
            raise RequestError(Fault(f"{net.address}/{target}.from", rule))
        sources += read
    elif port < len(sources):
        sources[port : port + 1] = read
    else:
        rule = f"has {len(sources)} source{'' if len(sources) == 1 else 's'}, counted from 0"
        raise RequestError(Fault(f"{net.address}/{target}.from", rule, port))
    return _wire({}, [], {target: (block.sources, sources)})


def disconnecting(net: Net, source: str, target: str) -> Edit:
    """The edit that has a block read a source no more.

    Args:
        net: the net they stand in.
        source: what is read, `h`, `h@-1`; without a delay every edge from there is meant.
        target: the block that reads.

    Raises:
        RequestError: there is no such edge.
    """
    block = find_block(net, target)
    asked = parse_sources(source, 0, f"{net.address}/{target}")[0]
    kept = [one for one in block.sources if not _is_meant(one, asked)]
    if len(kept) == len(block.sources):
        read = [str(one) for one in block.sources]
        rule = f"does not read {asked}; it reads {', '.join(read) or 'nothing'}"
        raise RequestError(Fault(f"{net.address}/{target}.from", rule, hint=suggest(str(asked), read)))
    if not kept:
        rule = f"reads nothing but {asked}, so that the edge cannot be taken away alone"
        hint = f"remove {target}, or connect another block in its place with port=0"
        raise RequestError(Fault(f"{net.address}/{target}.from", rule, hint=hint))
    return _wire({}, [], {target: (block.sources, kept)})


def _is_meant(source: SourceSpec, asked: SourceSpec) -> bool:
    same = source.block == asked.block and asked.output in (None, source.output)
    return same and asked.delay in (0, source.delay)


def adding(net: Net, name: str, record: Mapping[str, Any]) -> Edit:
    """The edit that adds a block, with those that are written as its sources.

    Args:
        net: the net it is to stand in.
        name: of the block.
        record: as a document has it.

    Raises:
        RequestError: it has faults, or cannot work on what it reads.
    """
    address = f"{net.address}/{name}"
    if not isinstance(record, Mapping) or ("type" not in record and "blocks" not in record):
        hint = "as in {type: Linear, from: h, out_features: 8}"
        raise RequestError(Fault(address, "must be a block's record", record, hint=hint))
    given = dict(record)
    source = given.pop("from", None)
    if source is None:
        raise RequestError(Fault(f"{address}.from", "must say what it reads", hint="as in {type: ReLU, from: h}"))
    try:
        spec = BlockSpec.model_validate(given)
    except ValidationError as error:
        raise RequestError(faults_of(error, BlockSpec, given, ("net", "blocks", name))) from error
    draft = draft_of(net)
    draft.add(name, spec, source)
    if draft.pending:
        rule = "reads what is not known yet; give it a shape: [...]"
        raise RequestError(Fault(f"{address}.from", rule))
    added = [key for key in draft.blocks if key not in net.blocks]
    return _wire({key: (position, _record_of(draft, key)) for position, key in _placed(draft, added)}, [], {})


def removing(net: Net, name: str) -> Edit:
    """The edit that takes a block away.

    What adds up or lays side by side reads it no more; any other block that reads it reads in its place what it read.

    Args:
        net: the net it stands in.
        name: of the block.

    Raises:
        RequestError: there is no such block, or others cannot do without it.
    """
    block, address = find_block(net, name), f"{net.address}/{name}"
    if sharing := _shared_with(net, name):
        rule = f"has a parameter that {sharing} shares"
        raise RequestError(Fault(address, rule, hint=f"remove {sharing} first"))
    if any(source.block == name for source in net.output_sources):
        raise RequestError(Fault(address, "is what its net sends on"))
    before = [source for source in block.sources if source.block != name]
    sources = {}
    for reader, other in net.blocks.items():
        if reader == name or all(source.block != name for source in other.sources):
            continue
        kept = [source for source in other.sources if source.block != name]
        if isinstance(net._modules[reader], Merge) and kept:
            sources[reader] = (other.sources, kept)
        elif len(before) == 1:
            instead = [_beyond(source, name, before[0]) for source in other.sources]
            sources[reader] = (other.sources, instead)
        else:
            rule = f"is read by {reader}, which cannot read {len(before)} others in its place"
            raise RequestError(Fault(address, rule, hint=f"connect another block to {reader} first, with port=..."))
    return _wire({}, [name], sources)


def _beyond(source: SourceSpec, name: str, before: SourceSpec) -> SourceSpec:
    """What is read in the place of a block that is taken away: what it read, as much later."""
    if source.block != name:
        return source
    return before.model_copy(update={"delay": before.delay + source.delay})


def _shared_with(net: Net, name: str) -> str:
    """A later block that shares a parameter of this one, or has it turned."""
    later = list(net.blocks)[list(net.blocks).index(name) + 1 :]
    return next((other for other in sharing(net).get(name, ()) if other in later or net.blocks[other].ties), "")


def rewired(net: Net, edit: Edit, modules: Mapping[str, nn.Module]) -> tuple[Net, Settled, Edit]:
    """A draft of a net after an edit.

    Args:
        net: the net; it is not changed.
        edit: what is changed.
        modules: of blocks that come back, as they were; those that have no record must be here.

    Returns:
        The draft, what became of its blocks, and the edit that takes it back.

    Raises:
        RequestError: the net would not be valid.
    """
    draft = draft_of(net)
    back = _back(net, edit)
    _check_expected(net, edit)
    for name in edit["take"]:
        find_block(draft, name)
        del draft.blocks[name]
        draft._modules.pop(name)
    for name, (position, record) in sorted(edit["put"].items(), key=lambda one: one[1][0]):
        _put(draft, name, position, record, modules)
    for name, (_, after) in edit["sources"].items():
        find_block(draft, name).sources = [SourceSpec.parse(text) for text in after]
    faults = _unknown(draft) or order_faults(draft) or assembly.resolve(draft, partial=False)
    if faults:
        raise RequestError(faults)
    for name in edit["put"]:
        if name in modules:  # what it shares without turning it is in its module still
            spec = draft.blocks[name].spec
            draft.blocks[name].ties = {own: tie for own, tie in spec.share.items() if tie.transpose} if spec else {}
    settled = settle(net, draft, edit["sources"], {})
    return draft, settled, back


def _put(draft: Net, name: str, position: int, record: Mapping[str, Any], modules: Mapping[str, nn.Module]) -> None:
    address = f"{draft.address}/{name}"
    if name in draft.blocks or name in draft.inputs:
        raise RequestError(Fault(address, "the name is taken; names are unique in a net"))
    if is_live(record) and name not in modules:
        raise RequestError(Fault(address, "was made in Python, and only the program that made it has it"))
    spec = None if is_live(record) else BlockSpec.model_validate(record)
    sources = parse_sources(record["from"], 0, address)
    exclude, tags = frozenset(record.get("exclude", ())), tuple(record.get("tags", ()))
    ties = dict(spec.share) if spec is not None and name not in modules else {}
    own = spec.model_copy(update={"sources": None}) if spec is not None else None
    assembly.declare(draft, Block(name, sources, exclude, own, None, ties, tags), modules.get(name))
    order = [key for key in draft.blocks if key != name]
    order.insert(position, name)
    draft.blocks = {key: draft.blocks[key] for key in order}


def _check_expected(net: Net, edit: Edit) -> None:
    """Whether the blocks read what they read when the edit was made."""
    faults = []
    for name, (before, _) in edit["sources"].items():
        read = [str(source) for source in find_block(net, name).sources]
        if read != list(before):
            rule = f"reads {', '.join(read)} now, and read {', '.join(before)} then; undo what came between first"
            faults.append(Fault(f"{net.address}/{name}.from", rule))
    if faults:
        raise RequestError(faults)


def _unknown(draft: Net) -> list[Fault]:
    known = ChainMap[str, Any](draft.inputs, draft.blocks)
    return [
        Fault(f"{draft.address}/{name}.from", "unknown source", source.block, hint=suggest(source.block, known))
        for name, block in draft.blocks.items()
        for source in block.sources
        if source.block not in known
    ]


def _back(net: Net, edit: Edit) -> Edit:
    """The edit that takes an edit back."""
    put = {}
    for position, name in _placed(net, edit["take"]):
        put[name] = [position, _record_of(net, name)]
    sources = {name: [after, before] for name, (before, after) in edit["sources"].items()}
    return {"edit": "wire", "put": put, "take": list(edit["put"]), "sources": sources}


def _placed(net: Net, names: Sequence[str]) -> list[tuple[int, str]]:
    return [(position, name) for position, name in enumerate(net.blocks) if name in names]


def is_live(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a module that does not show its arguments, so that it only says what that reads."""
    return "type" not in record


def _record_of(net: Net, name: str) -> dict[str, Any]:
    """The record of a block as JSON has it; of a module that has none, what it reads."""
    spec, block = spec_of(net, name), net.blocks[name]
    live = {"from": [str(source) for source in block.sources], "exclude": sorted(block.exclude)}
    live |= {"tags": list(block.tags)} if block.tags else {}
    if spec is None:
        return live
    spec = spec.model_copy(update={"share": {**(block.spec.share if block.spec is not None else {}), **block.ties}})
    try:
        return {**spec.model_dump(mode="json", by_alias=True), "from": live["from"]}
    except ValueError:  # pydantic's, of what JSON has no word for
        return live


def _wire(
    put: Mapping[str, tuple[int, Any]],
    take: Sequence[str],
    sources: Mapping[str, tuple[Sequence[SourceSpec], Sequence[SourceSpec]]],
) -> Edit:
    texts = {name: [[str(s) for s in before], [str(s) for s in after]] for name, (before, after) in sources.items()}
    return {"edit": "wire", "put": {n: list(one) for n, one in put.items()}, "take": list(take), "sources": texts}
