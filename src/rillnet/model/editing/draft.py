"""Drafts: a net as it would be after an edit. It shares the modules that stay, and the net itself is not touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.block import Block
from rillnet.model.net import Net
from rillnet.model.records import record_of
from rillnet.spec import BlockSpec, SourceSpec


def draft_of(net: Net) -> Net:
    """A net of the same blocks and modules, of which blocks and edges can be changed freely.

    Args:
        net: the net; it is not changed.
    """
    first = next(net.parameters(), None)
    device = net.device if first is None else first.device
    draft = type(net)(net.name, seed=net.seed, device=device, trust=net.trust)
    draft.address, draft.seed_given = net.address, net.seed_given
    draft.inputs = dict(net.inputs)
    draft.inferred, draft.twins = net.inferred, net.twins
    put(draft, Parts.of(net))
    draft.training, draft._phase = net.training, net._phase
    return draft


@dataclass(frozen=True, slots=True)
class Parts:
    """What an edit changes of a net.

    Args:
        blocks: what is known of each block.
        modules: by block.
        outputs: what a nested net sends on.
        edits: what has been changed since the net was made.
    """

    blocks: Mapping[str, Block]
    modules: Mapping[str, nn.Module | None]
    outputs: tuple[SourceSpec, ...]
    edits: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, net: Net) -> Parts:
        """Those of a net, as they are now."""
        blocks = {
            name: replace(block, sources=list(block.sources), ties=dict(block.ties))
            for name, block in net.blocks.items()
        }
        return cls(blocks, dict(net._modules), tuple(net.output_sources), tuple(net.edits))


def put(net: Net, parts: Parts) -> None:
    """Gives a net other parts, in place."""
    net.blocks = {name: replace(b, sources=list(b.sources), ties=dict(b.ties)) for name, b in parts.blocks.items()}
    net._modules.clear()
    net._modules.update(parts.modules)
    net.output_sources = list(parts.outputs)
    net.edits = [dict(edit) for edit in parts.edits]
    net.pending.clear()
    net.untied.clear()
    net.revision += 1
    net.forget_plans()


def find_block(net: Net, name: str) -> Block:
    """A block of a net.

    Args:
        net: the net.
        name: of the block.

    Raises:
        RequestError: there is none; names the nearest.
    """
    if name not in net.blocks:
        rule = "is an input of the net, not a block" if name in net.inputs else "unknown block"
        hint = "" if name in net.inputs else suggest(name, net.blocks)
        raise RequestError(Fault(f"{net.address}/{name}", rule, hint=hint))
    return net.blocks[name]


def spec_of(net: Net, name: str) -> BlockSpec | None:
    """The record that builds a block, with what it reads now; None for a module that does not show its arguments."""
    block, module = net.blocks[name], net._modules[name]
    spec = block.spec
    if spec is None and module is not None:
        try:
            spec = record_of(module)
        except RequestError:  # a nested net in which a module does not show its arguments
            return None
    if spec is None:
        return None
    update = {"sources": list(block.sources), "exclude": sorted(block.exclude), "tags": list(block.tags)}
    return spec.model_copy(update=update)
