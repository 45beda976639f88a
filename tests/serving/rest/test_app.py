from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from rillnet import __version__
from rillnet.errors import MissingExtraError
from rillnet.serving.rest.app import Application, api_of, health
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.pages import Pages
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access
from rillnet.serving.rest.sessions import Sessions
from tests.serving.rest.asking import TOKEN, asked

BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON = {**BEARER, "content-type": "application/json"}


@pytest.fixture
def application(root: Path, tmp_path: Path) -> Application:
    sessions = Sessions(Runs(root, Documents(root.parent, root)))
    return Application(sessions, Access(TOKEN), pages=Pages(tmp_path / "static"), largest_body=1000)


def test_it_says_that_it_is_there(application: Application) -> None:
    assert health().version == __version__
    assert asked(application, "GET", "/api/health").json() == {"status": "ok", "version": __version__}


def test_the_page_stands_beside_the_api(application: Application) -> None:
    assert b"make web" in asked(application, "GET", f"/?token={TOKEN}").body
    assert asked(application, "GET", "/apis", BEARER).faults() == ["there is no such page (got '/apis')"]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "fault"),
    [
        ("GET", "/api", b"", 404, "/api: there is no such address; /api/openapi.json tells all that can be asked"),
        ("GET", "/api/", b"", 404, "/api/: there is no such address"),
        ("GET", "/api/docs", b"", 404, "/api/docs: there is no such address"),
        ("GET", "/api/runs/", b"", 404, "/api/runs/: there is no such address"),
        ("PUT", "/api/runs", b"", 405, "/api/runs: this address is not asked so"),
        ("POST", "/api/validate", b"{", 400, "body: is not JSON: Expecting property name"),
        ("POST", "/api/validate", b"\xff", 400, "/api/validate: the body cannot be read"),
        ("POST", "/api/validate", b"[" * 999, 400, "/api/validate: the body cannot be read"),
        ("POST", "/api/validate", b"", 422, "body: is required"),
        ("POST", "/api/validate", b"{}", 422, "document: is required"),
        ("POST", "/api/validate", b'{"document": "\\ud800"}', 422, "document: character U+D800 cannot stand here"),
        ("POST", "/api/validate", b" " * 1001, 413, "body: must have at most 1,000 bytes"),
        ("GET", "/api/runs/x/1/metrics?points=1", b"", 422, "points: must be greater than or equal to 2 (got '1')"),
    ],
)
def test_what_is_wrong_is_told_in_one_form(
    application: Application, method: str, target: str, body: bytes, status: int, fault: str
) -> None:
    found = asked(application, method, target, JSON, body)

    assert found.status == status, found.body
    assert found.faults()[0].startswith(fault)


def test_a_body_that_is_said_to_be_something_else_is_refused(application: Application) -> None:
    found = asked(application, "POST", "/api/validate", {**BEARER, "content-type": "text/plain"}, b'{"document": ""}')

    assert found.status == 422


def test_a_socket_that_is_not_there_is_refused(application: Application) -> None:
    for path, fault in (
        ("/api/runs", "there is no such socket (got '/api/runs'); /api/sessions/NAME/NUMBER/stream is a session's"),
        ("/api/sessions/small/1/stream", "small/1 is not live"),
    ):
        found = asked(application, "GET", path, BEARER, kind="websocket")
        assert (found.status, found.faults()) == (404, [fault])


def test_all_that_can_be_asked_is_described(application: Application) -> None:
    told = asked(application, "GET", "/api/openapi.json", BEARER).json()

    assert told["info"]["title"] == "rillnet"
    assert set(told["paths"]) == {
        "/api/health",
        "/api/schema",
        "/api/commands",
        "/api/experiments",
        "/api/experiments/text",
        "/api/validate",
        "/api/runs",
        "/api/runs/{name}/{number}",
        "/api/runs/{name}/{number}/stop",
        "/api/runs/{name}/{number}/resume",
        "/api/runs/{name}/{number}/metrics",
        "/api/runs/{name}/{number}/journal",
        "/api/runs/{name}/{number}/pictures",
        "/api/runs/{name}/{number}/pictures/{file}",
        "/api/sessions",
        "/api/sessions/{name}/{number}",
        "/api/sessions/{name}/{number}/net",
        "/api/sessions/{name}/{number}/addresses",
        "/api/sessions/{name}/{number}/values",
        "/api/sessions/{name}/{number}/rollout",
        "/api/sessions/{name}/{number}/history",
        "/api/sessions/{name}/{number}/commands",
    }
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], f"{method} {path} says nothing of itself"
    assert told["components"]["schemas"]["FaultRecord"]["properties"]["rule"]["examples"] == ["must be at least 1"]


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(api_of([]), FastAPI)
    monkeypatch.setitem(sys.modules, "fastapi", None)

    with pytest.raises(MissingExtraError) as caught:
        api_of([])

    assert str(caught.value) == "serving needs fastapi, which is not installed: pip install 'rillnet[serve]'"
