"""The record that crosses to the running net."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rillnet.data.batch import Batch


@pytest.fixture
def batch() -> Batch:
    fields = {"image": torch.rand(2, 3), "label": torch.tensor([1, 2]), "mask": torch.tensor([True, False])}
    return Batch(fields, 2, epoch=1, index=4, indices=torch.tensor([7, 9]))


def test_fields_are_found_by_name(batch: Batch) -> None:
    assert batch["label"].tolist() == [1, 2]


def test_casting_changes_floating_fields_only(batch: Batch) -> None:
    cast = batch.cast(torch.float64)

    assert [value.dtype for value in cast.fields.values()] == [torch.float64, torch.int64, torch.bool]
    assert batch["image"].dtype is torch.float32
    assert (cast.size, cast.epoch, cast.index) == (2, 1, 4)


def test_moving_keeps_everything_else(batch: Batch) -> None:
    moved = batch.to("meta")

    assert {value.device.type for value in moved.fields.values()} == {"meta"}
    assert moved.indices is batch.indices
    assert (moved.size, moved.epoch, moved.index) == (2, 1, 4)


def test_it_cannot_be_changed(batch: Batch) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.size = 3  # type: ignore[misc]
