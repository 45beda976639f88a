"""Work: the arithmetic, memory traffic and sums that a process has with its part of a block."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from rillnet.model.flat import FlatSource, outputs_of
from rillnet.model.rollout import Rollout
from rillnet.model.summary import multiply_adds
from rillnet.runtime.placement.boxes import Box, numel, sizes
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.sequences import Sequential
from rillnet.runtime.placement.sums import LARGEST

FORWARD, BACKWARD = 0, 1


class Counts:
    """Multiply-adds of the blocks of a net for one example; each kind of block is counted once.

    Args:
        rollout: the net.
    """

    def __init__(self, rollout: Rollout) -> None:
        self.flat = rollout.flat
        self._by_kind: dict[Hashable, int] = {}
        self._by_name: dict[str, int] = {}

    def of(self, plan: PlacementPlan, name: str) -> int:
        """Multiply-adds of one example; 0 where they cannot be counted."""
        if name not in self._by_name:
            module = self.flat.module(name)
            reads = [plan.signature(source) for source in plan.rollout.sources(name)]
            key = (type(module), repr(module), *reads)
            if key not in self._by_kind:
                self._by_kind[key] = multiply_adds(module, reads) or 0
            self._by_name[name] = self._by_kind[key]
        return self._by_name[name]


@dataclass(frozen=True)
class Share:
    """A process' part of a block.

    Args:
        multiply_adds: of the forward pass.
        read: bytes of what it reads.
        sent: bytes of what it computes.
        parameters: bytes of the parameters that learn.
        buffers: bytes of those that do not, and of buffers.
        learns_inputs: whether gradients of what it reads are computed.
    """

    multiply_adds: float = 0.0
    read: int = 0
    sent: int = 0
    parameters: int = 0
    buffers: int = 0
    learns_inputs: bool = True


def share_of(plan: PlacementPlan, counts: Counts, name: str, rank: int, batch: int) -> Share | None:
    """What a process has to do with a block; None for nothing.

    Args:
        plan: who computes what.
        counts: of the net.
        name: the block.
        rank: the process.
        batch: examples.
    """
    box = plan.work(name, rank, batch)
    if box is None:
        return None
    part = float(box[0][1] - box[0][0])
    for split, _ in plan.blocks[name].cuts:
        if split.dim:
            last = plan.work(name, plan.ranks[-1], batch)
            assert last is not None
            part *= (box[split.dim][1] - box[split.dim][0]) / last[split.dim][1]
    sources = plan.rollout.sources(name)
    read = 0
    for port, source in enumerate(sources):
        for leaf, (_, signature) in enumerate(plan.leaves(source)):
            needed = plan.needed(name, port, rank, batch, leaf)
            read += 0 if needed is None else numel(needed) * signature.dtype.itemsize
    learns = any(s.block not in plan.flat.inputs and plan.signature(s).dtype.is_floating_point for s in sources)
    parameters, buffers = parameter_bytes(plan, name, rank)
    return Share(counts.of(plan, name) * part, read, sent_bytes(plan, name, rank, batch), parameters, buffers, learns)


def sent_bytes(plan: PlacementPlan, name: str, rank: int, batch: int) -> int:
    """Bytes of what a process has of all that a block sends."""
    total = 0
    for place, signature in outputs_of(plan.flat.blocks[name].output):
        held = plan.held(FlatSource(name, place), rank, batch)
        total += 0 if held is None else numel(held) * signature.dtype.itemsize
    return total


def parameter_bytes(plan: PlacementPlan, name: str, rank: int) -> tuple[int, int]:
    """Bytes of a process' parameters of a block: those that learn, and the others with the buffers."""
    module = plan.flat.module(name)
    if not module._parameters and not module._buffers and not module._modules:
        return 0, 0
    own = {path: p for path, p in module.named_parameters() if _is_counted(plan, name, p)}
    learning = {path: p for path, p in own.items() if p.requires_grad}
    others = dict(module.named_buffers()) | {path: p for path, p in own.items() if path not in learning}
    parts = plan.parameters(name, rank)

    def added(tensors: Mapping[str, Tensor]) -> int:
        sizes = (sum(numel(box) for box in parts.get(path, ())) * t.element_size() for path, t in tensors.items())
        return sum(sizes)

    return added(learning), added(others)


def _is_counted(plan: PlacementPlan, name: str, parameter: Tensor) -> bool:
    """A parameter that several blocks share counts with the first that has it."""
    users = plan.users(parameter)
    if len(users) < 2:
        return True
    having = (user for user in users if any(p is parameter for p in plan.flat.module(user).parameters()))
    return next(having, name) == name


class Timing(Protocol):
    """How long blocks take."""

    def __call__(self, plan: PlacementPlan, name: str, rank: int, batch: int, share: Share) -> tuple[float, float]:
        """Seconds of a process' part forward and backward."""
        ...


@dataclass(frozen=True)
class Rates:
    """Time by a machine's rates, whichever of arithmetic and memory takes longer.

        forward = overhead + max(2 m / flops, bytes / memory bandwidth)

    Backward twice that, once of the arithmetic where no gradient goes further back.

    Args:
        machine: whose rates.
    """

    machine: Machine

    def __call__(self, plan: PlacementPlan, name: str, rank: int, batch: int, share: Share) -> tuple[float, float]:
        """Seconds forward and backward."""
        arithmetic = 2 * share.multiply_adds / self.machine.flops
        size = share.read + share.sent + share.parameters
        memory = size / self.machine.memory_bandwidth if self.machine.memory_bandwidth else 0.0
        gradients = (1 if share.learns_inputs else 0) + (1 if share.parameters else 0)
        forward = self.machine.overhead + max(arithmetic, memory)
        return forward, self.machine.overhead * bool(gradients) + max(
            gradients * arithmetic, 2 * memory * bool(gradients)
        )


@dataclass(frozen=True)
class Sum:
    """Something that processes add up on the way, so that all have it.

    Args:
        ranks: they.
        sizes: bytes of each sum, forward.
        backward: and backward.
    """

    ranks: tuple[int, ...]
    sizes: tuple[int, ...]
    backward: tuple[int, ...] = ()


def sums_of(plan: PlacementPlan, name: str, rank: int, batch: int) -> list[Sum]:
    """The sums that a process takes part in for a block: statistics of a loss, or of batch normalisation."""
    assigned, module = plan.blocks[name], plan.flat.module(name)
    box = plan.work(name, rank, batch)
    if box is None or not assigned.is_split or plan.mesh.processes == 1:
        return []
    if isinstance(assigned.rule, Counted):
        everyone = Sum(tuple(plan.ranks), (16,))
        if assigned.kind != "feature" or not assigned.rule.has_classes:
            return [everyone]
        examples = sizes(box)[0]
        return [Sum(_of_same_examples(plan, name, box, batch), (4 * examples, 8 * examples)), everyone]
    if isinstance(assigned.rule, Sequential) and assigned.kind == "feature":
        layer: Any = module
        steps = assigned.rule.reads[0][0] * layer.num_layers - 1  # the last units of all are read by nobody here
        after_each = (4 * sizes(box)[0] * layer.hidden_size,) * steps
        return [Sum(_of_same_examples(plan, name, box, batch), after_each, after_each)]
    if assigned.statistics == "local":
        return _remembered(plan, name, rank)
    if isinstance(module, _BatchNorm):
        channels = sizes(box)[1]
        alike = assigned.kind == "batch"
        team = tuple(r for r in plan.ranks if alike or (plan.work(name, r, batch) or box)[1] == box[1])
        both = (4 * (channels + 1), 4 * channels)
        return [Sum(team, both, both)] if len(team) > 1 else []
    return []


def _of_same_examples(plan: PlacementPlan, name: str, box: Box, batch: int) -> tuple[int, ...]:
    return tuple(r for r in plan.ranks if (plan.work(name, r, batch) or box)[0] == box[0])


def _remembered(plan: PlacementPlan, name: str, rank: int) -> list[Sum]:
    """The one sum of the statistics of all parts of all such blocks, which stands with the last of them."""
    alike = [other for other, assigned in plan.blocks.items() if assigned.statistics == "local"]
    boxes = [plan.work(other, rank, 1) for other in alike]
    channels = sum(box[1][1] - box[1][0] for box in boxes if box is not None)
    return [Sum(tuple(plan.ranks), (16 * channels,))] if name == alike[-1] else []


def seconds_of(found: Sum, machine: Machine, direction: int) -> float:
    """How long the sums take once all are there."""
    sizes = (found.sizes, found.backward)[direction]
    ranks = len(found.ranks)
    return math.fsum(
        machine.all_reduce(size, ranks) if machine.small_sum is None or size > LARGEST else machine.small_sum
        for size in sizes  # the small ones through memory that they share
    )
