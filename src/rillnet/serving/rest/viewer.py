"""One viewer of a session: what it asks over its socket, and what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from rillnet.errors import Fault, RequestError, RillnetError
from rillnet.runtime.control.history import Entry
from rillnet.runtime.observers import wire
from rillnet.runtime.observers.reading import Reading
from rillnet.serving.rest.asgi import Message, Receive, Send
from rillnet.serving.rest.faults import encoded, refusal_of, shown
from rillnet.serving.rest.limits import Bucket
from rillnet.serving.rest.local import LONGEST_ORIGIN, LocalSession, entry_of, is_origin
from rillnet.serving.rest.outbox import Outbox

ORIGIN = "browser"
STALLED_S = 30.0
"""A viewer who takes nothing for so long is let go."""

MOST_ASKED = 20_000
"""So many of a viewer's messages wait at most."""

LARGEST_MESSAGE = 2**18
"""Bytes of readings in one message: larger ones are slow to send."""

_RUBBISH, _TOO_MUCH, _ENDED, _STALLED = 1007, 1008, 1001, 1013  # codes that close a socket
_RATE = (500.0, 30_000)
_READY_POLL_S = 0.05
_WORDS = "watch, unwatch, command or ping"


class Viewer:
    """A viewer, from its socket's opening to its end.

    Args:
        local: the session that is looked at.
        receive: gives what comes.
        send: takes what goes.
    """

    def __init__(self, local: LocalSession, receive: Receive, send: Send) -> None:
        self.local = local
        self._receive, self._send = receive, send
        self.outbox = Outbox(asyncio.get_running_loop())
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_ASKED)
        self._bucket = Bucket(*_RATE)
        self._view: Any = None
        self._results: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answers until the viewer or the server goes."""
        await self._send({"type": "websocket.accept"})
        self.outbox.put({"type": "hello", "session": self.local.id, "revision": self.local.revision})
        tasks = [asyncio.ensure_future(work) for work in (self._hear(), self._answer(), self._tell())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code = next((task.result() for task in done if task.exception() is None), _ENDED)
            if code:
                await self._close(code)
        finally:
            for task in (*tasks, *self._results):
                task.cancel()
            await asyncio.gather(*tasks, *self._results, return_exceptions=True)
            if self._view is not None:
                self._view.close()

    async def _close(self, code: int) -> None:
        with contextlib.suppress(Exception):  # it may be gone already
            await asyncio.wait_for(self._send({"type": "websocket.close", "code": code}), STALLED_S)

    # --- what comes ---------------------------------------------------------------------------

    async def _hear(self) -> int:
        """Takes messages until the viewer goes; returns the code to close with, 0 where it is closed."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return 0
            if message["type"] != "websocket.receive":
                continue
            if not self._bucket.take() or self._asked.full():
                return _TOO_MUCH
            asked = self._read(message)
            if asked is None:
                continue
            if asked["type"] == "ping":
                self.outbox.put({"type": "pong", "id": asked["id"]})
            else:
                self._asked.put_nowait(asked)

    def _read(self, message: Message) -> dict[str, Any] | None:
        """What a message asks; None for one that asks nothing, which is told."""
        text, number = message.get("text"), None
        try:
            content = json.loads(text if text is not None else message.get("bytes") or b"")
            if not isinstance(content, dict):
                raise RequestError(Fault("", f"a message is a JSON object with a type: {_WORDS}"))
            number = content.get("id")
            return _checked(content)
        except RequestError as error:
            self._refuse(number, error)
        except (ValueError, RecursionError):
            self._refuse(None, RequestError(Fault("", "a message must be JSON")))
        return None

    def _refuse(self, number: Any, error: RillnetError) -> None:
        faults = refusal_of(error).model_dump()["faults"]
        self.outbox.put({"type": "refused", "id": number if isinstance(number, int) else None, "faults": faults})

    # --- what is done -------------------------------------------------------------------------

    async def _answer(self) -> int:
        """Does what was asked, in the order in which it was."""
        while not self.local.is_ready:
            await asyncio.sleep(_READY_POLL_S)
        while True:
            asked = await self._asked.get()
            try:
                if asked["type"] == "command":
                    await self._command(asked)
                else:
                    await asyncio.to_thread(self._watch if asked["type"] == "watch" else self._unwatch, asked)
            except RillnetError as error:
                if asked["type"] == "command":
                    self._tell_faults(asked["id"], error)
                else:
                    self._refuse(asked["id"], error)

    async def _command(self, asked: dict[str, Any]) -> None:
        future = await asyncio.to_thread(self.local.submit, asked["text"], asked["origin"])
        task = asyncio.ensure_future(self._result(asked["id"], asyncio.wrap_future(future)))
        self._results.add(task)
        task.add_done_callback(self._results.discard)

    async def _result(self, number: int, future: asyncio.Future[Entry]) -> None:
        """Tells what came of a command."""
        try:
            entry = await asyncio.shield(future)
        except RillnetError as error:
            self._tell_faults(number, error)
        else:
            content = {"result": await asyncio.to_thread(shown, entry.result), "entry": entry_of(entry)}
            self.outbox.put({"type": "result", "id": number, **content})

    def _tell_faults(self, number: int, error: RillnetError) -> None:
        self.outbox.put({"type": "result", "id": number, "faults": refusal_of(error).model_dump()["faults"]})

    def _watch(self, asked: dict[str, Any]) -> None:
        if self._view is None:
            self._view = self.local.views.view(on_ready=self.outbox.wake)
        self._view.watch(
            asked["address"],
            asked["reduction"],
            rate=asked["rate"],
            stream=asked["stream"],
            id=asked["id"],
            **_settings(asked["settings"]),
        )

    def _unwatch(self, asked: dict[str, Any]) -> None:
        if self._view is None:
            raise RequestError(Fault("id", "there is no such watch", asked["id"]))
        self._view.unwatch(asked["id"])

    # --- what goes ----------------------------------------------------------------------------

    async def _tell(self) -> int:
        """Sends what there is, as fast as the viewer takes it."""
        while True:
            await self.outbox.wait()
            try:
                for message in self.outbox.take():
                    await self._put("text", encoded(message).decode("ascii"))
                for content in self._readings():
                    await self._put("bytes", content)
            except TimeoutError:
                return _STALLED

    async def _put(self, kind: str, content: str | bytes) -> None:
        await asyncio.wait_for(self._send({"type": "websocket.send", kind: content}), STALLED_S)

    def _readings(self) -> Iterable[bytes]:
        """The newest readings in messages that are not too large; of a watch that is over, why."""
        if self._view is None:
            return
        gathered: list[Reading] = []
        size = 0
        for reading in self._view.read():
            if reading.fault:
                self._refuse(reading.watch, RequestError(Fault("", reading.fault)))
                continue
            if gathered and size + reading.data.nbytes > LARGEST_MESSAGE:
                yield wire.encode(gathered)
                gathered, size = [], 0
            gathered.append(reading)
            size += reading.data.nbytes
        if gathered:
            yield wire.encode(gathered)


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    """A message with all that it needs.

    Raises:
        RequestError: something of it is missing or not of its kind; holds every fault.
    """
    kind = content.get("type")
    if kind not in ("watch", "unwatch", "command", "ping"):
        raise RequestError(Fault("type", f"must be {_WORDS}", shown(kind)))
    needed = {"watch": {"address": ""}, "command": {"text": ""}}.get(kind, {})
    watched: dict[str, Any] = {"reduction": "thumbnail", "rate": 30, "stream": 0, "settings": {}}
    given = watched if kind == "watch" else {"origin": ORIGIN} if kind == "command" else {}
    checks: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "id": ("a whole number that 32 bits hold", _is_id),
        "address": ("text, or a list of texts", _is_address),
        "text": ("text", lambda value: isinstance(value, str)),
        "origin": (f"a word of at most {LONGEST_ORIGIN} small letters", is_origin),
        "reduction": ("text", lambda value: isinstance(value, str)),
        "rate": ("a number, at least 0", lambda value: _is_number(value) and 0 <= value <= 1000),
        "stream": ("a whole number, at least 0, or null for all", _is_stream),
        "settings": ("an object", lambda value: isinstance(value, dict)),
    }
    found: dict[str, Any] = {"type": kind}
    faults = []
    for name in ("id", *needed, *given):
        value = content.get(name, given.get(name))
        rule, holds = checks[name]
        if not holds(value):
            faults.append(Fault(name, f"must be {rule}", shown(value)))
        found[name] = value
    if faults:
        raise RequestError(faults)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_id(value: Any) -> bool:
    return type(value) is int and -(2**31) <= value < 2**32


def _is_stream(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value < 2**31)


def _is_address(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """Settings of a reduction; what names the watch itself is none.

    Raises:
        RequestError: one is.
    """
    wrong = [name for name in given if name in ("self", "address", "reduction", "rate", "stream", "id")]
    if wrong:
        raise RequestError([Fault(f"settings.{name}", "is no setting of a reduction") for name in wrong])
    return given
