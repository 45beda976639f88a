"""Units of several kinds side by side."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.joined import JoinedKinds
from rillnet.model.layers.units import Bernoulli, Gaussian, Softmax

JOINED = JoinedKinds((Bernoulli(), Softmax(3)), (2, 3))


def field_and_bias() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 5, generator=generator), torch.randn(5, generator=generator)


def test_each_part_is_of_its_kind() -> None:
    field, bias = field_and_bias()
    parts = [Bernoulli().mean(field[:, :2], bias[:2]), Softmax(3).mean(field[:, 2:], bias[2:])]
    torch.testing.assert_close(JOINED.mean(field, bias), torch.cat(parts, 1))
    torch.testing.assert_close(JOINED.squash_(bias + JOINED.gain * field), torch.cat(parts, 1))
    sums = Bernoulli().log_sum(field[:, :2], bias[:2]) + Softmax(3).log_sum(field[:, 2:], bias[2:])
    torch.testing.assert_close(JOINED.log_sum(field, bias), sums)
    assert torch.equal(JOINED.slope(field, bias), field)


def test_draws_are_about_the_mean() -> None:
    field, bias = field_and_bias()
    mean = JOINED.mean(field[:1].expand(20_000, 5), bias)
    for drawn in (
        JOINED.draw_about(mean, torch.Generator().manual_seed(2)),
        JOINED.draw(field[:1].expand(20_000, 5), bias, torch.Generator().manual_seed(2)),
    ):
        torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.015, rtol=0)


def test_states_are_the_parts_states_as_digits() -> None:
    assert JOINED.values(5) == 12
    states = JOINED.state(torch.arange(12), 5, torch.float32)
    assert len({tuple(row.tolist()) for row in states}) == 12
    assert states[7].tolist() == [1.0, 1.0, 0.0, 1.0, 0.0]  # 7 is 3 of 4 and 1 of 3


def test_real_units_have_neither_states_nor_a_mean_from_one_sum() -> None:
    mixed = JoinedKinds((Bernoulli(), Gaussian(0.5)), (2, 3))
    field, bias = field_and_bias()
    assert mixed.values(5) is None
    assert mixed.own(field, bias).shape == (4,)
    with pytest.raises(TypeError, match="these units have no countable states"):
        mixed.state(torch.tensor([0]), 5, torch.float32)
    with pytest.raises(TypeError, match="units of unlike gains have no mean in common"):
        mixed.squash_(field)
