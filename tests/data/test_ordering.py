"""The order of examples: a function of the seed, the phase and the epoch."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.data.ordering import generator, held_out, shuffled


def test_known_orders_stay_as_they_are() -> None:
    """Runs of earlier versions go on only while these hold."""
    assert shuffled(8, seed=1, phase="train", epoch=0).tolist() == [7, 0, 5, 6, 1, 2, 3, 4]
    assert held_out(8, 3, seed=1)[1].tolist() == [0, 5, 7]


def test_each_epoch_phase_and_seed_has_its_own_order() -> None:
    orders = {
        tuple(shuffled(30, seed, phase, epoch).tolist())
        for seed in (0, 1)
        for phase in ("train", "val")
        for epoch in (0, 1)
    }

    assert len(orders) == 8


@given(st.integers(1, 200), st.integers(0, 5), st.integers(0, 3))
def test_an_order_holds_every_position_once(count: int, seed: int, epoch: int) -> None:
    assert torch.equal(shuffled(count, seed, "train", epoch).sort().values, torch.arange(count))


@given(st.integers(2, 200), st.data(), st.integers(0, 5))
def test_what_is_held_out_is_missing_from_what_stays(count: int, data: st.DataObject, seed: int) -> None:
    held = data.draw(st.integers(1, count - 1))
    staying, out = held_out(count, held, seed)

    assert len(out) == held
    assert torch.equal(torch.cat([staying, out]).sort().values, torch.arange(count))
    assert torch.equal(staying, staying.sort().values)
    assert torch.equal(out, out.sort().values)


def test_holding_out_more_keeps_what_was_held_out() -> None:
    assert set(held_out(50, 5, seed=2)[1].tolist()) < set(held_out(50, 9, seed=2)[1].tolist())


def test_generators_differ_by_name() -> None:
    assert torch.rand(1, generator=generator(0, "a")) != torch.rand(1, generator=generator(0, "b"))
