"""A session in another process, reached over HTTP and a WebSocket as `live.json` of its run says."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from rillnet.errors import Fault, MissingExtraError, RequestError, RunError
from rillnet.runtime.observers.wire import decode
from rillnet.runtime.status import is_alive
from rillnet.serving.rest.live import Live
from rillnet.serving.shell.protocol import ORIGIN, Observed, Wanted
from rillnet.serving.shell.streaming import reductions

_PATIENCE_S = 10.0
"""How long an answer may take that waits for no frame."""

_ALL = 100_000
"""More are not told of at once."""


class RemoteSession:
    """A session of another process; what is done to it goes on when the shell has left.

    Args:
        live: where it is served.
        name: the session, `name/n`.
    """

    def __init__(self, live: Live, name: str) -> None:
        self.live, self.name = live, name
        self._url = live.url.rstrip("/")
        self._ended = False
        self.status()

    @property
    def has_ended(self) -> bool:
        """Whether its process has closed the session."""
        return self._ended

    def command(self, text: str) -> Any:
        """Has a command carried out between two frames, however long that takes."""
        with closing(self._messages([{"type": "command", "id": 1, "text": text, "origin": ORIGIN}])) as messages:
            for message in messages:
                if isinstance(message, dict) and message.get("type") in ("result", "refused"):
                    if faults := _faults(message):
                        raise RequestError(faults)
                    return message.get("result")
        raise self._gone()

    def commands(self) -> list[dict[str, Any]]:
        """Every command: its name, summary and parameters."""
        found: list[dict[str, Any]] = _listed(self._request("/api/commands"), "commands")
        return found

    def status(self) -> dict[str, Any]:
        """The state, the clock, the speed, the rates and the interventions."""
        found: dict[str, Any] = self._ask("")
        return found

    def addresses(self, pattern: str, limit: int | None = None) -> list[dict[str, Any]]:
        """What stands at the addresses of a pattern."""
        query: dict[str, Any] = {"pattern": pattern}
        if limit is not None:
            query["limit"] = limit
        return _listed(self._ask("addresses", query), "addresses")

    def names(self) -> list[str]:
        """Every address."""
        return [entry["address"] for entry in self.addresses("**", _ALL)]

    def description(self) -> dict[str, Any]:
        """The net: its blocks and edges."""
        found: dict[str, Any] = self._ask("net")
        return found

    def stream(self, wanted: Wanted) -> Iterator[Observed]:
        """Values as they come over the socket, until the iterator is closed or the session ends."""
        watched = dict(enumerate(reductions(self, wanted), 1))
        asked = [_watch(number, *one, wanted) for number, one in watched.items()]
        with closing(self._messages(asked)) as messages:
            for message in messages:
                if isinstance(message, bytes):
                    yield from _readings(message, watched)
                elif message.get("type") == "refused":
                    raise RequestError(_faults(message) or "the value cannot be watched")

    def close(self) -> str:
        """Leaves; the run goes on."""
        return "" if self._ended else f"{self.name} goes on"

    # --- asking -------------------------------------------------------------------------------

    def _messages(self, asked: Sequence[Mapping[str, Any]]) -> Generator[dict[str, Any] | bytes]:
        """Asks over a socket; what comes, until the session ends."""
        try:
            from websockets.exceptions import ConnectionClosed, InvalidHandshake
            from websockets.sync.client import connect
        except ImportError as error:
            raise MissingExtraError("websockets", "shell", "commanding a session of another process") from error
        url = f"ws{self._url.removeprefix('http')}/api/sessions/{self.name}/stream"
        headers = {"Authorization": f"Bearer {self.live.token}"}
        try:
            with connect(
                url, additional_headers=headers, max_size=None, open_timeout=_PATIENCE_S, proxy=None
            ) as socket:
                for one in asked:
                    socket.send(json.dumps(one))
                for message in socket:
                    told = message if isinstance(message, bytes) else json.loads(message)
                    yield told
                    if isinstance(told, dict) and told.get("type") == "ended":
                        self._ended = True
                        return
        except (ConnectionClosed, InvalidHandshake, OSError) as error:
            raise self._gone() from error

    def _ask(self, what: str, query: Mapping[str, Any] | None = None) -> Any:
        path = f"/api/sessions/{self.name}" + (f"/{what}" if what else "")
        return self._request(path + (f"?{urllib.parse.urlencode(query)}" if query else ""))

    def _request(self, path: str) -> Any:
        request = urllib.request.Request(self._url + path, headers={"Authorization": f"Bearer {self.live.token}"})
        try:
            with _OPENER.open(request, timeout=_PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, ValueError) as error:
            raise self._gone() from error

    def _refusal(self, error: urllib.error.HTTPError) -> RequestError | RunError:
        try:
            told = json.load(error)
        except ValueError:
            told = {}
        faults = _faults(told) if isinstance(told, dict) else []
        if faults and error.code < 500:
            return RequestError(faults)
        why = "; ".join(str(fault) for fault in faults) or f"its server answered {error.code} {error.reason}"
        return RunError(f"{self.name}: {why}")

    def _gone(self) -> RunError:
        self._ended = not is_alive(self.live.pid, self.live.pid_started)
        if self._ended:
            return RunError(f"{self.name}: its process has ended; rillnet runs show {self.name} says how it stands")
        return RunError(f"{self.name}: process {self.live.pid} does not answer at {self._url}")


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Without the proxies of the environment: a session is on this machine."""


def _watch(number: int, address: str, reduction: str, wanted: Wanted) -> dict[str, Any]:
    return {
        "type": "watch",
        "id": number,
        "address": address,
        "reduction": reduction,
        "rate": wanted.rate,
        "stream": wanted.stream,
        "settings": dict(wanted.settings),
    }


def _readings(message: bytes, watched: Mapping[int, tuple[str, str]]) -> Iterator[Observed]:
    for record in decode(message):
        if record.watch in watched:
            address, reduction = watched[record.watch]
            yield Observed(address, record.frame, record.data, reduction)


def _faults(told: Mapping[str, Any]) -> list[Fault]:
    """The faults of an answer, as they were raised over there."""
    found = []
    for told_of in told.get("faults") or ():
        value = {} if told_of.get("value") is None else {"value": told_of["value"]}
        fault = Fault(told_of.get("address") or "", told_of.get("rule") or "", hint=told_of.get("hint") or "", **value)
        text = told_of.get("text") or str(fault)
        found.append(fault if str(fault) == text else Fault("", text))
    return found


def _listed(answer: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer[name] if isinstance(answer, dict) else answer
    return found
