"""How much one server takes: bytes of a body, requests at once, requests in a second."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable

from rillnet.errors import Fault
from rillnet.serving.rest.asgi import App, Message, Receive, Scope, Send, header, refuse
from rillnet.serving.rest.faults import TOO_LARGE, TOO_MANY, Refused

LARGEST_BODY = 4 * 2**20  # bytes
MOST_AT_ONCE = 64  # requests
MOST_SOCKETS = 32
_MOST_LET_GO = 2**26  # bytes of a body that is too large, which are taken and dropped
_LET_GO_S = 5.0
RATE = 200.0  # requests per second, on average
BURST = 1000


class Bucket:
    """A token bucket: so many at once, and so many more each second.

    Args:
        rate: per second.
        burst: at once.
        now: the time in seconds.

    Example:
        >>> bucket = Bucket(rate=1, burst=2, now=lambda: 0.0)
        >>> bucket.take(), bucket.take(), bucket.take()
        (True, True, False)
    """

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.now = rate, burst, now
        self._left, self._at = float(burst), now()

    def take(self) -> bool:
        """Takes one, if there is one."""
        now = self.now()
        self._left = min(float(self.burst), self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def wait_s(self) -> int:
        """Whole seconds until there is one again."""
        return max(1, math.ceil((1 - self._left) / self.rate))


class _TooLargeError(Exception):
    """More of a body came than is taken."""


class Limits:
    """Refuses what is too large or too much, before anything else is done with it.

    Args:
        app: what answers the rest.
        bucket: how often is asked; as `RATE` and `BURST` say if left out.
        largest_body: bytes.
        most_at_once: requests that are answered at the same time.
        most_sockets: sockets that are open at the same time.
    """

    def __init__(
        self,
        app: App,
        bucket: Bucket | None = None,
        *,
        largest_body: int = LARGEST_BODY,
        most_at_once: int = MOST_AT_ONCE,
        most_sockets: int = MOST_SOCKETS,
    ) -> None:
        self.app, self.bucket = app, bucket or Bucket(RATE, BURST)
        self.largest_body = largest_body
        self._most = {"http": most_at_once, "websocket": most_sockets}
        self._open = dict.fromkeys(self._most, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        kind = scope["type"]
        if kind not in self._open:
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope, kind)
        if refused is not None and (refused.status != TOO_LARGE or kind != "http"):
            await refuse(scope, send, refused)
            return
        self._open[kind] += 1
        try:
            if refused is not None:
                await _let_go(receive)
                await refuse(scope, send, refused)
            elif kind == "websocket":
                await self.app(scope, receive, send)
            else:
                await self._with_body(scope, receive, send)
        finally:
            self._open[kind] -= 1

    def _refused(self, scope: Scope, kind: str) -> Refused | None:
        if not self.bucket.take():
            wait = self.bucket.wait_s
            rule = f"too many requests: at most {self.bucket.rate:g} per second are answered"
            hint = f"wait {wait} s"
            return Refused(TOO_MANY, Fault("", rule, hint=hint), [("retry-after", str(wait))])
        if self._open[kind] >= self._most[kind]:
            what = "sockets are open" if kind == "websocket" else "requests are being answered"
            rule = f"{self._open[kind]} {what}, and no more are taken at once"
            return Refused(TOO_MANY, Fault("", rule, hint="close some, or wait"), [("retry-after", "1")])
        length = header(scope, b"content-length") or "0"
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > self.largest_body:
            return self._too_large()
        return None

    def _too_large(self) -> Refused:
        return Refused(TOO_LARGE, Fault("body", f"must have at most {self.largest_body:,} bytes"))

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what comes, as a body may be sent without its length."""
        taken, begun = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.largest_body:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            if taken > self.largest_body and not begun:  # whatever the application made of the error
                raise _TooLargeError
            begun = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except _TooLargeError:
            if not begun:
                await _let_go(receive)
                await refuse(scope, send, self._too_large())


async def _let_go(receive: Receive) -> None:
    """Takes, for a while, what is still sent of a body that is too large: else its sender would not hear why."""

    async def take() -> None:
        taken = 0
        while taken < _MOST_LET_GO:
            message = await receive()
            taken += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(take(), _LET_GO_S)
