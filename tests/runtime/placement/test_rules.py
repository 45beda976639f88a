"""Every type that a document may name has a rule; what is not known is computed whole."""

from __future__ import annotations

from torch import nn

from rillnet.model.layers import Accuracy, Metric
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.partition import Elementwise, Partition
from rillnet.runtime.placement.rules import partition_of
from rillnet.runtime.placement.sliding import Convolution, Transposed


def test_a_rule_is_chosen_by_the_class() -> None:
    assert type(partition_of(nn.ReLU(), [(3,)], (3,))) is Elementwise
    assert type(partition_of(nn.Conv2d(3, 4, 1), [(3, 5, 5)], (4, 5, 5))) is Convolution
    assert type(partition_of(nn.ConvTranspose2d(3, 4, 1), [(3, 5, 5)], (4, 5, 5))) is Transposed
    assert type(partition_of(nn.MultiheadAttention(4, 2), [(3, 4)], (3, 4))) is Partition


def test_a_subclass_of_ones_own_may_compute_anything() -> None:
    class Own(nn.Conv2d):
        pass

    assert type(partition_of(Own(3, 4, 1), [(3, 5, 5)], (4, 5, 5))) is Partition


def test_a_metric_of_ones_own_adds_up_its_statistics() -> None:
    class Own(Accuracy):
        pass

    assert issubclass(Own, Metric)
    assert type(partition_of(Own(), [(3,), ()], ())) is Counted
