"""Stimuli: which is shown in which frame of which stream."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.data.stimuli import InStep, Stimuli
from rillnet.errors import RequestError


@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 1000))
def test_stimuli_follow_each_other_and_last_as_long_as_they_say(shortest: int, more: int, begin: int) -> None:
    longest = shortest + more
    stimuli = Stimuli(streams=3, shortest=shortest, longest=longest, seed=begin)
    frames = [stimuli.at(frame) for frame in range(begin, begin + 300)]
    onset = torch.stack([frame.onset_N for frame in frames], dim=1)
    duration = torch.stack([frame.duration_N for frame in frames], dim=1)
    drawn = torch.stack([frame.drawn_N for frame in frames], dim=1)
    before = torch.stack([frame.before_N for frame in frames], dim=1)

    new = onset[:, 1:] == 0
    assert ((onset[:, 1:] == onset[:, :-1] + 1) | new).all()
    assert (onset[:, :-1][new] + 1 == duration[:, :-1][new]).all()
    assert duration.min() >= shortest
    assert duration.max() <= longest + shortest - 1
    assert (drawn[:, 1:][~new] == drawn[:, :-1][~new]).all()
    assert (before[:, 1:][new] == drawn[:, :-1][new]).all()


def test_any_frame_can_be_asked_for_at_once() -> None:
    unbroken = Stimuli(4, 2, 7, seed=1)
    for frame in range(1000):
        expected = unbroken.at(frame)
    jumped = Stimuli(4, 2, 7, seed=1).at(999)
    assert torch.equal(jumped.drawn_N, expected.drawn_N)
    assert torch.equal(jumped.onset_N, expected.onset_N)


def test_streams_do_not_switch_together() -> None:
    onsets = Stimuli(64, 6, 6, seed=0).at(0).onset_N
    assert len(onsets.unique()) == 6


def test_a_fixed_duration_is_kept_exactly() -> None:
    stimuli = Stimuli(8, 6, 6, seed=0)
    assert all((stimuli.at(frame).duration_N == 6).all() for frame in range(1000))


def test_durations_out_of_order_are_refused() -> None:
    with pytest.raises(RequestError) as error:
        Stimuli(2, 5, 3, seed=0)
    rule = "duration: must be the fewest and the most frames of a stimulus, 1 or more (got [5, 3])"
    assert str(error.value) == rule


@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_in_step_every_stimulus_comes_once_in_a_pass(streams: int, count: int, duration: int, shuffle: bool) -> None:
    stimuli = InStep(streams, duration, count, seed=1, shuffle=shuffle)
    sequences = [stimuli.at(number * duration) for number in range(3 * count)]
    shown = (torch.cat([one.drawn_N for one in sequences]) * count).long()
    for first in range(0, len(shown) - count + 1, count):
        assert sorted(shown[first : first + count].tolist()) == list(range(count))
    if not shuffle:
        assert shown[:count].tolist() == list(range(count))


def test_in_step_all_streams_go_on_together() -> None:
    stimuli = InStep(5, 3, 20, seed=1)
    showings = [stimuli.at(frame) for frame in range(9)]

    assert [one.onset_N.tolist() for one in showings] == [[frame % 3] * 5 for frame in range(9)]
    assert all(torch.equal(showings[frame].drawn_N, showings[frame - frame % 3].drawn_N) for frame in range(9))
    assert torch.equal(showings[3].before_N, showings[0].drawn_N)


def test_in_step_any_frame_can_be_asked_for_at_once() -> None:
    unbroken = InStep(4, 3, 10, seed=1)
    for frame in range(200):
        expected = unbroken.at(frame)
    assert torch.equal(InStep(4, 3, 10, seed=1).at(199).drawn_N, expected.drawn_N)


def test_a_stream_sees_the_same_beside_others() -> None:
    few, many = (Stimuli(streams, 2, 5, seed=3).at(777) for streams in (3, 30))

    assert torch.equal(few.drawn_N, many.drawn_N[:3])
    assert torch.equal(few.onset_N, many.onset_N[:3])
