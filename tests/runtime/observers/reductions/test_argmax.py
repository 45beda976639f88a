from __future__ import annotations

import torch

from rillnet.runtime.observers.reductions.argmax import Argmax


def test_of_a_map_it_is_the_winner_at_each_place() -> None:
    maps = torch.tensor([[[1.0, 0.0]], [[0.0, 5.0]]])
    assert Argmax()([maps]).data.tolist() == [[[0, 1]]]


def test_of_all_streams_it_is_that_of_each() -> None:
    scores_NC = torch.tensor([[0.0, 1.0, 0.5], [3.0, 1.0, 0.5]])
    assert Argmax().of_streams()([scores_NC]).data.tolist() == [[1, 0]]


def test_a_single_number_has_none() -> None:
    assert Argmax().rule(()) == "argmax needs at least 1 dimension, all of them with values"
    assert Argmax(over_streams=True).rule((3,)) == "argmax needs at least 2 dimensions, all of them with values"
