"""Examples in memory, and some of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.examples import ArrayExamples, Examples, Request, Streaming, subset
from rillnet.errors import DataError


def test_gathering_keeps_the_order_asked_for() -> None:
    examples = ArrayExamples({"x": torch.arange(5.0), "y": torch.arange(5)})
    gathered = examples.gather(torch.tensor([4, 0, 4]))

    assert gathered["x"].tolist() == [4, 0, 4]
    assert gathered["y"].tolist() == [4, 0, 4]
    assert len(examples) == 5


def test_gathered_tensors_are_copies() -> None:
    tensor = torch.arange(3.0)
    ArrayExamples({"x": tensor}).gather(torch.tensor([0, 1, 2]))["x"].zero_()

    assert tensor.tolist() == [0, 1, 2]


def test_images_stay_bytes_in_memory() -> None:
    examples = ArrayExamples({"image": torch.full((2, 1, 2, 2), 255, dtype=torch.uint8)})

    assert examples.tensors["image"].dtype is torch.uint8
    assert examples.gather(torch.tensor([0]))["image"].unique().tolist() == [1.0]


def test_masks_of_bytes_can_be_kept_as_integers() -> None:
    mask = torch.tensor([[[3, 255]]], dtype=torch.uint8)
    examples = ArrayExamples({"mask": mask}, scale=[])

    assert examples.fields() == {"mask": ((1, 2), torch.int64)}
    assert examples.gather(torch.tensor([0]))["mask"].tolist() == [[[3, 255]]]


def test_only_bytes_can_be_scaled() -> None:
    with pytest.raises(DataError) as raised:
        ArrayExamples({"x": torch.zeros(2)}, scale=["x"])

    assert str(raised.value) == "data.x: must be a field of bytes (uint8) to be scaled to [0, 1]"


class Read:
    """Examples that note which of them were asked for, at once or ahead."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return 10

    def fields(self) -> dict[str, FieldKind]:
        return {"x": ((), torch.int64)}

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        self.asked.append(indices.tolist())
        return {"x": indices}


class ReadAhead(Read):
    def open_stream(self) -> ReadAhead:
        return self

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        return (self.gather(indices) for indices, _ in requests)

    def close(self) -> None:
        self.asked = []


@pytest.mark.parametrize("kind", [Read, ReadAhead])
def test_a_subset_asks_the_whole(kind: type[Read]) -> None:
    whole = kind()
    some = subset(whole, torch.tensor([8, 6, 4]))

    assert isinstance(some, Examples)
    assert isinstance(some, Streaming) == isinstance(whole, Streaming)
    assert len(some) == 3
    assert some.fields() == whole.fields()
    assert some.gather(torch.tensor([2, 0]))["x"].tolist() == [4, 8]


def test_a_subset_reads_ahead_what_it_stands_for() -> None:
    whole = ReadAhead()
    some = subset(whole, torch.tensor([8, 6, 4]))
    assert isinstance(some, Streaming)
    stream = some.open_stream()
    read = list(stream.batches([(torch.tensor([1]), 0), (torch.tensor([0, 2]), 0)]))

    assert [batch["x"].tolist() for batch in read] == [[6], [8, 4]]
    stream.close()
    assert whole.asked == []


def test_a_subset_of_a_subset() -> None:
    examples = ArrayExamples({"x": torch.arange(10) * 10})
    inner = subset(subset(examples, torch.tensor([1, 3, 5])), torch.tensor([2, 0]))

    assert inner.gather(torch.tensor([0, 1]))["x"].tolist() == [50, 10]
