"""The sockets of a session: every viewer is told how it stands, what was commanded, its metrics and the machine's."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from rillnet.errors import Fault
from rillnet.runtime.control.history import Event
from rillnet.serving.rest.asgi import Receive, Scope, Send
from rillnet.serving.rest.faults import record_of, shown
from rillnet.serving.rest.local import LocalSession
from rillnet.serving.rest.metrics import Tail, values_of
from rillnet.serving.rest.system import SystemFigures
from rillnet.serving.rest.viewer import Viewer

STATUS_S = 0.2
METRICS_S = 0.5
SYSTEM_S = 1.0


class Stream:
    """The viewers of a session of this process.

    Nothing of it runs while there is no viewer. All of it runs in the thread of the server's loop.

    Args:
        local: the session.
    """

    def __init__(self, local: LocalSession) -> None:
        self.local = local
        self._viewers: set[Viewer] = set()
        self._pulse: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._viewers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a socket until its end."""
        if (await receive())["type"] != "websocket.connect":
            return
        viewer = Viewer(self.local, receive, send)
        self._viewers.add(viewer)
        try:
            if self._pulse is None:
                self._begin()
            viewer.outbox.put({"type": "status", **await self._status()})
            if self.local.ended is not None:
                viewer.outbox.put({"type": "ended", "reason": self.local.ended})
            await viewer.serve()
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._end()

    def end(self, reason: str) -> None:
        """Tells all that the run has ended; from any thread."""
        self.local.ended = reason
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the server has ended first
                self._loop.call_soon_threadsafe(self._tell, {"type": "ended", "reason": reason})

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.local.session.control.listeners.append(self._heard)
        self._pulse = asyncio.ensure_future(self._beat())

    def _end(self) -> None:
        self.local.session.control.listeners.remove(self._heard)
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None

    # --- what all are told --------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Called in the thread that applies commands."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pass_on, event)

    def _pass_on(self, event: Event) -> None:
        if event.entry is not None:
            self._tell({"type": "entry", **shown(event.entry.as_dict())})
        if self._viewers:  # the last one may have gone since
            self._tell_newest({"type": "status", **self.local.status()})

    def _tell_newest(self, message: dict[str, Any]) -> None:
        for viewer in self._viewers:
            viewer.outbox.put_newest(message)

    def _tell(self, message: dict[str, Any]) -> None:
        for viewer in self._viewers:
            viewer.outbox.put(message)

    async def _status(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.local.status)

    async def _beat(self) -> None:
        """Looks at what changes by itself, and tells what has changed."""
        pulse = _Pulse(SystemFigures())
        while True:
            await asyncio.sleep(STATUS_S)
            try:
                await self._look(pulse)
            except Exception as error:  # whatever one look fails on, viewers wait for the next ones
                self._tell_failure(pulse, error)

    async def _look(self, pulse: _Pulse) -> None:
        pulse.beat += 1
        status = await self._status()
        if status != pulse.status:
            pulse.status = status
            self._tell_newest({"type": "status", **status})
        if pulse.beat % round(METRICS_S / STATUS_S) == 0:
            pulse.tail = pulse.tail or _tail_of(self.local)
            if pulse.tail is not None:
                await self._tell_metrics(pulse.tail)
        if pulse.beat % round(SYSTEM_S / STATUS_S) == 0:
            self._tell_newest({"type": "system", **await asyncio.to_thread(pulse.figures.read)})

    def _tell_failure(self, pulse: _Pulse, error: Exception) -> None:
        """Says once what keeps on failing, rather than five times a second."""
        rule = f"what changes by itself cannot be told: {type(error).__name__}: {error}"
        if rule != pulse.failure:
            pulse.failure = rule
            self._tell({"type": "refused", "id": None, "faults": [record_of(Fault("", rule)).model_dump()]})

    async def _tell_metrics(self, tail: Tail) -> None:
        rows, is_new = await asyncio.to_thread(tail.read)
        if is_new:
            self._tell({"type": "metrics", "rows": [], "reset": True})
        if rows:
            told = [{"step": row["step"], **values_of(row)} for _, row in rows]
            self._tell({"type": "metrics", "rows": told, "last": tail.place})


@dataclass
class _Pulse:
    """What is remembered from one look to the next, as long as somebody looks."""

    figures: SystemFigures
    tail: Tail | None = None
    status: dict[str, Any] = field(default_factory=dict)
    beat: int = 0
    failure: str = ""


def _tail_of(local: LocalSession) -> Tail | None:
    """What will be written from now on to the metrics of a session's run, if there is one."""
    record = local.session.open_record
    if record is None:
        return None
    tail = Tail(record.metrics.path)
    tail.skip()
    return tail
