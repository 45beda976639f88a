"""Whatever is asked, the server answers as its own description of the API says, and never with a failure of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import rillnet as rn
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.routes import Route
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.sessions import Sessions
from tests.serving.rest.asking import TOKEN, Client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that it brings
    import schemathesis
    from schemathesis import checks

FEW, MANY = 3, 60
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


def routes() -> list[Route]:
    runs = Runs(Path("runs"), Documents(Path(), Path("runs")))
    return [*runs.documents.routes(), *runs.routes(), *Sessions(runs).routes()]


@pytest.fixture
def described(served: Client, session: rn.Session) -> Any:
    """The description of the API, with names of things that are there."""
    told = served.get("/api/openapi.json")
    for methods in told["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] == "name":
                    parameter["schema"] = {"enum": ["line", "other", ".."]}
                if parameter["in"] == "path" and parameter["name"] == "number":
                    parameter["schema"] = {"enum": [1, 1, 0, 2]}
                if parameter["name"] == "address":
                    parameter["schema"] = {
                        "anyOf": [{"enum": ["net/hidden/weight", "clock/frame"]}, {"type": "string"}]
                    }
    assert session.record is not None
    (session.record.directory.path / "filters.png").write_bytes(b"picture")
    return schemathesis.openapi.from_dict(told)


def ask(described: Any, served: Client, route: Route, examples: int) -> None:
    @settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        derandomize=True,
        database=None,
    )
    @given(case=described[route.path][route.method].as_strategy())
    def run(case: Any) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        case.call_and_validate(base_url=served.url.rstrip("/"), headers=headers, checks=CHECKS, timeout=60)

    run()


def test_no_question_fails(described: Any, served: Client) -> None:
    for route in routes():
        ask(described, served, route, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_none_of_many_questions_fails(described: Any, served: Client, route: Route) -> None:
    ask(described, served, route, MANY)
