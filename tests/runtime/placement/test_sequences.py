"""The rule of torch's layers for sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rillnet.model.shapes import Signature
from rillnet.runtime.placement.partition import Split
from rillnet.runtime.placement.rules import partition_of
from rillnet.runtime.placement.sequences import Sequential

BOX = ((2, 4), (0, 5), (2, 6))
"""Some examples and units of a sequence of 5."""


def rule_of(kind: type[nn.RNNBase] = nn.LSTM, **more: Any) -> Any:
    rule = partition_of(kind(3, 6, num_layers=2, **{"batch_first": True, **more}), [(5, 3)], (5, 6))
    assert isinstance(rule, Sequential)
    return rule


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_each_unit_has_the_rows_of_its_gates_in_every_layer(kind: type[nn.RNNBase], gates: int) -> None:
    found = rule_of(kind).parameters(BOX)

    rows = [(6 * gate + 2, 6 * gate + 6) for gate in range(gates)]
    assert set(found) == {
        f"{name}_l{layer}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for layer in (0, 1)
    }
    assert found["weight_ih_l0"] == tuple((span, (0, 3)) for span in rows)
    assert found["weight_hh_l1"] == tuple((span, (0, 6)) for span in rows)
    assert found["bias_hh_l1"] == tuple((span,) for span in rows)


def test_of_the_state_it_has_its_examples_and_units() -> None:
    rule = rule_of()

    assert rule.holds(Signature((5, 6)), BOX) == BOX
    assert rule.holds(Signature((2, 6), batch_dim=1), BOX) == ((0, 2), (2, 4), (2, 6))
    assert rule.needs(BOX) == [((2, 4), (0, 5), (0, 3))]


def test_of_a_sequence_that_comes_first_too() -> None:
    rule = rule_of(batch_first=False)

    assert rule.batch_dim == 1
    assert rule.holds(Signature((5, 6), batch_dim=1), BOX) == ((0, 5), (2, 4), (2, 6))


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({}, ["batch", "feature"]),
        ({"bidirectional": True}, ["batch"]),
        ({"proj_size": 2}, ["batch"]),
        ({"dropout": 0.5}, []),
    ],
)
def test_what_it_can_be_split_by(more: dict[str, Any], kinds: list[str]) -> None:
    rule = rule_of(**more)

    assert list(rule.splits()) == kinds
    assert rule.splits().get("feature", Split(2)) == Split(2)


def test_where_units_cannot_be_split_all_parameters_stay_whole() -> None:
    rule = rule_of(bidirectional=True)

    found = rule.parameters(((0, 2), (0, 5), (0, 12)))

    assert found["weight_ih_l1_reverse"] == (((0, 24), (0, 12)),)
    assert rule.holds(Signature((4, 6), batch_dim=1), ((1, 2), (0, 5), (0, 12))) == ((0, 4), (1, 2), (0, 6))
    assert torch.Size([24, 12]) == rule.module.weight_ih_l1_reverse.shape
