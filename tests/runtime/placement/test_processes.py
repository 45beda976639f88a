"""Processes agree on what they are told, on who asks to stop, and on going on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rillnet.errors import RunError
from rillnet.runtime.placement.processes import Processes
from tests.placed import in_processes


def agreed() -> dict[str, Any]:
    processes = Processes()
    found: dict[str, Any] = {"everyone": processes.everyone({"rank": processes.rank, "text": "é" * processes.rank})}
    found["told"] = processes.told(f"from {processes.rank}")
    found["asked"] = [processes.most_asked(2 if processes.rank == 1 and step == 1 else 0) for step in range(4)]
    processes.settle()
    with pytest.raises((RunError, ValueError)) as error:
        processes.check(ValueError("broken") if processes.rank == 1 else None)
    return {**found, "error": str(error.value)}


def test_processes_agree(tmp_path: Path) -> None:
    first, second = in_processes(2, tmp_path, agreed)
    assert first["everyone"] == second["everyone"] == [{"rank": 0, "text": ""}, {"rank": 1, "text": "é"}]
    assert (first["told"], second["told"]) == ("from 0", "from 0")
    assert first["asked"] == second["asked"] == [0, 0, 2, 0]
    assert (first["error"], second["error"]) == ("process 1 cannot go on: broken", "broken")
