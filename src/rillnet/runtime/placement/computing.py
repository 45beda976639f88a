"""How a process computes its part of a block: the class for each rule of partition."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box, Span
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.local import (
    Groups,
    Local,
    LocalAdapted,
    LocalConvLSTM,
    LocalCut,
    LocalDropout,
    LocalGroups,
    LocalNormalized,
    LocalUnits,
)
from rillnet.runtime.placement.local_sequences import LocalSequence
from rillnet.runtime.placement.local_statistics import LocalBatchNorm, LocalClasses, LocalCount
from rillnet.runtime.placement.local_windows import LocalAdaptive, LocalRepeated, LocalTransposed, LocalWindow
from rillnet.runtime.placement.own_statistics import LocalPartNorm
from rillnet.runtime.placement.partition import Along, Grouped, Neighbouring, Normalized, Partition
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.sequences import Sequential
from rillnet.runtime.placement.sliding import Adaptive, Repeated, Transposed, Windowed
from rillnet.runtime.placement.units import ConvolvedRecurrent, Factored, Recurrent, Summing

_BY_RULE: list[tuple[type[Partition], type[Local]]] = [
    (Normalized, LocalNormalized),
    (Along, LocalCut),
    (Neighbouring, LocalCut),
    (Grouped, LocalGroups),
    (ConvolvedRecurrent, LocalConvLSTM),
    (Recurrent, LocalUnits),
    (Summing, LocalAdapted),
    (Factored, LocalAdapted),
]
_OF_ROWS: list[tuple[type[Partition], type[Local]]] = [
    (Transposed, LocalTransposed),
    (Windowed, LocalWindow),
    (Adaptive, LocalAdaptive),
    (Repeated, LocalRepeated),
]


def local_of(plan: PlacementPlan, name: str, rank: int, groups: Groups) -> Local | None:
    """The work of a process on a block; None where it has none.

    Args:
        plan: who computes what.
        name: the block.
        rank: the process.
        groups: makes process groups; called alike in all processes.
    """
    assigned, module = plan.blocks[name], plan.flat.module(name)
    boxes = [plan.work(name, r, plan.mesh.processes) for r in plan.ranks]
    own = boxes[rank]
    if assigned.is_split and isinstance(assigned.rule, Counted):
        return _counting(plan, name, rank, groups, boxes)
    if assigned.is_split and isinstance(module, _BatchNorm):
        everyone = [(r, box) for r, box in enumerate(boxes) if box is not None]
        teams = {box[1]: [r for r, other in everyone if other[1] == box[1]] for _, box in everyone}
        by_channel = {span: groups(ranks) for span, ranks in teams.items()}
        norm = LocalPartNorm if assigned.statistics == "local" else LocalBatchNorm
        return None if own is None else norm(module, assigned, own, by_channel[own[1]], plan, name, rank)
    if assigned.kind == "feature" and isinstance(assigned.rule, Sequential):
        by_examples = _teams(groups, boxes)
        return None if own is None else LocalSequence(module, assigned, own, by_examples[own[0]])
    in_parts = name in plan.micro_batches.blocks
    return None if own is None else _kind_of(module, assigned, in_parts=in_parts)(module, assigned, own)


def _counting(plan: PlacementPlan, name: str, rank: int, groups: Groups, boxes: list[Box | None]) -> Local | None:
    assigned, module, own = plan.blocks[name], plan.flat.module(name), boxes[rank]
    everyone = [(r, box) for r, box in enumerate(boxes) if box is not None]
    of_all = groups([r for r, _ in everyone])
    copies = plan.copies(name, [r for r, _ in everyone])
    if assigned.kind != "feature" or not getattr(assigned.rule, "has_classes", False):
        return None if own is None else LocalCount(module, assigned, own, of_all, copies)
    by_examples = _teams(groups, boxes)
    if own is None:
        return None
    shares = len({box for _, box in everyone if box[0] == own[0]})
    return LocalClasses(module, assigned, own, of_all, copies * shares, by_examples[own[0]])


def _teams(groups: Groups, boxes: list[Box | None]) -> dict[Span, Any]:
    """The groups of processes that compute the same examples, by these."""
    everyone = [(r, box) for r, box in enumerate(boxes) if box is not None]
    teams = {box[0]: [r for r, other in everyone if other[0] == box[0]] for _, box in everyone}
    return {span: groups(ranks) for span, ranks in teams.items()}


def _kind_of(module: nn.Module, assigned: Assigned, *, in_parts: bool) -> type[Local]:
    rule = assigned.rule
    if isinstance(module, _DropoutNd) and (in_parts or assigned.is_split):
        return LocalDropout
    if not assigned.is_split:
        return Local
    if assigned.kind == "batch":
        return Local
    if isinstance(module, _ConvNd) and module.groups > 1 and assigned.kind == "feature":
        return LocalAdapted
    table = _BY_RULE + _OF_ROWS if assigned.kind == "space" else _BY_RULE
    return next((found for kind, found in table if isinstance(rule, kind)), Local)
