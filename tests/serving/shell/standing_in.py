"""A session that answers from tables, for the tests of what stands around one."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control.commands import COMMANDS
from rillnet.serving.shell.protocol import Observed, Wanted

STATUS: dict[str, Any] = {
    "id": "tiny/1",
    "state": "running",
    "clock": {"frame": 1200, "step": 1200, "epoch": 2.5, "examples": 38400},
    "speed": 30.0,
    "frames_per_second": 29.97,
    "rules": [{"name": "main", "type": "Backprop", "active": True, "rate": 0.01}],
    "interventions": [{"kind": "clamp", "target": "hidden1", "value": 0.5}],
    "revision": 0,
}


class StandIn:
    """A session that answers from tables and keeps what it was told.

    Args:
        addresses: what stands where; a number, or a list for a shape.
    """

    def __init__(self, addresses: dict[str, Any] | None = None) -> None:
        self.name = "tiny/1"
        self.has_ended = False
        self.told: list[str] = []
        self.asked: list[str] = []
        self.results: dict[str, Any] = {}
        self.readings: list[Observed] = []
        self.streamed: Wanted | None = None
        self.is_closed = False
        self.revision = 0
        self.known = {"clock/frame": 1200, "learning/main/rate": 0.01} if addresses is None else addresses

    def command(self, text: str) -> Any:
        self.told.append(text)
        if text.startswith("wrong"):
            raise RequestError(Fault("command", "unknown command", text))
        return self.results.get(text)

    def commands(self) -> list[dict[str, Any]]:
        self.asked.append("commands")
        return [kind.as_dict() for kind in COMMANDS.values()]

    def status(self) -> dict[str, Any]:
        return {**STATUS, "revision": self.revision}

    def addresses(self, pattern: str, limit: int | None = None) -> list[dict[str, Any]]:
        self.asked.append(pattern)
        found = [
            {"address": address, "kind": "number", "shape": value, "value": None}
            if isinstance(value, list)
            else {"address": address, "kind": "number", "shape": [], "value": value}
            for address, value in self.known.items()
            if fnmatch.fnmatchcase(address, pattern)
        ]
        return found[:limit]

    def names(self) -> list[str]:
        self.asked.append("names")
        return list(self.known)

    def description(self) -> dict[str, Any]:
        self.asked.append("net")
        blocks, edges = ("hidden1", "hidden2"), (("image", "hidden1"), ("hidden1", "hidden2"))
        return {
            "name": "tiny",
            "inputs": [{"name": "image"}],
            "blocks": [{"path": path, "tags": ["deep"] if path == "hidden2" else []} for path in blocks],
            "edges": [{"from": one, "to": other} for one, other in edges],
        }

    def stream(self, wanted: Wanted) -> Iterator[Observed]:
        self.streamed = wanted
        try:
            yield from self.readings
        finally:
            self.is_closed = True

    def close(self) -> str:
        return ""
