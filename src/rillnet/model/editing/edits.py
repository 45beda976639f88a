"""Edits: what is changed of a net, as JSON has it, so that it can be kept with a run and done again.

`{"edit": "wire", "put": {name: [position, record]}, "take": [name], "sources": {name: [before, after]}}` changes edges
and blocks, `{"edit": "widen", "block": name, "from": 8, "size": 12}` a layer's width; with `"in": "res1"` in a nested
net. Each says what it expects to find, and is refused where that is not there any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.editing.draft import Parts, draft_of, put
from rillnet.model.editing.growth import Resize
from rillnet.model.editing.rewiring import Edit, adding, connecting, disconnecting, is_live, removing, rewired
from rillnet.model.editing.settling import Grown
from rillnet.model.editing.widening import widened, widening
from rillnet.model.net import Net


@dataclass
class Edited:
    """A net after an edit.

    Args:
        net: a draft; the net itself is not touched.
        edit: what was changed.
        back: the edit that takes it back.
        resized: the parameters and buffers that have another shape, by address.
        outputs: how the outputs of blocks grew, by the block's path.
    """

    net: Net
    edit: Edit
    back: Edit
    resized: dict[str, Resize] = field(default_factory=dict)
    outputs: dict[str, Grown] = field(default_factory=dict)


def connect(net: Net, source: str, target: str, delay: int = 0, port: int | None = None) -> Edit:
    """The edit that has a block read another.

    Args:
        net: the net.
        source: what is read, `h`, `lstm[1]`, `res1/conv1`.
        target: the block that reads, of the same net.
        delay: frames.
        port: which of its sources is replaced, counted from 0; None adds one.

    Raises:
        RequestError: a name is unknown.
    """
    inside, inner, target, source = _edge(net, source, target)
    return _inside(inside, connecting(inner, source, target, delay, port))


def disconnect(net: Net, source: str, target: str) -> Edit:
    """The edit that has a block read another no more.

    Args:
        net: the net.
        source: what is read.
        target: the block that reads.

    Raises:
        RequestError: there is no such edge, or no other into the block.
    """
    inside, inner, target, source = _edge(net, source, target)
    return _inside(inside, disconnecting(inner, source, target))


def add(net: Net, path: str, record: Mapping[str, Any]) -> Edit:
    """The edit that adds a block.

    Args:
        net: the net.
        path: what it is to be called; `res1/extra` in a nested net.
        record: as a document has it.

    Raises:
        RequestError: it has faults, or cannot work on what it reads.
    """
    inside, inner, name = _block(net, path)
    return _inside(inside, adding(inner, name, record))


def remove(net: Net, path: str) -> Edit:
    """The edit that takes a block away; see `rillnet.model.editing.rewiring.removing`.

    Args:
        net: the net.
        path: which.

    Raises:
        RequestError: there is no such block, or others cannot do without it.
    """
    inside, inner, name = _block(net, path)
    return _inside(inside, removing(inner, name))


def widen(net: Net, path: str, size: int) -> Edit:
    """The edit that gives a layer more units.

    Args:
        net: the net.
        path: of the layer.
        size: how many units it is to have.

    Raises:
        RequestError: it is no layer with a width of its own, or has as many already.
    """
    inside, inner, name = _block(net, path)
    return _inside(inside, widening(inner, name, size))


def edited(net: Net, edit: Edit, modules: Mapping[str, nn.Module] | None = None) -> Edited:
    """A net after an edit.

    Args:
        net: the net; it is not changed.
        edit: what is changed.
        modules: by path, those of blocks that come back.

    Returns:
        The draft, valid as far as the net alone can tell; `take_over` gives it to the net.

    Raises:
        RequestError: the net would not be valid.
    """
    found = _edited(net, edit, modules or {})
    found.net.edits = [*net.edits, dict(edit)]
    return found


def _edited(net: Net, edit: Edit, modules: Mapping[str, nn.Module]) -> Edited:
    inside = edit.get("in", "")
    if inside:
        found = _edited_inside(net, edit, inside, modules)
    else:
        own = {path: module for path, module in modules.items() if "/" not in path}
        draft, settled, back = widened(net, edit) if edit["edit"] == "widen" else rewired(net, edit, own)
        found = Edited(draft, edit, back, settled.resized, settled.outputs)
    _match_precision(net, found.net)
    return found


def _edited_inside(net: Net, edit: Edit, inside: str, modules: Mapping[str, nn.Module]) -> Edited:
    """The same, in a nested net, which must send on what it sent."""
    head, _, rest = inside.partition("/")
    nested = _nested(net, head)
    own = {path.removeprefix(f"{head}/"): one for path, one in modules.items() if path.startswith(f"{head}/")}
    found = _edited(nested, {**edit, "in": rest}, own)
    sent, before = _sent(found.net), _sent(nested)
    if sent != before:
        rule = f"would send {sent} instead of {before}, which is what the blocks behind it were built for"
        raise RequestError(Fault(f"{net.address}/{head}", rule))
    draft = draft_of(net)
    draft._modules[head] = found.net
    draft.blocks[head].spec = None  # what it is made of is told by the nested net itself from now on
    outputs = {f"{head}/{name}": grown for name, grown in found.outputs.items()}
    return Edited(draft, edit, {**found.back, "in": inside}, found.resized, outputs)


def take_over(net: Net, found: Edited) -> Parts:
    """Gives a net what an edit made of it.

    Args:
        net: the net; changed in place, so that all that hold it see the edit.
        found: what `edited` gave for it.

    Returns:
        What the net was before, for `put`.
    """
    before = Parts.of(net)
    put(net, Parts.of(found.net))
    return before


def apply_all(net: Net, edits: Iterable[Edit], modules: Mapping[str, nn.Module] | None = None) -> Net:
    """Edits a net, in place, in the order of the edits.

    Args:
        net: the net.
        edits: what is changed.
        modules: by path, those of blocks that come back and have no record.

    Raises:
        RequestError: an edit does not fit the net.
    """
    for edit in edits:
        inside = f"{edit['in']}/" if edit.get("in") else ""
        without = [inside + name for name, (_, record) in edit.get("put", {}).items() if is_live(record)]
        take_over(net, edited(net, edit, {path: modules[path] for path in without if modules and path in modules}))
    return net


def restore(net: Net, beginning: Parts, edits: Iterable[Edit]) -> None:
    """Gives a net the structure that it has after some edits; the numbers of what is made anew are those of a new net.

    Args:
        net: the net, changed in place.
        beginning: what it was when it was made.
        edits: since then.

    Raises:
        RequestError: an edit does not fit the net, which is then as it was.
    """
    now = Parts.of(net)
    put(net, beginning)
    try:
        apply_all(net, edits, {name: one for name, one in beginning.modules.items() if one is not None})
    except BaseException:  # Ctrl-C too: the net of a run is never left half changed
        put(net, now)
        raise


def _match_precision(net: Net, draft: Net) -> None:
    """New parameters are of the precision of those that were there."""
    first = next((parameter for parameter in net.parameters() if parameter.is_floating_point()), None)
    known = {id(module) for module in net.modules()}
    if first is None or first.dtype != torch.float64:
        return
    for module in draft._modules.values():
        if module is not None and id(module) not in known and not isinstance(module, Net):
            module.double()


def _sent(net: Net) -> Any:
    return net.sent({name: block.output for name, block in net.blocks.items()})


def _inside(inside: str, edit: Edit) -> Edit:
    return {**edit, "in": inside} if inside else edit


def _nested(net: Net, name: str) -> Net:
    nested = net._modules.get(name)
    if isinstance(nested, Net):
        return nested
    nets = [key for key, module in net._modules.items() if isinstance(module, Net)]
    rule = "is no net, and holds no blocks" if name in net.blocks else "unknown block"
    raise RequestError(Fault(f"{net.address}/{name}", rule, hint=suggest(name, nets)))


def _block(net: Net, path: str) -> tuple[str, Net, str]:
    """Which nested net a path leads into, that net, and the block's name there."""
    inside, _, name = path.removeprefix("net/").rpartition("/")
    inner = net
    for part in filter(None, inside.split("/")):
        inner = _nested(inner, part)
    return inside, inner, name


def _edge(net: Net, source: str, target: str) -> tuple[str, Net, str, str]:
    inside, inner, name = _block(net, target)
    place, _, read = source.removeprefix("net/").rpartition("/")
    if place != inside:
        rule = "an edge joins two blocks of one net"
        hint = f"{inside or 'the net itself'} has {name}, {place or 'the net itself'} has {read}"
        raise RequestError(Fault(f"{source}->{target}", rule, hint=hint))
    return inside, inner, name, read
