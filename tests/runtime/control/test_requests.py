"""Requests that wait for the thread that runs."""

from __future__ import annotations

import threading
import time

from rillnet.runtime.control.command import Command
from rillnet.runtime.control.requests import Request, Requests


def test_requests_are_taken_in_their_order_and_once() -> None:
    requests = Requests()
    for name in ("play", "pause"):
        requests.add(Request(Command(name), "shell"))
    assert requests
    assert [request.asked.name for request in requests.take()] == ["play", "pause"]  # type: ignore[union-attr]
    assert (requests.take(), bool(requests)) == ([], False)


def test_a_request_wakes_who_waits() -> None:
    requests = Requests()
    threading.Timer(0.05, lambda: requests.add(Request(Command("play"), "shell"))).start()
    begun = time.monotonic()
    requests.wait(60)
    assert requests
    requests.wait(60)  # there is one already
    assert time.monotonic() - begun < 30
    requests.take()
    requests.wait(0.01)
    assert not requests
