"""NumPy's files; damaged ones are in test_bad_data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rillnet.data.sources.arrays import Arrays
from rillnet.errors import DataError, RequestError


def test_one_file_per_field(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(6.0, dtype=np.float32).reshape(3, 2))
    np.save(tmp_path / "y.npy", np.array([2, 1, 0], dtype=np.uint8))
    examples = Arrays(test={"image": "x.npy", "label": "y.npy"}, base=tmp_path).examples("test")

    assert examples.fields() == {"image": ((2,), torch.float32), "label": ((), torch.int64)}
    assert examples.gather(torch.tensor([2]))["image"].tolist() == [[4, 5]]


def test_one_file_for_all_fields(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", x=np.zeros((3, 2)), y=np.arange(3))
    source = Arrays(train="all.npz", val=str(tmp_path / "all.npz"), base=tmp_path)

    assert source.phases() == ("train", "val")
    assert source.examples("val").gather(torch.tensor([1]))["y"].tolist() == [1]


def test_files_are_mapped_and_not_written_to(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(4, dtype=np.float32))
    examples = Arrays(train={"x": "x.npy"}, base=tmp_path).examples("train")
    examples.tensors["x"].fill_(3)

    assert np.load(tmp_path / "x.npy").tolist() == [0, 0, 0, 0]


def test_other_byte_orders_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1.5, 2.5], dtype=">f4"))

    assert Arrays(train={"x": "x.npy"}, base=tmp_path).examples("train").tensors["x"].tolist() == [1.5, 2.5]


def test_which_bytes_are_scaled_can_be_said(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 2, 2), 255, dtype=np.uint8))
    kinds = [Arrays(train={"x": "x.npy"}, scale=s, base=tmp_path).examples("train").fields()["x"] for s in (None, [])]

    assert kinds == [((2, 2), torch.float32), ((2, 2), torch.int64)]


def test_looking_for_what_is_not_finite_can_be_switched_off(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([np.nan]))

    assert len(Arrays(train={"x": "x.npy"}, finite=False, base=tmp_path).examples("train")) == 1
    with pytest.raises(DataError):
        Arrays(train={"x": "x.npy"}, base=tmp_path).examples("train")


def test_no_files_at_all() -> None:
    with pytest.raises(RequestError) as raised:
        Arrays()

    assert str(raised.value) == "must name the files of train, val or test"
