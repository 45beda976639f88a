"""A run of several processes of which any are killed at any moment ends with the bits of the undisturbed run.

Ten are killed; as many as RILLNET_KILLS says where it is set, as in `RILLNET_KILLS=100 pytest -s ...`, which also
prints who was killed at which step.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.placement.killing import (
    DOCUMENT,
    KINDS,
    WarmRuns,
    assert_each_example_once,
    differing,
    newest_step,
    runs_of,
    tensors,
)

KILLS = int(os.environ.get("RILLNET_KILLS", "10"))


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * KILLS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_killed_at_random_moments(kind: str, tmp_path: Path) -> None:
    processes, placement, more = KINDS[kind]
    kills, drawn = KILLS // len(KINDS), random.Random(f"{kind} {KILLS}")
    document = f"{DOCUMENT}placement: {json.dumps({**placement, 'max_restarts': 1000, 'timeout': 20})}\n"
    with runs_of(tmp_path, document, "--processes", str(processes), *more, kind=WarmRuns) as runs:
        runs.end(tmp_path / "whole")
        expected, done, number = tensors(tmp_path / "whole"), 0, 0
        while done < kills:
            number += 1
            root = tmp_path / f"parts{number}"
            done += runs.killed(root, kills - done, drawn)
            found = tensors(root)
            assert differing(found, expected) == [], (number, runs.victims.killed)
            assert_each_example_once(found)
        killed = runs.victims.killed

    assert len(killed) == done
    who = Counter(name for name, _ in killed)
    print(f"{kind}: {done} kills in {number} runs of {newest_step(tmp_path / 'whole')} steps, {dict(who)}:", killed)
