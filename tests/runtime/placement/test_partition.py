"""The rules of layers without windows: what a part of the output needs of each input and of each parameter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.model.layers import Concat, LocalResponseNorm, Product, Sum
from rillnet.runtime.placement.boxes import Box
from rillnet.runtime.placement.partition import Partition, Split, computes_examples_alone
from rillnet.runtime.placement.rules import partition_of

IMAGE: Box = ((2, 4), (3, 6), (0, 5), (0, 7))


def test_a_linear_layer_needs_all_features_and_its_rows() -> None:
    rule = partition_of(nn.Linear(8, 6), [(8,)], (6,))

    assert rule.splits() == {"batch": Split(0), "feature": Split(1)}
    assert rule.needs(((0, 4), (2, 5))) == [((0, 4), (0, 8))]
    assert rule.parameters(((0, 4), (2, 5))) == {"weight": (((2, 5), (0, 8)),), "bias": (((2, 5),),)}


def test_on_a_sequence_the_features_are_last() -> None:
    assert partition_of(nn.Linear(8, 6), [(5, 8)], (5, 6)).splits()["feature"] == Split(2)


def test_an_embedding_is_split_by_columns() -> None:
    rule = partition_of(nn.Embedding(10, 6), [(5,)], (5, 6))

    assert rule.needs(((0, 4), (0, 5), (2, 5))) == [((0, 4), (0, 5))]
    assert rule.parameters(((0, 4), (0, 5), (2, 5))) == {"weight": (((0, 10), (2, 5)),)}


def test_a_sum_needs_the_same_part_and_all_of_what_it_repeats() -> None:
    assert partition_of(Sum(), [(6, 5, 7), (6, 5, 7)], (6, 5, 7)).needs(IMAGE) == [IMAGE, IMAGE]
    scaled = partition_of(Product(), [(6, 1, 1), (6, 5, 7)], (6, 5, 7))
    assert scaled.needs(IMAGE) == [((2, 4), (3, 6), (0, 1), (0, 1)), IMAGE]


def test_shapes_of_another_rank_leave_only_the_batch() -> None:
    assert partition_of(Sum(), [(7,), (6, 5, 7)], (6, 5, 7)).splits() == {"batch": Split(0)}


def test_neighbouring_channels_are_read_across_the_cut() -> None:
    rule = partition_of(LocalResponseNorm(size=4), [(9, 5, 7)], (9, 5, 7))

    assert rule.needs(IMAGE)[0][1] == (1, 7)


def test_a_softmax_needs_all_of_the_dimension_it_looks_along() -> None:
    assert partition_of(nn.Softmax(1), [(9, 5, 7)], (9, 5, 7)).needs(IMAGE)[0][1] == (0, 9)
    assert "batch" not in partition_of(nn.Softmax(0), [(9,)], (9,)).splits()


def test_layer_normalisation_has_the_same_part_of_its_weights() -> None:
    rule = partition_of(nn.LayerNorm([5, 7]), [(9, 5, 7)], (9, 5, 7))
    box: Box = ((0, 2), (0, 9), (1, 3), (0, 7))

    assert rule.needs(box) == [((0, 2), (0, 9), (0, 5), (0, 7))]
    assert rule.parameters(box)["weight"] == (((1, 3), (0, 7)),)


def test_groups_of_channels_stay_together() -> None:
    assert partition_of(nn.GroupNorm(3, 9), [(9, 5, 7)], (9, 5, 7)).splits()["feature"] == Split(1, 3)


def test_a_flattening_keeps_channels_together() -> None:
    rule = partition_of(nn.Flatten(), [(9, 5, 7)], (315,))

    assert rule.splits()["feature"] == Split(1, 35)
    assert rule.needs(((0, 2), (70, 140))) == [((0, 2), (2, 4), (0, 5), (0, 7))]


@pytest.mark.parametrize(
    ("span", "first", "second"), [((0, 4), (0, 4), (0, 0)), ((4, 8), (4, 6), (0, 2)), ((6, 9), (6, 6), (0, 3))]
)
def test_a_concatenation_needs_of_each_source_what_falls_into_the_part(
    span: tuple[int, int], first: tuple[int, int], second: tuple[int, int]
) -> None:
    rule = partition_of(Concat(), [(6,), (3,)], (9,))

    assert rule.needs(((0, 2), span)) == [((0, 2), first), ((0, 2), second)]


def test_of_a_block_of_ones_own_nothing_is_known_but_what_it_says() -> None:
    class Own(nn.Module):
        pass

    own = Own()
    assert partition_of(own, [(3,)], (3,)).splits() == {}
    own.per_example = True  # type: ignore[assignment]
    assert type(partition_of(own, [(3,)], (3,))) is Partition
    assert partition_of(own, [(3,)], (3,)).splits() == {"batch": Split(0)}


def test_the_phase_a_net_is_in_changes_no_rule() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Dropout())
    module.eval()

    assert not computes_examples_alone(module)
    assert not any(inner.training for inner in module.modules())


def test_parameters_are_told_of_the_whole_module_also_after_it_was_cut() -> None:
    module = nn.Linear(8, 6)
    rule = partition_of(module, [(8,)], (6,))

    module.weight.data = torch.zeros(2, 8)

    assert rule.parameters(((0, 1), (0, 6)))["weight"] == (((0, 6), (0, 8)),)
