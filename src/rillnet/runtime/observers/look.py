"""A second look at a frame: single blocks computed once more from what they read, such that nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rillnet.model.flat import FlatSource, part
from rillnet.runtime.observers.untouched import untouched
from rillnet.runtime.plan import Plan, Turn
from rillnet.runtime.turns import EagerTurns

PlanOf = Callable[[tuple[str, ...]], Plan | None]
"""The plan of a whole frame, not grouped, for some inputs."""


class Look:
    """Computes single blocks of a frame once more.

    Of the frame only what these blocks read in it is computed, up to what the state has; by the same modules, with
    the same draws.

    Args:
        plan_of: plans a frame that computes every block.
    """

    def __init__(self, plan_of: PlanOf) -> None:
        self._plan_of = plan_of
        self._told: Plan | None = None
        self._plan: Plan | None = None
        self._of_register: dict[int, Turn] = {}
        self._order: dict[int, int] = {}
        self._by_source: dict[FlatSource, int] = {}

    @torch.no_grad()
    def __call__(
        self,
        net: Any,
        wanted: Iterable[FlatSource],
        inputs: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        seeds: Callable[[str], int],
        device: torch.device,
    ) -> dict[FlatSource, Tensor]:
        """What blocks send in a frame.

        Args:
            net: the net, in the phase of the frame.
            wanted: what is asked for.
            inputs: of the frame.
            state: before it.
            seeds: of what each block draws.
            device: where is computed.

        Returns:
            What could be computed; what needs a state that is not there is left out.
        """
        plan = self._prepare(tuple(inputs))
        if plan is None:
            return {}
        values: list[Any] = [None] * plan.size
        for name, register in plan.given:
            values[register] = inputs[name]
        for register, whole, place in plan.parts:
            values[register] = part(values[whole], place)
        keys = dict(plan.fetches)
        turns: dict[int, Turn] = {}
        found = [source for source in dict.fromkeys(wanted) if self._reach(source, values, keys, state, turns)]
        if turns:
            ordered = [turns[register] for register in sorted(turns, key=self._order.__getitem__)]
            with untouched([turn.module for turn in ordered], device):
                EagerTurns(net, ordered)(values, seeds)
        return {source: self._read(source, values) for source in found}

    def _prepare(self, given: tuple[str, ...]) -> Plan | None:
        told = self._plan_of(given)
        if told is not None and told is not self._told:
            self._told, self._plan = told, told.unfolded()
            plan = self._plan
            self._of_register, self._order = {}, {}
            for number, turn in enumerate(plan.turns):
                for register in (turn.result, *(register for register, _ in turn.parts)):
                    self._of_register[register] = turn
                self._order[turn.result] = number
            self._by_source = {source: register for register, source in plan.origins.items()}
        return self._plan if told is not None else None

    def _reach(
        self,
        source: FlatSource,
        values: list[Any],
        keys: Mapping[int, Any],
        state: Mapping[str, Tensor],
        turns: dict[int, Turn],
    ) -> bool:
        """Adds the turns that something needs; False if it cannot be computed, and then adds none."""
        register = self._by_source.get(FlatSource(source.block))
        if register is None:
            return False
        added: dict[int, Turn] = {}
        stack = [register]
        while stack:
            register = stack.pop()
            if values[register] is not None:
                continue
            if register in keys:
                value = _fetched(state, keys[register])
                if value is None:
                    return False
                values[register] = value
                continue
            turn = self._of_register.get(register)
            if turn is None:
                return False
            if turn.result not in turns and turn.result not in added:
                added[turn.result] = replace(turn, frees=())
                stack.extend(turn.reads)
        turns |= added
        return True

    def _read(self, source: FlatSource, values: list[Any]) -> Tensor:
        found: Tensor = part(values[self._by_source[FlatSource(source.block)]], source.place)
        return found


def _fetched(state: Mapping[str, Tensor], keys: Any) -> Any:
    """What a state has under a key, or under each of several; None if it lacks one."""
    if isinstance(keys, str):
        return state.get(keys)
    found = tuple(_fetched(state, key) for key in keys)
    return None if any(one is None for one in found) else found
