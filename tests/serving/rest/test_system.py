from __future__ import annotations

import json
from pathlib import Path

from rillnet.serving.rest.system import SystemFigures


def test_figures_of_this_machine() -> None:
    figures = SystemFigures()
    sum(number * number for number in range(300_000))
    found = figures.read()

    assert found["memory"] > 2**20
    assert found["memory_total"] > found["memory_free"] > 0
    assert found["process_cpu"] > 0
    assert found["cores"] >= 1
    json.dumps(found)


def test_the_share_of_the_processor_is_that_since_the_last_reading(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  10 0 10 80 0 0 0 0 0 0\n")
    figures = SystemFigures(tmp_path)
    (tmp_path / "stat").write_text("cpu  20 0 20 160 0 0 0 0 0 0\n")
    assert figures.read()["cpu"] == 0.2

    (tmp_path / "stat").write_text("cpu  120 0 20 160 0 0 0 0 0 0\n")
    assert figures.read()["cpu"] == 1.0


def test_a_system_that_tells_nothing_is_told_as_nothing(tmp_path: Path) -> None:
    found = SystemFigures(tmp_path / "absent").read()

    assert (found["cpu"], found["memory"], found["memory_total"], found["memory_free"]) == (None, None, None, None)
