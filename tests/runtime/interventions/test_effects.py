"""What several interventions on one tensor come to."""

from __future__ import annotations

import torch

from rillnet.model.flat import FlatSource
from rillnet.model.shapes import Signature
from rillnet.random import derive
from rillnet.runtime.interventions.effects import Effect, effect_of
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise, What, prepared
from rillnet.runtime.interventions.regions import mask_of
from rillnet.runtime.interventions.targets import Units

CPU = torch.device("cpu")


def effect(*done: tuple[What, slice], signature: Signature = Signature((4,))) -> Effect:  # noqa: B008
    in_force = []
    for order, (what, span) in enumerate(done):
        units = Units(FlatSource("h"), signature, (span,), mask_of((span,), signature.shape), f"h[{order}]")
        in_force.append(prepared(what, units, order))
    return effect_of(signature, in_force, torch.float32, CPU)


def test_later_clamps_win_and_lesions_over_all() -> None:
    found = effect((Lesion(), slice(0, 1)), (Clamp(1), slice(0, 3)), (Clamp(2), slice(2, 3)))

    assert found.mask.tolist() == [[True, True, True, False]]
    assert found.value.tolist() == [[0.0, 1.0, 2.0, 0.0]]
    assert found.draws == ()


def test_draws_keep_to_the_units_that_are_left_to_them() -> None:
    found = effect((Noise(2.0), slice(0, 4)), (Clamp("uniform(5, 6)"), slice(1, 3)), (Clamp(7), slice(2, 3)))

    drawn = found.drawn(3, seed=9, frame=("train", 4))

    normal = torch.Generator().manual_seed(derive(9, "intervention", "noise h[0]", "train", 4))
    expected = torch.randn(3, 4, generator=normal) * 2
    assert torch.equal(drawn[:, [0, 3]], expected[:, [0, 3]])
    assert bool(((drawn[:, 1] > 5) & (drawn[:, 1] < 6)).all())
    assert drawn[:, 2].tolist() == [0.0] * 3
    assert found.value.tolist() == [[0.0, 0.0, 7.0, 0.0]]


def test_what_has_another_place_for_the_batch_or_none() -> None:
    hidden = effect((Clamp(1), slice(0, 1)), signature=Signature((2, 3), batch_dim=1))
    loss = effect_of(
        Signature((), batched=False),
        [prepared(Clamp(1), Units(FlatSource("loss"), Signature((), batched=False), (), None, "loss"), 0)],
        torch.float64,
        CPU,
    )

    assert tuple(hidden.mask.shape) == (2, 1, 3)
    assert (tuple(loss.mask.shape), loss.value.dtype) == ((), torch.float64)


def test_whole_numbers_stay_whole() -> None:
    label = Signature((), torch.int64)
    found = effect_of(label, [prepared(Clamp(3), Units(FlatSource("y"), label, (), None, "y"), 0)], torch.float32, CPU)

    assert (found.value.dtype, found.value.tolist()) == (torch.int64, [3])
