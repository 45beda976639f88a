"""A planned frame with the functions that carry it out, and the means to tell whether it still is of the net."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import nn

from rillnet.model.structure import Structure
from rillnet.runtime.grouping.forming import Groups
from rillnet.runtime.grouping.frame import Frame, GroupTurn
from rillnet.runtime.plan import Plan, Seeds, Turn
from rillnet.runtime.turns import Backend, EagerTurns, carry_out

_ALWAYS_COMPARED = 256
"""So many modules are compared in every frame; of larger nets all are now and then, and whenever the net says so."""

_COMPARED_PER_FRAME = 32
"""Of larger nets all modules and parameters are compared once in as many frames as make this the mean."""

Holders = list[tuple[dict[str, nn.Module | None], str]]


class Part(Protocol):
    """A part of a frame."""

    @property
    def report(self) -> dict[str, str]:
        """For each block how it is run."""

    def __call__(self, values: list[Any], seeds: Seeds | None) -> None:
        """Carries it out."""


class Prepared:
    """A plan with the functions that carry it out.

    Args:
        net: the net.
        plan: what is done for single values.
        parts: functions in order.
        groups: what is computed in groups; None where that was not asked for.
        holders: where the modules are registered.
    """

    def __init__(
        self, net: Structure, plan: Plan, parts: Sequence[Part], groups: Groups | None, holders: Holders
    ) -> None:
        self.plan, self.parts, self.groups = plan, tuple(parts), groups
        self.frame: Frame | None = groups.frame if groups is not None else None
        self.holders, self._modules = holders, [held[name] for held, name in holders]
        self._held, self._names = [held for held, _ in holders], [name for _, name in holders]
        self._nets = [net, *(module for module in self._modules if isinstance(module, Structure))]
        self._revision = self._revised()
        size = len(holders) + (groups.size if groups is not None and groups.frame is not None else 0)
        self._pause = 1 if size <= _ALWAYS_COMPARED else size // _COMPARED_PER_FRAME
        self._countdown = self._pause

    def _revised(self) -> int:
        return sum(net.revision for net in self._nets)

    def is_current(self) -> bool:
        """Whether every module and every stacked parameter is still the one that was planned with.

        All are compared where they are few, before every frame whose gradients are wanted, when the net says that it
        has changed, and otherwise once in a number of frames.
        """
        if self.groups is not None and self.groups.is_retired():
            return False
        self._countdown -= 1
        revision = self._revised()
        due = self._countdown <= 0 or revision != self._revision or (self._pause > 1 and torch.is_grad_enabled())
        if not due:
            return True
        self._countdown, self._revision = self._pause, revision
        if not all(map(operator.is_, map(dict.get, self._held, self._names), self._modules)):
            return False
        return self.groups is None or self.groups.is_whole()

    def paths(self) -> list[str]:
        """The blocks that are computed."""
        return [path for part in self.parts for path in part.report]

    @property
    def report(self) -> dict[str, str]:
        """For each block how it is run."""
        found = {name: how for part in self.parts for name, how in part.report.items()}
        for name, reason in (self.groups.reasons if self.groups is not None else {}).items():
            if found.get(name) in ("eager", "compiled"):
                found[name] += f"; not grouped, as {reason}"
        return found


def prepare(
    net: Structure,
    plan: Plan,
    groups: Groups | None,
    backend: Backend | None,
    *,
    seeded: bool,
    holders: Holders | None = None,
) -> Prepared:
    """The functions that carry out a plan.

    Args:
        net: the net.
        plan: of a frame.
        groups: what of it is computed in groups.
        backend: of torch.compile; None leaves everything to Python.
        seeded: whether what blocks draw is seeded one by one.
        holders: where the modules are registered, if that is known.
    """
    holders = _holders(net, plan) if holders is None else holders
    if groups is None or groups.frame is None:
        plan = plan.unfolded()
        return Prepared(net, plan, _functions(net, plan.turns, plan.kept(), backend, seeded), groups, holders)
    frame = groups.frame = replace(groups.frame, copies=backend is not None)
    parts: list[Part] = []
    run: list[Turn] = []
    later = frame.kept()
    for step in frame.steps:
        later |= {*step.reads}
    for step in frame.steps:
        if isinstance(step, GroupTurn):
            parts += _functions(net, run, later, backend, seeded)
            step.copies = frame.copies
            parts.append(step)
            run = []
        else:
            run.append(step)
    parts += _functions(net, run, later, backend, seeded)
    return Prepared(net, frame.plan, parts, groups, holders)


def _functions(
    net: Structure, turns: Sequence[Turn], wanted: set[int], backend: Backend | None, seeded: bool
) -> Sequence[Part]:
    if not turns:
        return []
    if backend is None:
        return [EagerTurns(net, turns)]
    return carry_out(net, turns, wanted, backend, seeded=seeded)


def _holders(net: Structure, plan: Plan) -> Holders:
    """Where the modules of a plan, and the nets around them, are registered."""
    found: dict[tuple[int, str], tuple[dict[str, nn.Module | None], str]] = {}
    for turn in plan.turns:
        holder: nn.Module = net
        for name in turn.path.split("/"):
            key = (id(holder), name)
            if key not in found:
                found[key] = (holder._modules, name)
            holder = holder._modules[name]  # type: ignore[assignment]
    return list(found.values())
