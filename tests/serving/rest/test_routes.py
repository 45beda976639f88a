from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from rillnet.errors import RequestError, RillnetError
from rillnet.serving.rest.app import api_of
from rillnet.serving.rest.records import Health
from rillnet.serving.rest.routes import Content, Route, refusing
from tests.serving.rest.asking import asked


def greet(name: str, times: Annotated[int, Field(ge=1)] = 1) -> Health:
    """Says who it is.

    As often as is asked.

    Args:
        name: who.
    """
    return Health(status=" ".join([name] * times), version="")


async def later() -> Content:
    """A picture."""
    await asyncio.sleep(0)
    return Content(b"<svg/>", "image/svg+xml")


def api() -> Any:
    return api_of(
        [
            Route("GET", "/api/greet/{name}", greet, refusals=(404,)),
            Route("POST", "/api/picture", later, status=201, refusals=(), kinds=("image/svg+xml",)),
        ]
    )


def test_a_handler_is_called_with_what_it_declares() -> None:
    found = asked(api(), "GET", "/api/greet/ada?times=2")

    assert (found.status, found.json()) == (200, {"status": "ada ada", "version": ""})
    assert asked(api(), "GET", "/api/greet/ada?times=0").faults() == [
        "times: must be greater than or equal to 1 (got '0')"
    ]


def test_a_handler_may_wait_and_answer_with_any_content() -> None:
    found = asked(api(), "POST", "/api/picture")

    assert (found.status, found.body, found.headers["content-type"]) == (201, b"<svg/>", "image/svg+xml")


def test_routes_are_described() -> None:
    told = api().openapi()["paths"]
    greeting = told["/api/greet/{name}"]["get"]

    assert greeting["operationId"] == "get_api_greet_name"
    assert (greeting["summary"], greeting["description"]) == ("Says who it is.", "As often as is asked.")
    assert {"200", "404", "422", "401", "429"} <= set(greeting["responses"])
    assert greeting["responses"]["404"]["content"]["application/json"]["schema"]["$ref"].endswith("/Refusal")
    assert "image/svg+xml" in told["/api/picture"]["post"]["responses"]["201"]["content"]


def test_errors_are_answered_by_whoever_makes_answers() -> None:
    told: list[RillnetError] = []
    error = RequestError("wrong")

    asyncio.run(refusing(told.append)(None, error))

    assert told == [error]
