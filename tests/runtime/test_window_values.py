"""Values of a window, whole or by frame, and what is read of earlier frames."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.beginnings import Beginnings
from rillnet.runtime.stages import pasts_of
from rillnet.runtime.window_values import WindowValues

FRAMES = [torch.tensor([[1.0], [10.0]]), torch.tensor([[2.0], [20.0]]), torch.tensor([[3.0], [30.0]])]


def values_of(delay: int, begins: Beginnings | None = None) -> tuple[WindowValues, int, int]:
    """The values of a net that reads its input late, with the registers of the input and of what it was."""
    net = rn.Net("n", inputs={"x": (1,)}).add("late", rn.Identity(), source=f"x@-{delay}")
    plan = rn.Program(net).plan_of(("x",), seeded=False)
    assert plan is not None
    state = {f"x@{number}": torch.full((2, 1), -float(number)) for number in range(1, delay + 1)}
    values = WindowValues(plan, pasts_of(plan), state, begins or Beginnings([None] * 3), {"x": 0})
    values.enter(plan.given[0][1], FRAMES)
    return values, plan.given[0][1], next(iter(pasts_of(plan)))


def test_frames_lie_end_to_end() -> None:
    values, register, _ = values_of(1)

    assert values.at_once(register).flatten().tolist() == [1, 10, 2, 20, 3, 30]


def test_the_whole_is_divided_into_frames() -> None:
    values, register, _ = values_of(1)
    values.whole[register] = torch.arange(6.0).view(6, 1)
    values.enter(register, [None] * 3)

    assert values.at(register, 1).flatten().tolist() == [2, 3]


def test_earlier_frames_are_read_from_the_state_and_from_the_window() -> None:
    for delay in (1, 2, 4):
        values, _, past = values_of(delay)
        by_frame = [values.at(past, frame).flatten().tolist() for frame in range(3)]
        expected = [([-float(delay - t)] * 2 if t < delay else FRAMES[t - delay].flatten().tolist()) for t in range(3)]
        assert by_frame == expected
        assert values_of(delay)[0].at_once(past).view(3, 2).tolist() == expected


def test_streams_that_begin_read_zeros() -> None:
    begins = Beginnings([None, None, torch.tensor([False, True])])
    values, _, past = values_of(2, begins)

    assert values.at(past, 2).flatten().tolist() == [1, 0]
    after = {key: tensor.flatten().tolist() for key, tensor in values.state_after().items()}
    assert after == {"x@1": [3, 30], "x@2": [2, 0]}
