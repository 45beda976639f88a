from __future__ import annotations

import numpy as np
import pytest

from rillnet.errors import RequestError
from rillnet.runtime.observers.lines import line_of
from rillnet.runtime.observers.query import Query, make_reduction
from rillnet.runtime.observers.reading import Reading
from rillnet.runtime.session import Session
from tests.training.small_experiments import line_experiment


@pytest.mark.parametrize(
    ("reduction", "data", "expected"),
    [
        ("scalar", np.array(0.25, np.float32), "frame 3  net/a/weight  0.25"),
        ("health", np.array([1, 2, 3], np.int32), "frame 3  net/a/weight  1 NaN, 2 infinite, 3 zero"),
        (
            "percentiles",
            np.arange(9, dtype=np.float32),
            "frame 3  net/a/weight  0%: 0  7%: 1  16%: 2  31%: 3  50%: 4  69%: 5  84%: 6  93%: 7  100%: 8",
        ),
        (
            "distribution",
            np.arange(10, dtype=np.float32)[None],
            "frame 3  net/a/weight  0%: 1  7%: 2  16%: 3  31%: 4  50%: 5  69%: 6  84%: 7  93%: 8  100%: 9",
        ),
        ("whole", np.array([[1.0, 2.5]], np.float32), "frame 3  net/a/weight  1  2.5"),
        ("whole", np.arange(20, dtype=np.float32), "frame 3  net/a/weight  20 numbers from 0 to 19"),
        ("thumbnail", np.zeros((8, 8), np.uint8), "frame 3  net/a/weight  8 x 8 numbers from -1 to 2"),
    ],
)
def test_a_reading_is_a_line(reduction: str, data: np.ndarray, expected: str) -> None:
    query = Query(("net/a/weight",), make_reduction(reduction, {}))
    assert line_of(Reading(1, 3, data, -1.0, 2.0), query) == expected


def test_lines_are_kept_and_told() -> None:
    with Session(line_experiment(), record=False, say=lambda text: None) as session:
        lines, heard = session.views.lines, []
        lines.listeners.append(heard.append)
        number = lines.watch("clock/frame", "scalar", rate=1000)
        session.learn()
        session.learn()
        assert heard == ["frame 0  clock/frame  0", "frame 1  clock/frame  1", "frame 2  clock/frame  2"]
        assert lines.read() == heard
        assert lines.read() == []
        lines.unwatch(number)
        assert session.views.counts == {"views": 0, "watches": 0, "dropped": 0}
        with pytest.raises(RequestError, match=r"^id: there is no such watch"):
            lines.unwatch(number)
