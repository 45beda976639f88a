"""Interventions put into a frame that is planned already: only what they touch is made anew."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from rillnet.model.flat import FlatSource
from rillnet.model.rollout import Rollout
from rillnet.model.structure import Structure
from rillnet.runtime.grouping.changing import can_join, change_of
from rillnet.runtime.grouping.frame import GroupTurn
from rillnet.runtime.interventions.changes import Changes
from rillnet.runtime.plan import Copy, Plan, Turn, TurnChange
from rillnet.runtime.prepared import Prepared, prepare
from rillnet.runtime.turns import Backend


@dataclass
class _Changing:
    """Turns' changes, and the registers that they use.

    Args:
        plan: without interventions.
        rollout: the delays.
        changes: what interventions do.
        there: the blocks and inputs that are computed or given.
    """

    plan: Plan
    rollout: Rollout
    changes: Changes
    there: frozenset[str]
    made: dict[int, FlatSource] = field(default_factory=dict)
    given: list[tuple[str, int]] = field(default_factory=list)

    def changed(self, turn: Turn) -> Turn:
        """A turn with what interventions do to it."""
        change = self.changes.blocks.get(turn.path)
        if change is None or isinstance(turn.module, Copy):
            return turn
        read = [(port, one) for port, one in enumerate(self.rollout.sources(turn.path)) if one.block in self.there]
        silent = tuple(
            (position, self._register(source)) for position, (port, source) in enumerate(read) if port in change.silent
        )
        if change.module is None:
            return replace(turn, change=TurnChange(silent, None, -1, ()))
        drawn = []
        for name in change.drawn:
            drawn.append(self._register(self.changes.drawn[name]))
            self.given.append((name, drawn[-1]))
        raw = self._register(FlatSource(turn.path))
        return replace(turn, change=TurnChange(silent, change.module, raw, tuple(drawn)))

    def _register(self, source: FlatSource) -> int:
        """A register of its own for what takes the place of a source."""
        register = self.plan.size + len(self.made)
        self.made[register] = source
        return register

    def planned(self, turns: Sequence[Turn]) -> Plan:
        """The plan with these turns, and with what they are given besides."""
        plan = self.plan
        given, size = (*plan.given, *self.given), plan.size + len(self.made)
        return replace(plan, size=size, given=given, turns=tuple(turns), substitutes=self.made)


def with_changes(plan: Plan, rollout: Rollout, changes: Changes) -> Plan:
    """A plan whose turns say what interventions do to them.

    Args:
        plan: without interventions.
        rollout: the delays.
        changes: what interventions do.
    """
    there = frozenset([*(turn.path for turn in plan.turns), *(name for name, _ in plan.given)])
    changing = _Changing(plan, rollout, changes, there)
    return changing.planned([changing.changed(turn) for turn in plan.turns])


def changed(
    base: Prepared, net: Structure, rollout: Rollout, changes: Changes, backend: Backend | None, *, seeded: bool
) -> Prepared | None:
    """A frame that is planned already, with interventions.

    Args:
        base: without them.
        net: the net.
        rollout: the delays.
        changes: what interventions do.
        backend: of torch.compile; None leaves everything to Python.
        seeded: whether what blocks draw is seeded one by one.

    Returns:
        The frame; None where groups would become others.
    """
    if base.groups is None or base.frame is None:
        plan = with_changes(base.plan, rollout, changes)
        return prepare(net, plan, base.groups, backend, seeded=seeded, holders=base.holders)
    there = frozenset([*base.paths(), *(name for name, _ in base.plan.given)])
    changing = _Changing(base.plan, rollout, changes, there)
    steps: list[Turn | GroupTurn] = []
    for step in base.frame.steps:
        if isinstance(step, Turn):
            steps += changing.changed(step).unfolded()
            continue
        found = _changed_group(step, changing, net.device)
        if found is None:
            return None
        steps.append(found)
    groups = copy.copy(base.groups)
    plan = changing.planned(())
    groups.frame = replace(base.frame, plan=plan, steps=tuple(steps))
    return prepare(net, plan, groups, backend, seeded=seeded, holders=base.holders)


def _changed_group(step: GroupTurn, changing: _Changing, device: torch.device) -> GroupTurn | None:
    draft = step.draft
    if changing.changes.blocks.keys().isdisjoint(draft.paths):
        return step
    turns = [changing.changed(turn) for turn in draft.turns]
    through = [changing.changed(turn) for turn in draft.through]
    if through and not can_join(through, turns):
        return None
    index = next((reading.index for reading in step.readings if reading.index is not None), None)
    change = change_of(turns, through, device if index is None else index.device)
    found = GroupTurn(draft, step.joins, step.readings, step.takes, change)
    found.frees = (*step.frees, *(register for register, _ in change.drawn)) if change is not None else step.frees
    return found
