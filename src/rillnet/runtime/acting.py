"""Learning rules at work: what they read, over how many frames, and how they learn from a frame one after the other."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatSource
from rillnet.runtime.windows import Window
from rillnet.types import (
    ComputingRule,
    CuttableRule,
    DroppingRule,
    GradientRule,
    IntervenedRule,
    LearningContext,
    LearningRule,
    TryingRule,
    WindowedRule,
)

logger = logging.getLogger("rillnet")

_READ = re.compile(r"(?P<block>[^\[@]+)(?P<places>(\[\d+\])*)(@-(?P<delay>\d+))?")


class Acting:
    """Those of some rules that do not rest, in the order in which they act.

    Args:
        rules: by name.
        resting: the names of those that learn nothing.

    Attributes:
        needs_graph: whether any of them goes back through what a frame computes.
    """

    def __init__(self, rules: Mapping[str, LearningRule], resting: Collection[str] = ()) -> None:
        self._rules = [rule for name, rule in rules.items() if name not in resting]
        gathering = [rule for rule in self._rules if isinstance(rule, GradientRule)]
        self._gathering = gathering if len(self._rules) > 1 else []
        self._trying = [rule for rule in self._rules if isinstance(rule, TryingRule)]
        self.needs_graph = any(_uses_graph(rule) for rule in self._rules)

    def learn(
        self, outputs: Mapping[str, Any], context: LearningContext, again: Callable[[], Mapping[str, Any]]
    ) -> dict[str, Tensor]:
        """Has all rules look at a frame, and then each change parameters.

        Args:
            outputs: what blocks sent in the frame.
            context: where the run is.
            again: computes the same frame with the parameters of now.

        Returns:
            What the rules report.

        Raises:
            UpdateError: a change holds NaN or infinity; parameters are as before the frame.
        """
        scalars: dict[str, Tensor] = {}
        for number, gathering in enumerate(self._gathering, start=1):
            keep_graph = any(_uses_graph(later) for later in self._gathering[number:])
            gathering.gather(outputs, context, keep_graph=keep_graph)
        for trying in self._trying:
            trying.attempt(again, context)
        for rule in self._rules:
            scalars.update(rule.learn(outputs, context))
        return scalars

    def drop(self) -> None:
        """Has them forget what they have gathered from a frame that is not learned from."""
        for rule in self._rules:
            if isinstance(rule, DroppingRule):
                rule.drop()


def _uses_graph(rule: LearningRule) -> bool:
    return getattr(rule, "uses_graph", True)


def reads_of(rules: Iterable[LearningRule]) -> tuple[list[str], dict[str, FlatSource]]:
    """What some rules read: blocks, and by its name what is not the whole of what a block sends in this frame."""
    named = dict.fromkeys(name for rule in rules for name in rule.reads)
    parts = {name: found for name in named if (found := _part_read(name)) is not None}
    return [name for name in named if name not in parts], parts


def _part_read(name: str) -> FlatSource | None:
    found = _READ.fullmatch(name)
    if found is None or not (found["places"] or found["delay"]):
        return None
    places = tuple(int(place) for place in re.findall(r"\d+", found["places"]))
    return FlatSource(found["block"], places, int(found["delay"] or 0))


def window_of(rules: Mapping[str, LearningRule]) -> Window | None:
    """The window that some rules look back over, or None where each learns from one frame.

    Raises:
        RequestError: they ask for different ones.
    """
    windowed = [rule for rule in rules.values() if isinstance(rule, WindowedRule)]
    asked = {(rule.window, rule.every) for rule in windowed} - {(1, 1)}
    if not asked:
        return None
    others = any(not isinstance(rule, WindowedRule) for rule in rules.values())
    if len(asked) > 1 or (others and any(every > 1 for _, every in asked)):
        raise RequestError(Fault("learning", "rules must have one window and one every, as they share its frames"))
    is_low = any(getattr(rule, "memory", "high") == "low" for rule in windowed)
    return Window(*asked.pop(), memory="low" if is_low else "high")


def tell_interventions(rules: Mapping[str, LearningRule], changes: Mapping[str, Any]) -> None:
    """Tells rules what is done to blocks that they compute, and at which ports blocks see zeros.

    Args:
        rules: by name.
        changes: by block, as `Interventions.blocks` has them.
    """
    ports = frozenset((name, port) for name, one in changes.items() for port in one.silent)
    for name, rule in rules.items():
        if isinstance(rule, CuttableRule):
            rule.cut(ports)
        if isinstance(rule, IntervenedRule):
            rule.intervene(changes)
        elif isinstance(rule, ComputingRule):
            for block in sorted(set(rule.computes) & changes.keys()):
                told = "computes %s by itself, and learns as if nothing was done to it"
                logger.warning("learning/%s: " + told, name, f"net/{block}")
