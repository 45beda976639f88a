"""A process that is alone finds its record and its checkpoints by itself; several are tested where runs are trained."""

from __future__ import annotations

from pathlib import Path

import torch

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.together import newest, shared_record


def test_a_process_that_is_alone_asks_nobody(tmp_path: Path) -> None:
    assert shared_record(None, lambda: None) is None
    assert newest(None, tmp_path) == (None, [])
    checkpoints.save(tmp_path, 2, {"parameters": {"net/fit/weight": torch.ones(1)}}, {})
    found, damaged = newest(None, tmp_path)
    assert (found.step if found else None, damaged) == (2, [])
