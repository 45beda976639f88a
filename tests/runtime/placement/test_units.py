"""The rules of recurrent cells, pools and synapses."""

from __future__ import annotations

import pytest
from torch import nn

from rillnet.model.layers import ConvLSTMCell, LSTMCell, Pool, SimpleRNN, Synapse
from rillnet.runtime.placement.rules import partition_of


@pytest.mark.parametrize(
    ("cell", "gates"),
    [
        (SimpleRNN(4, 6), 1),
        (nn.RNNCell(4, 6), 1),
        (nn.GRUCell(4, 6), 3),
        (LSTMCell(4, 6), 4),
    ],
)
def test_each_unit_has_the_rows_of_its_gates(cell: nn.Module, gates: int) -> None:
    rule = partition_of(cell, [(4,), (6,)], (6,))

    rows = next(iter(rule.parameters(((0, 2), (2, 5))).values()))

    assert [box[0] for box in rows] == [(6 * gate + 2, 6 * gate + 5) for gate in range(gates)]


def test_a_cell_needs_all_of_the_last_frame_and_its_units_of_the_cell_state() -> None:
    rule = partition_of(LSTMCell(4, 6), [(4,), (6,), (6,)], (6,))

    assert rule.needs(((0, 2), (2, 5))) == [((0, 2), (0, 4)), ((0, 2), (0, 6)), ((0, 2), (2, 5))]


def test_rows_of_a_convolutional_cell_have_a_halo() -> None:
    rule = partition_of(ConvLSTMCell(2, 4), [(2, 9, 9), (4, 9, 9), (4, 9, 9)], (4, 9, 9))
    box = ((0, 2), (0, 4), (3, 6), (0, 9))

    assert [needed[2] for needed in rule.needs(box)] == [(2, 7), (2, 7), (3, 6)]


def test_a_pool_has_the_same_part_of_bias_and_gain() -> None:
    pool = Pool([(4, 3, 3), (4,)], gain_shape="full", bias_shape="spatial")
    rule = partition_of(pool, [(4, 3, 3), (4,)], (4, 3, 3))
    box = ((0, 2), (1, 3), (0, 3), (0, 3))

    assert rule.needs(box) == [box, ((0, 2), (1, 3))]
    assert rule.parameters(box) == {"gain": (((1, 3), (0, 3), (0, 3)),), "bias": (((0, 3), (0, 3)),)}


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ({}, ["batch", "feature", "space"]),
        ({"act": "softmax"}, ["batch"]),
        ({"layernorm_mean": "full"}, ["batch"]),
        ({"batchnorm_std": "spatial"}, []),
        ({"dropout": 0.5}, []),
    ],
)
def test_a_pool_is_split_where_it_treats_numbers_alone(arguments: dict[str, object], kinds: list[str]) -> None:
    pool = Pool([(4, 3, 3)], **arguments)  # type: ignore[arg-type]

    assert list(partition_of(pool, [(4, 3, 3)], (4, 3, 3)).splits()) == kinds


def test_a_synapse_has_the_rows_of_its_features_and_whole_projections() -> None:
    synapse = Synapse([(4, 6, 6)], shape=(5, 6, 6), rf=3, maxout=2, projection=3, bias_shapes="feature")
    rule = partition_of(synapse, [(4, 6, 6)], (5, 6, 6))

    parts = rule.parameters(((0, 2), (1, 3), (0, 6), (0, 6)))

    assert {name: boxes[0][0] for name, boxes in parts.items()} == {"P_0_0": (0, 3), "W_0_0": (2, 6), "b_0": (2, 6)}
