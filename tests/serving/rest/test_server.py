from __future__ import annotations

import socket
import sys
import urllib.request

import pytest

from rillnet.errors import MissingExtraError, RequestError
from rillnet.serving.rest.server import PORT, Server, listen, serving, url_of
from tests.serving.rest.asking import echo


def test_a_free_port_is_found() -> None:
    with listen(port=0) as found:
        assert found.getsockname()[0] == "127.0.0.1"
        assert url_of(found) == f"http://127.0.0.1:{found.getsockname()[1]}/"


def test_the_usual_port_is_tried_first_and_then_others() -> None:
    with listen() as first, listen() as second:
        assert first.getsockname()[1] >= PORT
        assert second.getsockname()[1] != first.getsockname()[1]


def test_a_port_in_use_is_told() -> None:
    with listen(port=0) as found:
        port = found.getsockname()[1]
        with pytest.raises(RequestError) as caught:
            listen(port=port)

    assert str(caught.value) == (
        f"--port: is in use by another program (got {port}); leave --port out for a free one, or end the other program"
    )


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(RequestError) as caught:
        listen(host, 0)

    assert str(caught.value) == f"--host: is no address of this machine (got {host!r})"


@pytest.mark.parametrize(("host", "name"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")])
def test_addresses_are_told_as_browsers_take_them(host: str, name: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        assert url_of(found, host) == f"http://{name}:{found.getsockname()[1]}/"


def test_it_serves_in_a_thread_until_it_is_stopped() -> None:
    listening = listen(port=0)
    url, ended = url_of(listening), []

    with serving(echo, listening, on_end=lambda: ended.append(True)):
        with urllib.request.urlopen(url, data=b"hello") as found:
            assert found.read() == b"hello"
        assert not ended

    assert ended
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_a_server_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    with pytest.raises(MissingExtraError) as caught:
        Server(echo, listen(port=0))

    assert str(caught.value) == "serving needs uvicorn, which is not installed: pip install 'rillnet[serve]'"
