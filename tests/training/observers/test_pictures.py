from __future__ import annotations

import struct
from pathlib import Path

from rillnet.runtime.session import Session
from tests.training.observers.test_observer import observed
from tests.training.small_experiments import experiment


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, as a PNG's header has them."""
    found = struct.unpack(">II", path.read_bytes()[16:24])
    return found[0], found[1]


def test_pictures_are_written_and_told_of(tmp_path: Path) -> None:
    observe = [
        {"type": "Filters", "of": "net/conv/weight"},
        {"type": "FeatureMaps", "of": "net/conv/output", "every": "end", "channel": "mean"},
        {"type": "Filters", "of": "net/logits/weight", "shape": [3, 16], "every": "end"},
    ]
    made = experiment(run={"epochs": 2, "execution": "eager"}, observe=observe)
    with Session(made, root=tmp_path, say=lambda text: None) as session:
        session.run(progress=False)
        assert session.record is not None
        folder = session.record.directory.path
    rows = observed(tmp_path)
    assert [row["picture"] for row in rows] == [
        "conv-weight.png",
        "conv-weight.png",
        "conv-output.png",
        "logits-weight.png",
    ]
    assert size_of(folder / "conv-weight.png") == (3, 9)  # three kernels of 3 x 3, a row for each
    assert size_of(folder / "conv-output.png") == (4, 4)
    assert size_of(folder / "logits-weight.png") == (32, 3)
    assert all(row["low"] < row["high"] for row in rows)
