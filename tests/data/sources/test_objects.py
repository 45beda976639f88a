"""Objects of Python as sources; unsuitable ones are in test_bad_data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torch.utils.data import Subset as TorchSubset

from rillnet.data.examples import ArrayExamples, Subset
from rillnet.data.items import ItemExamples
from rillnet.data.passes import Passes
from rillnet.data.sources.objects import ItemReader, Objects

X, Y = torch.arange(12.0).view(4, 3), torch.arange(4)


class Items(Dataset[Any]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return X[index], index


class Together(Items):
    """Reads whole batches."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [(X[index], index + 100) for index in indices]


class Streamed(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter([(X[index], index) for index in range(4)])


DATASET = TensorDataset(X, Y)

OBJECTS: list[tuple[Any, type]] = [
    ({"image": X, "label": Y}, ArrayExamples),
    ((X, Y), ArrayExamples),
    ((X.numpy(), Y.numpy()), ArrayExamples),
    (DATASET, ArrayExamples),
    (TorchSubset(DATASET, [0, 1, 2, 3]), Subset),
    (Items(), ItemExamples),
    (TorchSubset(Items(), [0, 1, 2, 3]), ItemExamples),
    ([(X[0], 0), (X[1], 1), (X[2], 2), (X[3], 3)], ItemExamples),
    (DataLoader(DATASET), Passes),
    (Streamed(), Passes),
    (lambda: Streamed(), Passes),
]


@pytest.mark.parametrize(("given", "kind"), OBJECTS)
def test_each_object_is_read_in_its_way(given: Any, kind: type) -> None:
    examples = Objects(given).examples("train")

    assert type(examples) is kind
    assert examples.fields() == {"image": ((3,), torch.float32), "label": ((), torch.int64)}
    if not isinstance(examples, Passes):
        assert len(examples) == 4
        assert examples.gather(torch.tensor([3, 1]))["label"].tolist() == [3, 1]
        assert torch.equal(examples.gather(torch.tensor([3, 1]))["image"], X[[3, 1]])


def test_one_array_alone_is_the_first_field() -> None:
    assert list(Objects(X).examples("train").fields()) == ["image"]
    assert list(Objects(X.numpy(), names=("x",)).examples("train").fields()) == ["x"]


def test_phases_may_be_given_apart() -> None:
    source = Objects({"test": (X,), "train": (X, Y)})

    assert source.phases() == ("train", "test")
    assert list(source.examples("test").fields()) == ["image"]


def test_fields_may_have_the_names_of_phases_with_others() -> None:
    assert Objects({"train": X, "label": Y}).phases() == ("train",)
    assert list(Objects({"train": X, "label": Y}).examples("train").fields()) == ["train", "label"]


def test_a_torch_subset_copies_nothing() -> None:
    subset = Objects(TorchSubset(DATASET, [2, 0])).examples("train")

    assert isinstance(subset, Subset)
    assert subset.gather(torch.tensor([0, 1]))["label"].tolist() == [2, 0]


def test_whole_batches_are_asked_for_where_that_is_possible() -> None:
    assert ItemReader(Together(), ("x", "y"), "train").read(torch.tensor([1]), 0)["y"].tolist() == [101]


def test_images_of_pillow_are_read() -> None:
    examples = Objects([(Image.new("L", (4, 2), 255), 7)]).examples("train")

    assert examples.fields() == {"image": ((1, 2, 4), torch.float32), "label": ((), torch.int64)}


class Drawing(Items):
    def __getitem__(self, index: int) -> Any:
        return torch.rand(()) + np.random.rand(), index


def test_random_items_depend_on_the_seed_alone() -> None:
    reader = ItemReader(Drawing(), ("x", "y"), "train")
    first, again, other = (reader.read(torch.tensor([0, 1]), seed)["x"] for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_length_of_an_iterable_can_be_said() -> None:
    examples = Objects(lambda: iter(Streamed()), length=3).examples("train")

    assert isinstance(examples, Passes)
    assert examples.count(2) == (2, 3)
