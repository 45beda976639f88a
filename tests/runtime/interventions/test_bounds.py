"""Which whole numbers a tensor may be clamped to."""

from __future__ import annotations

import contextlib
import re

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.flat import FlatSource
from rillnet.runtime.interventions.bounds import check_numbers, numbers_for

BLOCKS = {
    "word": {"type": "Embedding", "from": "token", "num_embeddings": 7, "embedding_dim": 3},
    "head": {"type": "Linear", "out_features": 4},
    "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
}


CASES = [
    ("token", 6, None),
    ("token", 7, "net/token: must be one of 0 to 6, as net/word reads it (got 7)"),
    ("token", -1, "net/token: must be one of 0 to 6, as net/word reads it (got -1)"),
    ("label", 3, None),
    ("label", -100, None),
    ("label", 4, "net/label: must be one of 0 to 3, as net/loss reads it (got 4)"),
    ("free", 99, None),
]


@pytest.mark.parametrize(("name", "number", "message"), CASES)
def test_numbers_have_a_place_with_their_readers(name: str, number: int, message: str | None) -> None:
    inputs = {key: {"dtype": "int64"} for key in ("token", "label", "free")}
    flat = rn.Rollout.sequential(rn.Net.from_spec({"inputs": inputs, "blocks": BLOCKS}, seed=1)).flat
    told = contextlib.nullcontext() if message is None else pytest.raises(RequestError, match=re.escape(message))

    with told:
        check_numbers(flat, FlatSource(name), torch.tensor(float(number)), f"net/{name}")


def test_the_fewest_numbers_that_every_reader_has_a_place_for() -> None:
    inputs = {key: {"dtype": "int64"} for key in ("token", "label", "free")}
    blocks = {**BLOCKS, "one": {"type": "OneHot", "from": "token", "classes": 5}}
    flat = rn.Rollout.sequential(rn.Net.from_spec({"inputs": inputs, "blocks": blocks}, seed=1)).flat

    assert [numbers_for(flat, FlatSource(name)) for name in inputs] == [5, 4, None]
