from __future__ import annotations

import numpy as np

from rillnet.runtime.observers.reading import NOTHING, Reading


def test_a_reading_that_only_tells_a_fault_has_no_data() -> None:
    reading = Reading(1, 2, NOTHING, fault="is not there any more")
    assert (reading.data.size, reading.low, reading.high) == (0, 0.0, 0.0)
    assert Reading(1, 2, np.zeros(3, np.float32)).fault == ""
