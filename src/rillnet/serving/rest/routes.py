"""What can be asked: method, path, and the function that answers. FastAPI reads its grammar from their signatures."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rillnet.errors import RillnetError
from rillnet.serving.rest.faults import CONFLICT, NOT_FOUND, TOO_LARGE, TOO_MANY, WRONG, encoded
from rillnet.serving.rest.records import Refusal

_REASONS = {
    400: "The body is not JSON.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site, or asks under a name that is not this server's.",
    NOT_FOUND: "There is no such thing.",
    CONFLICT: "It cannot be done as things stand.",
    TOO_LARGE: "The body is too large.",
    WRONG: "The request is wrong; every fault of it is told.",
    TOO_MANY: "Too many requests.",
}
_ALWAYS = (400, 401, 403, 413, 422, 429)


@dataclass(frozen=True)
class Content:
    """A body that is not made of a record.

    Args:
        body: what is sent.
        kind: its media type.
    """

    body: bytes
    kind: str = "application/json"


@dataclass(frozen=True)
class Route:
    """One thing that can be asked.

    Args:
        method: GET, POST or DELETE.
        path: with its parameters in braces.
        handler: called with the parameters, which it declares; its docstring is shown in the description of the API.
        status: of its answer.
        refusals: the statuses, besides those that any request may meet, with which it refuses.
        kinds: the media types of its answer where that is no record.
        answer: the record that its answer reads like, where the handler writes it itself.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    status: int = 200
    refusals: Sequence[int] = (NOT_FOUND,)
    kinds: Sequence[str] = field(default=())
    answer: type[BaseModel] | None = None

    @property
    def name(self) -> str:
        """Its name in the description of the API, unique by method and path."""
        words = self.path.replace("{", "").replace("}", "").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])

    @property
    def answers(self) -> Any:
        """The record that answers."""
        return self.answer or inspect.signature(self.handler, eval_str=True).return_annotation

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """What may come of it besides its answer, for the description of the API."""
        listed = sorted({*_ALWAYS, *self.refusals})
        found: dict[int | str, dict[str, Any]] = {
            status: {"model": Refusal, "description": _REASONS[status]} for status in listed
        }
        if self.kinds:
            file = {"type": "string", "format": "binary"}
            content = {kind: {"schema": {"type": "object"} if "json" in kind else file} for kind in self.kinds}
            found[self.status] = {"description": "The file.", "content": content}
        return found


def add(application: Any, routes: Sequence[Route], respond: Callable[..., Any]) -> None:
    """Adds routes to an application of FastAPI.

    Args:
        application: it.
        routes: what can be asked.
        respond: makes the answer of a body, a status and a media type.
    """
    for route in routes:
        model = route.answers
        is_record = isinstance(model, type) and issubclass(model, BaseModel)
        application.add_api_route(
            route.path,
            _responding(route, respond),
            methods=[route.method],
            status_code=route.status,
            response_model=model if is_record else None,
            responses=route.responses(),
            operation_id=route.name,
            summary=(inspect.getdoc(route.handler) or "").partition("\n")[0],
            description=_paragraphs(inspect.getdoc(route.handler) or ""),
        )


def _responding(route: Route, respond: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, with its answer written by us: each record is valid as it was made, and need not be looked at."""

    def answered(found: Any) -> Any:
        content = found if isinstance(found, Content) else Content(encoded(found))
        return respond(content.body, route.status, content.kind)

    if inspect.iscoroutinefunction(route.handler):

        @functools.wraps(route.handler)
        async def waiting(**arguments: Any) -> Any:
            return answered(await route.handler(**arguments))

        return waiting

    @functools.wraps(route.handler)
    def handler(**arguments: Any) -> Any:
        return answered(route.handler(**arguments))

    return handler


def _paragraphs(text: str) -> str:
    """The paragraphs of a docstring that are about more than its arguments."""
    kept = [part for part in text.split("\n\n")[1:] if not part.startswith(("Args:", "Returns:", "Raises:"))]
    return "\n\n".join(kept)


def refusing(refuse: Callable[[RillnetError], Any]) -> Callable[[Any, Exception], Any]:
    """The answer of an error as FastAPI asks for it."""

    async def answer(request: Any, error: Exception) -> Any:
        assert isinstance(error, RillnetError)
        return refuse(error)

    return answer
