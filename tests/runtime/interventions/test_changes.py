"""What plans are told of interventions."""

from __future__ import annotations

import rillnet as rn
from rillnet.runtime.interventions.changes import BlockChange, Changes
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise


def told(changes: Changes) -> dict[str, tuple[list[int], bool, tuple[str, ...]]]:
    blocks = changes.blocks
    return {name: (sorted(one.silent), one.module is not None, one.drawn) for name, one in blocks.items()}


def test_each_kind_of_intervention_is_told_by_block() -> None:
    net = rn.Net("n", inputs={"x": (2,)}).add("a", rn.Linear(out_features=3)).add("b", rn.Tanh())
    net.add("c", rn.Sum(), source=["a", "b"])
    interventions = Interventions(rn.Rollout.sequential(net).flat)
    interventions.set("b->c", Lesion())
    interventions.set("a[0]", Clamp(1))
    interventions.set("c", Noise(1))
    interventions.set("x", Noise(1))

    assert told(interventions) == {"c": ([1], True, ("c#drawn",)), "a": ([], True, ())}
    assert [source.name for source in interventions.drawn.values()] == ["c"]


def test_by_default_nothing_is_changed() -> None:
    change = BlockChange()

    assert (change.silent, change.module, change.drawn) == (frozenset(), None, ())
