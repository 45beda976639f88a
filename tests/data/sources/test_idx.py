"""The idx format; what is wrong with damaged files is in test_bad_data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rillnet.data.sources.idx import read_idx
from rillnet.errors import DataError

WriteIdx = Callable[[Path, np.ndarray], Path]


@pytest.mark.parametrize("name", ["values", "values.gz"])
@pytest.mark.parametrize("shape", [(5,), (3, 2, 4)])
def test_files_are_read_packed_or_not(tmp_path: Path, write_idx: WriteIdx, name: str, shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    read = read_idx(write_idx(tmp_path / name, values), len(shape), "replace it")

    assert read.dtype is torch.uint8
    assert read.tolist() == values.tolist()


def test_what_is_read_can_be_written_to(tmp_path: Path, write_idx: WriteIdx) -> None:
    read_idx(write_idx(tmp_path / "values", np.arange(3)), 1, "")[0] = 9


def test_the_remedy_is_told(tmp_path: Path) -> None:
    (tmp_path / "values").write_bytes(b"ab")
    with pytest.raises(DataError) as raised:
        read_idx(tmp_path / "values", 1, "ask for another")

    assert str(raised.value) == f"{tmp_path}/values: must be an idx file, but has only 2 bytes; ask for another"


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read_idx(tmp_path / "values", 1, "")

    assert str(raised.value) == f"{tmp_path}/values: cannot be read: No such file or directory"
