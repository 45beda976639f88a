"""The numbers of a run."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from rillnet.errors import MissingExtraError
from rillnet.runtime.metricslog import MetricsLog


@pytest.fixture
def without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)


def test_rows_come_back(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, tensorboard=False)
    log.write(50, 0.5, "train", {"loss": torch.tensor(0.25), "rate": 1})
    log.write(100, 1, "val", {"accuracy": 0.5})
    assert not log.tensorboard
    assert [(row.step, row.epoch, row.phase, row.values) for row in log.read()] == [
        (50, 0.5, "train", {"loss": 0.25, "rate": 1.0}),
        (100, 1, "val", {"accuracy": 0.5}),
    ]
    assert not (tmp_path / "tensorboard").exists()


def test_every_row_is_json_even_where_a_number_is_none_of_it(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, tensorboard=False)
    log.write(1, 0, "train", {"loss": math.nan, "norm": math.inf, "gain": -math.inf})
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row["values"] == {"loss": "NaN", "norm": "Infinity", "gain": "-Infinity"}
    assert repr(log.read()[0].values) == "{'loss': nan, 'norm': inf, 'gain': -inf}"


def test_no_row_appears_twice_after_going_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    log = MetricsLog(tmp_path)
    for step in range(1, 6):
        log.write(step, 0, "train", {"loss": step})
    with log.path.open("ab") as file:
        file.write(b'{"step": 6, "ep')
    again = MetricsLog(tmp_path)
    assert again.truncate_after(3) == 3
    for step in range(4, 7):
        again.write(step, 0, "train", {"loss": step})
    again.sync()
    again.close()
    assert [row.step for row in again.read()] == [1, 2, 3, 4, 5, 6]
    content = b"".join(path.read_bytes() for path in (tmp_path / "tensorboard").iterdir())
    assert content.count(b"loss/train") == 6


def test_works_without_tensorboard(tmp_path: Path, without_tensorboard: None) -> None:
    log = MetricsLog(tmp_path)
    log.write(1, 0, "train", {"loss": 1.0})
    log.truncate_after(0)
    log.close()
    assert not log.tensorboard
    assert log.read() == []
    with pytest.raises(MissingExtraError):
        MetricsLog(tmp_path, tensorboard=True)
