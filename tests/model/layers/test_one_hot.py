"""Class numbers as vectors."""

from __future__ import annotations

import torch

import rillnet as rn


def test_a_number_is_one_at_its_place() -> None:
    sent = rn.Net("n", inputs={"x": rn.Scalar("int64")}).add("hot", rn.OneHot(classes=4))(torch.tensor([3, 0]))["hot"]

    assert sent.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_a_number_outside_gives_zeros() -> None:
    net = rn.Net("n", inputs={"x": rn.Scalar("int64")}).add("hot", rn.OneHot(classes=2)).double()

    sent = net(torch.tensor([-1, 2]))["hot"]

    assert sent.dtype == torch.float64
    assert not sent.any()
