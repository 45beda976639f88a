"""Examples read one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rillnet.data.items import ItemExamples, named, stacked
from rillnet.errors import DataError


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"a": 1, "b": 2.0}, {"a": 1, "b": 2.0}),
        ((1, 2), {"image": 1, "label": 2}),
        ([1], {"image": 1}),
        (7, {"image": 7}),
        (np.array([1, 2]), {"image": [1, 2]}),
    ],
)
def test_parts_are_named(item: Any, expected: dict[str, Any]) -> None:
    assert {n: value.tolist() for n, value in named(item, ("image", "label"), "train[0]").items()} == expected


def test_parts_without_a_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"^train\[0\]: has 3 parts, but only 2 are named"):
        named((1, 2, 3), ("image", "label"), "train[0]")


def test_stacking() -> None:
    items = [{"x": torch.tensor([1.0, 2.0])}, {"x": torch.tensor([3.0, 4.0])}]

    assert stacked(items, [5, 2], "train")["x"].tolist() == [[1, 2], [3, 4]]


class Bytes:
    """Image i is filled with i."""

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        return {
            "image": indices.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2),
            "seed": torch.full((len(indices),), seed),
        }


def test_bytes_are_scaled_when_gathered_and_when_read_ahead() -> None:
    examples = ItemExamples(Bytes(), 256)
    gathered = examples.gather(torch.tensor([255, 0]))
    (ahead,) = examples.open_stream().batches([(torch.tensor([255, 0]), 9)])

    assert len(examples) == 256
    assert examples.fields() == {"image": ((1, 2, 2), torch.float32), "seed": ((), torch.int64)}
    assert gathered["image"][:, 0, 0, 0].tolist() == [1, 0]
    assert torch.equal(ahead["image"], gathered["image"])
    assert ahead["seed"].tolist() == [9, 9]


def test_bytes_can_be_kept() -> None:
    assert ItemExamples(Bytes(), 256, scale=[]).fields()["image"] == ((1, 2, 2), torch.int64)
