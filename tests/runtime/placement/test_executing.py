"""Blocks that add up tell of it; whole frames are tested with whole runs in tests/training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rillnet.runtime.placement.executing import NotedLocal, note_sums


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, doing: str, what: str) -> None:
        self.notes.append(f"{doing} {what}")


def test_a_block_that_adds_up_tells_before_and_after() -> None:
    class Adds:
        group, module = None, "the module"

        def __call__(self, value: int) -> int:
            return value + 1

    notes: Any = Notes()
    placed: Any = SimpleNamespace(locals={"loss": Adds(), "fit": object(), "far": None})
    note_sums(placed, notes)
    assert isinstance(placed.locals["loss"], NotedLocal)
    assert (placed.locals["loss"](1), placed.locals["loss"].module) == (2, "the module")
    assert notes.notes == ["waits in sums of loss", "computes what follows loss"]
    assert not isinstance(placed.locals["fit"], NotedLocal)
