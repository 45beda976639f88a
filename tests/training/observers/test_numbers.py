from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rillnet.runtime.session import Session
from tests.training.observers.test_observer import observed
from tests.training.small_experiments import line_experiment


def test_numbers_are_those_of_the_parameters(tmp_path: Path) -> None:
    observe = [
        {"type": kind, "of": "net/fit/weight", "every": "end"}
        for kind in ("Distribution", "Histogram", "Health", "Scalar")
    ]
    with Session(line_experiment(observe=observe, run={"epochs": 2}), root=tmp_path, say=lambda text: None) as session:
        session.run(progress=False)
        weight = float(session["net/fit/weight"].detach())
    by_kind = {row["observer"]: row for row in observed(tmp_path)}
    assert by_kind["Scalar"]["mean"] == pytest.approx(weight)
    percentiles = by_kind["Distribution"]["percentiles"]
    assert list(percentiles) == ["0", "7", "16", "31", "50", "69", "84", "93", "100"]
    np.testing.assert_allclose(list(percentiles.values()), weight, rtol=1e-6)
    assert {name: by_kind["Health"][name] for name in ("nan", "infinite", "zero")} == {
        "nan": 0,
        "infinite": 0,
        "zero": 0,
    }
    histogram = by_kind["Histogram"]
    assert (sum(histogram["counts"]), len(histogram["counts"])) == (1, 50)
    assert histogram["low"] < weight < histogram["high"]
    assert torch.isfinite(torch.tensor(weight))
