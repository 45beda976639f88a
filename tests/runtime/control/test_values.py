"""Arguments of commands in the journal, and beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.control.values import MOST, packed, plain, unpacked


def test_small_arrays_become_lists_and_large_ones_files(tmp_path: Path) -> None:
    large = torch.randn(MOST + 1)
    arguments = {"address": "a", "value": plain(large), "other": plain(np.arange(3)), "number": np.float64(0.5)}
    kept = packed({**arguments, "number": plain(arguments["number"])}, tmp_path)
    assert kept["other"] == [0, 1, 2]
    assert type(kept["number"]) is float
    again = unpacked(kept, tmp_path)
    assert torch.equal(again["value"], large)
    assert packed(arguments, tmp_path)["value"] == kept["value"]  # the same content is the same file
    assert len(list((tmp_path / "values").iterdir())) == 1


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=5))
def test_numbers_keep_all_their_bits(numbers: list[float]) -> None:
    tensor = torch.tensor(numbers, dtype=torch.float32)
    assert torch.equal(torch.tensor(plain(tensor), dtype=torch.float32), tensor)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "values/../../x", "values/none.safetensors"])
def test_files_from_elsewhere_are_not_read(tmp_path: Path, name: str) -> None:
    value: dict[str, Any] = {"file": name}
    with pytest.raises(RequestError) as error:
        unpacked({"value": value}, tmp_path)
    assert str(error.value).startswith("value: ")
    with pytest.raises(RequestError):
        unpacked({"value": value}, None)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(RequestError, match=r"value: cannot be read: .*x\.safetensors"):
        unpacked({"value": {"file": "values/x.safetensors"}}, tmp_path)
