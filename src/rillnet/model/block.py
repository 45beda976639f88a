"""A named node of a net: what it reads, when it is left out, and what it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from rillnet.errors import Fault, RequestError
from rillnet.model.graph import Edge
from rillnet.model.layers.merge import Merge
from rillnet.model.layers.recurrence import sent_in_cycle
from rillnet.model.shapes import Output, Signature
from rillnet.spec import PHASES, BlockSpec, ShareSpec, SourceSpec


@dataclass(slots=True)
class Block:
    """What a net knows of one of its blocks besides the module itself, which `net[name]` returns.

    Args:
        name: unique in its net.
        sources: what it reads, in the order of its forward's arguments.
        exclude: the phases it is left out of.
        spec: the record it is built from; None for a module that was handed in.
        output: what it sends; None until its sources are known.
        ties: its parameters that are other blocks' transposed ones.
        tags: words that it can be told by among others.
    """

    name: str
    sources: list[SourceSpec]
    exclude: frozenset[str] = frozenset()
    spec: BlockSpec | None = None
    output: Output | None = None
    ties: dict[str, ShareSpec] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def edges(self) -> list[Edge]:
        """The edges that end here."""
        return [
            Edge(source.block, self.name, source.delay, source.output, port) for port, source in enumerate(self.sources)
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """One block's turn within a frame.

    Args:
        name: the block.
        sources: what it reads: block, output and delay.
        ties: parameters to set before the call: own name, the other's block, the other's name.
    """

    name: str
    sources: tuple[tuple[str, int | None, int], ...]
    ties: tuple[tuple[str, str, str], ...] = ()


def parse_sources(source: str | SourceSpec | Sequence[str | SourceSpec], delay: int, address: str) -> list[SourceSpec]:
    """The records of what a block reads.

    Args:
        source: one name or several, `h`, `lstm[1]`, `h@-1`.
        delay: frames for those that name none.
        address: for messages.

    Raises:
        RequestError: a name has another form.
    """
    listed = [source] if isinstance(source, str | SourceSpec) else list(source)
    found = []
    for item in listed:
        try:
            parsed = SourceSpec.parse(item) if isinstance(item, str) else item
        except ValueError as error:
            raise RequestError(Fault(f"{address}.from", str(error), item)) from error
        found.append(parsed.model_copy(update={"delay": delay}) if delay and not parsed.delay else parsed)
    return found


def steps_of(blocks: Sequence[Block], modules: dict[str, nn.Module | None], phase: str, ready: set[str]) -> list[Step]:
    """The turns of one frame in one phase, leaving out what cannot be computed from `ready`.

    A block is left out when its phase is excluded or when it reads, in this frame, something that is
    neither ready nor computed. A merge reads those of its sources that are there.

    Args:
        blocks: in frame order.
        modules: by block name.
        phase: train, val or test.
        ready: names whose values are given.
    """
    steps = []
    there = set(ready)
    computed_later = {block.name for block in blocks}
    for block in blocks:
        if block.name in ready or phase in block.exclude:
            continue
        present = [s for s in block.sources if s.block in there or (s.delay and s.block in computed_later)]
        merges = isinstance(modules.get(block.name), Merge)
        if len(present) < len(block.sources) and not (merges and present):
            continue
        read = tuple((source.block, source.output, source.delay) for source in present)
        steps.append(Step(block.name, read, tuple(_tie(own, tie) for own, tie in block.ties.items())))
        there.add(block.name)
    return steps


def _tie(own: str, tie: ShareSpec) -> tuple[str, str, str]:
    block, _, parameter = tie.of.rpartition(".")
    return own, block, parameter


def check_phases(address: str, blocks: Sequence[Block], modules: dict[str, nn.Module | None]) -> list[Fault]:
    """A block must be left out of every phase in which something it cannot do without is left out.

    Args:
        address: of the net.
        blocks: all of its blocks.
        modules: by block name.
    """
    faults = []
    by_name = {block.name: block for block in blocks}
    for phase in PHASES:
        for block in blocks:
            if phase in block.exclude or isinstance(modules.get(block.name), Merge):
                continue
            for source in block.sources:
                read = by_name.get(source.block)
                if read is not None and phase in read.exclude:
                    rule = f"reads {source.block!r}, which is excluded from {phase}; exclude it from {phase} as well"
                    faults.append(Fault(f"{address}/{block.name}.exclude", rule))
    return faults


def provisional_output(
    spec: BlockSpec | None, kind: Any, arguments: Mapping[str, Any], known: Sequence[Output]
) -> Output | None:
    """What a block in a cycle sends, told before all it reads is known: by declaration, or by its class.

    Args:
        spec: the record it is built from, if any.
        kind: its class, as far as it is known.
        arguments: of its constructor.
        known: what those of its sources send that are known already.
    """
    if spec is not None and spec.shape is not None:
        return Signature(tuple(spec.shape))
    return sent_in_cycle(kind, arguments, known)
