"""Streams that begin anew within a window."""

from __future__ import annotations

import torch

from rillnet.runtime.beginnings import Beginnings

SOME, ALL = torch.tensor([True, False]), torch.tensor(True)


def test_what_was_sent_before_a_beginning_is_forgotten() -> None:
    masks = Beginnings([None, SOME, None])
    sent = torch.ones(2, 3)

    assert masks.forget(sent, 2, 2) is sent
    assert masks.forget(sent, 1, 2).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert masks.forget(torch.ones(3, 2), 0, 1, batch_dim=1).tolist() == [[0, 1]] * 3


def test_all_streams_may_begin() -> None:
    masks = Beginnings([ALL, SOME])

    assert masks.forget(torch.ones(2, 1), 0, 0).tolist() == [[0], [0]]
    assert [mask.tolist() for mask in masks.for_streams(2) if mask is not None] == [[True, True], [True, False]]


def test_a_window_at_once_forgets_as_its_frames_do() -> None:
    masks, delay = Beginnings([None, SOME, None, ALL]), 2
    sent = torch.arange(1.0, 9.0).view(8, 1)
    frames = sent.view(4, 2, 1)

    found = masks.forget_all(sent, delay).view(4, 2, 1)

    for t in range(4):
        assert torch.equal(found[t], masks.forget(frames[t], t - delay + 1, t))


def test_beginnings_are_told() -> None:
    assert Beginnings([None, None]).never
    assert not Beginnings([SOME, None]).within
    assert Beginnings([None, SOME]).within
    assert Beginnings([None, SOME, ALL]).between(0, 0) is None
