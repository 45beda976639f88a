"""Iterables and data loaders: how they are gone through, counted and repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset

from rillnet.data.passes import Passes
from rillnet.errors import DataError, RequestError


def examples(count: int = 5) -> Iterator[tuple[float, int]]:
    return ((float(index), index) for index in range(count))


def labels(passes: Passes, **settings: Any) -> list[list[int]]:
    return [batch["label"].tolist() for batch in passes.begin(**{"batch_size": 2, **settings})]


def test_examples_are_stacked_into_batches() -> None:
    assert labels(Passes(examples)) == [[0, 1], [2, 3], [4]]
    assert labels(Passes(lambda: iter([]))) == []


def test_an_epoch_can_be_given_a_length() -> None:
    endless = Passes(lambda: ((0.0, number) for number in iter(int, 1)), length=3)

    assert labels(endless) == [[0, 0], [0]]
    assert endless.count(2) == (2, 3)


def test_bytes_are_scaled() -> None:
    batch = next(Passes(lambda: iter([np.full((1, 2, 2), 255, dtype=np.uint8)])).begin(1))

    assert batch["image"].dtype is torch.float32
    assert batch["image"].unique().tolist() == [1.0]


def test_fields_are_known_from_the_first_item() -> None:
    assert Passes(examples).fields() == {"image": ((), torch.float32), "label": ((), torch.int64)}


def test_batches_can_come_ready_made() -> None:
    passes = Passes(lambda: iter([([1.0, 2.0], [0, 1]), ([3.0], [2])]), batched=True)

    assert labels(passes) == [[0, 1], [2]]
    assert passes.count(9) == (2, 3)


class Sized:
    def __init__(self) -> None:
        self.begun = 0

    def __len__(self) -> int:
        return 5

    def __iter__(self) -> Iterator[tuple[float, int]]:
        self.begun += 1
        return examples()


def test_counting_asks_for_a_length_before_it_goes_through() -> None:
    sized, counted = Sized(), Passes(examples)

    assert Passes(sized).count(2) == (3, 5)
    assert sized.begun == 0
    assert counted.count(2) == counted.count(2) == (3, 5)


DATASET = TensorDataset(torch.arange(10.0), torch.arange(10))


@pytest.mark.parametrize(
    ("loader", "count"),
    [
        (DataLoader(DATASET, batch_size=4), (3, 10)),
        (DataLoader(DATASET, batch_size=4, drop_last=True), (2, 8)),
        (DataLoader(DATASET, batch_size=4, sampler=RandomSampler(DATASET, num_samples=6)), (2, 6)),
        (DataLoader(DATASET, batch_sampler=[[0, 1], [2], [3, 4, 5]]), (3, 6)),
        (DataLoader(DATASET, batch_size=None), None),
    ],
)
def test_loaders_are_counted(loader: DataLoader[Any], count: tuple[int, int] | None) -> None:
    if count is None:
        with pytest.raises(DataError, match="must have a first dimension that counts examples"):
            Passes(loader).count(4)
    else:
        assert Passes(loader).count(4) == count
        batches = [len(batch["label"]) for batch in Passes(loader).begin(4)]
        assert (len(batches), sum(batches)) == count


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[tuple[float, int]]:
        return examples(7)


def test_a_loader_of_a_stream_is_counted_by_going_through() -> None:
    assert Passes(DataLoader(Stream(), batch_size=3)).count(99) == (3, 7)


def drawing() -> Iterator[tuple[float, int]]:
    return ((random.random() + float(np.random.rand()) + float(torch.rand(())), index) for index in range(4))


def test_random_examples_are_repeated() -> None:
    def images(**settings: int) -> list[float]:
        return [value for b in Passes(drawing).begin(2, **settings) for value in b["image"].tolist()]

    assert images(seed=1) == images(seed=1)
    assert len({*images(seed=1), *images(seed=2), *images(seed=1, epoch=1)}) == 12


@pytest.mark.parametrize("generator", [None, torch.Generator()])
def test_the_order_of_a_loader_is_repeated(generator: torch.Generator | None) -> None:
    passes = Passes(DataLoader(DATASET, batch_size=5, shuffle=True, generator=generator))

    assert labels(passes, seed=1) == labels(passes, seed=1)
    assert labels(passes, seed=1) != labels(passes, seed=2)
    assert labels(passes, seed=1) != labels(passes, seed=1, epoch=1)


class Told(RandomSampler):
    epoch = -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def test_samplers_are_told_the_epoch() -> None:
    sampler = Told(DATASET)
    labels(Passes(DataLoader(DATASET, sampler=sampler)), epoch=3)

    assert sampler.epoch == 3


class Drawing(Dataset[Any]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.rand(()), index


@pytest.mark.parametrize("persistent", [False, True])
def test_random_transforms_in_workers_are_repeated(persistent: bool) -> None:
    passes = Passes(DataLoader(Drawing(), batch_size=2, num_workers=1, persistent_workers=persistent))
    first, again, other = ([b["image"].tolist() for b in passes.begin(2, seed=seed)] for seed in (1, 1, 2))

    assert first == again != other


def test_an_iterator_cannot_be_gone_through_twice() -> None:
    with pytest.raises(RequestError) as raised:
        Passes(examples())

    assert str(raised.value) == (
        "train: must be an iterable that begins anew in each epoch, and generator can be gone through only once: "
        "give the function that makes it"
    )
