"""A net trained on many processes and on one, and how far they are apart."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.random import derive
from rillnet.runtime.placement.local import joined, keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.program import PlacedNet, PlacedProgram, ProcessGroups
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.reduction import GradientReduction
from rillnet.runtime.program import Program
from rillnet.runtime.state import detach_state

Document = dict[str, Any]
MakeNet = Callable[..., Net]


@dataclass(frozen=True)
class Case:
    """A net, how it is rolled out and trained.

    Args:
        document: the net, as text says it.
        losses: the blocks that are learned from, their sum.
        outputs: blocks whose values are compared besides.
        rollout: `sequential`, `streaming`, or delays of edges.
        classes: labels are below this.
        batches: examples in each step, in turn.
        window: frames that a step looks back over.
        optimizer: of torch.optim, with its arguments.
        dtype: of the net.
        autocast: whether it runs in bfloat16 where torch does.
        steps: of training.
    """

    document: Document
    losses: Sequence[str] = ("loss",)
    outputs: Sequence[str] = ()
    rollout: Any = "sequential"
    classes: int = 5
    batches: Sequence[int] = (8,)
    window: int = 1
    optimizer: tuple[str, Mapping[str, Any]] = ("SGD", {"lr": 0.01, "momentum": 0.9})
    dtype: str = "float32"
    autocast: bool = False
    steps: int = 20
    ignored: int = 0
    learns: Iterable[str] = field(default=())


def net_of(case: Case) -> Net:
    net = Net.from_spec(case.document, seed=3)
    net.set_phase("train")
    return net.to(getattr(torch, case.dtype))


def rollout_of(case: Case, net: Net) -> Rollout:
    if isinstance(case.rollout, str):
        return getattr(Rollout, case.rollout)(net)
    return Rollout(net, case.rollout)


def batch_of(case: Case, net: Net, step: int, size: int) -> dict[str, Tensor]:
    """Inputs by their names: labels below the number of classes, masks of zeros and ones, other numbers normal."""
    generator = torch.Generator().manual_seed(step)
    found = {}
    for name, signature in net.inputs.items():
        shape = signature.of_batch(size)
        if signature.dtype == torch.int64:
            found[name] = torch.randint(0, case.classes, shape, generator=generator)
            if case.ignored:
                found[name][torch.rand(shape, generator=generator) < 0.3] = -100
        elif name.startswith("mask"):
            found[name] = (torch.rand(shape, generator=generator) < 0.6).float()
        else:
            drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
            found[name] = drawn.to(getattr(torch, case.dtype))
    return found


def train(case: Case, net: Net, program: Any, reduction: GradientReduction | None) -> list[list[float]]:
    """Trains a net; what its losses and other outputs were in each step."""
    name, arguments = case.optimizer
    optimizer = getattr(torch.optim, name)(net.parameters(), **arguments)
    state, streams, said = None, 0, []
    for step in range(case.steps):
        size = case.batches[step % len(case.batches)]
        if size != streams:
            state, streams = None, size
        total = torch.zeros(())
        with torch.autocast("cpu", torch.bfloat16, enabled=case.autocast):
            for frame in range(case.window):
                clock = step * case.window + frame
                inputs = batch_of(case, net, clock, size)
                out, state = program(inputs, state, frame_seed=lambda block, at=clock: derive(1, block, at))
                total = total + sum(out[loss] for loss in case.losses)
        optimizer.zero_grad()
        if reduction is not None:
            reduction.begin()
        total.backward()
        if reduction is not None:
            reduction.finish()
        optimizer.step()
        state = detach_state(state)
        said.append([float(out[each].detach().double().norm()) for each in (*case.losses, *case.outputs)])
    return said


@functools.cache
def groups_of(world: int, *, apart: bool) -> ProcessGroups:
    """The process groups of this process, made once for all tests."""
    return ProcessGroups(world, apart=apart)


def placed(case: Case, placement: Mapping[str, Any], rank: int) -> tuple[Net, PlacementPlan, PlacedNet]:
    """A net of which this process has its part."""
    net = net_of(case)
    plan = PlacementPlan(rollout_of(case, net), PlacementSpec.model_validate(placement))
    keep_own_parameters(plan, rank)
    return net, plan, PlacedNet(plan, rank, groups_of(len(plan.ranks), apart=False))


def difference(rank: int, case: Case, placement: Mapping[str, Any]) -> tuple[float, str]:
    """The largest relative difference to one process after training, and where it is, as this process sees it."""
    return differences(rank, case, [placement])[0]


def differences(rank: int, case: Case, placements: Sequence[Mapping[str, Any]]) -> list[tuple[float, str]]:
    """Of several placements of one net."""
    alone = net_of(case)
    wanted = [*case.losses, *case.outputs]
    expected = train(case, alone, Program(alone, rollout_of(case, alone), outputs=wanted, phase="train"), None)
    return [_compared(rank, case, placement, alone, expected) for placement in placements]


def _compared(
    rank: int, case: Case, placement: Mapping[str, Any], alone: Net, expected: list[list[float]]
) -> tuple[float, str]:
    wanted = [*case.losses, *case.outputs]
    net, plan, part = placed(case, placement, rank)
    reduction = GradientReduction(plan, rank, groups=groups_of(len(plan.ranks), apart=True))
    found = train(case, net, PlacedProgram(part, wanted, "train"), reduction)
    worst = (0.0, "nothing")
    for step, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for name, a, b in zip(wanted, ours, theirs, strict=True):
            worst = max(worst, (_relative(torch.tensor(a), torch.tensor(b)), f"{name} in step {step}"))
    flat = rollout_of(case, alone).flat
    for name in plan.flat.blocks:
        parts, own, whole = (
            plan.parameters(name, rank),
            plan.flat.module(name).state_dict(),
            flat.module(name).state_dict(),
        )
        for key, boxes in parts.items():
            if key in whole and whole[key].numel():
                worst = max(worst, (_relative(own[key], joined(whole[key], boxes), whole[key]), f"{name}.{key}"))
    return worst


def _relative(found: Tensor, expected: Tensor, scale: Tensor | None = None) -> float:
    if not expected.numel():
        return 0.0
    if found.shape != expected.shape:
        return float("inf")
    size = float((expected if scale is None else scale).double().abs().max())
    apart = float((found.double() - expected.double()).abs().max())
    return float("inf") if apart != apart else apart / max(size, 1e-3)
