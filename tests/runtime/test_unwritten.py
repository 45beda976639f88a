"""What a checkpoint is written from is of one moment, whatever changes before it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.unwritten import Unwritten


def test_nothing_that_happens_later_is_in_it(tmp_path: Path) -> None:
    weight, values = torch.ones(3), {"metrics": {"loss": [1.0]}}
    unwritten = Unwritten.copied(7, {"parameters": {"net/a/weight": weight, "net/b/weight": weight}}, values)
    weight.zero_()
    values["metrics"]["loss"].append(2.0)

    found = checkpoints.load(checkpoints.write(tmp_path, unwritten))

    assert (found.step, found.values) == (7, {"metrics": {"loss": [1.0]}})
    read = found.tensors("parameters")
    assert read["net/a/weight"].tolist() == [1.0, 1.0, 1.0]
    assert read["net/a/weight"] is read["net/b/weight"]


def test_what_cannot_be_stored_is_told_before_anything_is_written() -> None:
    with pytest.raises(RequestError, match="a checkpoint cannot hold such a tensor"):
        Unwritten.copied(1, {"parameters": {"net/a/weight": torch.zeros(1, dtype=torch.complex128)}}, {})
