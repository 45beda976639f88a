"""The application that a server runs: routes and sockets below /api, the dashboard beside them, a guard before both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rillnet import __version__
from rillnet.errors import Fault, MissingExtraError, RequestError, RillnetError
from rillnet.serving.rest import records, routes
from rillnet.serving.rest.asgi import App, Receive, Scope, Send, refuse
from rillnet.serving.rest.faults import NOT_FOUND, WRONG, Refused, encoded, refusal_of, status_of
from rillnet.serving.rest.limits import Limits
from rillnet.serving.rest.pages import Pages
from rillnet.serving.rest.relay import SESSION, Find, Relay
from rillnet.serving.rest.security import Access, Guard
from rillnet.serving.rest.sessions import Sessions
from rillnet.serving.rest.stream import Stream

_BAD = 400
_TITLE = "rillnet"
_RULES = {400: "the body cannot be read", 404: "there is no such address", 405: "this address is not asked so"}
_DESCRIPTION = (
    "Runs, and sessions that are live. Each request holds the token that the server printed when it began: as "
    "`Authorization: Bearer TOKEN`, or in the cookie that its page sets. Whatever is refused is refused with faults."
)


def health() -> records.Health:
    """That the server is there; anybody may ask."""
    return records.Health(status="ok", version=__version__)


class Application:
    """What a server answers with.

    Args:
        sessions: those it knows, with their runs and documents.
        access: who may ask.
        stream: the sockets of the session of this process, if it has one.
        find: where the sessions of other processes are served, if they are passed on.
        pages: the dashboard.
        limits: of requests; see `Limits`.

    Raises:
        MissingExtraError: FastAPI is not installed.
    """

    def __init__(
        self,
        sessions: Sessions,
        access: Access,
        stream: Stream | None = None,
        find: Find | None = None,
        pages: Pages | None = None,
        **limits: Any,
    ) -> None:
        runs = sessions.runs
        listed = [routes.Route("GET", "/api/health", health, refusals=())]
        listed += [*runs.documents.routes(), *runs.routes(), *sessions.routes()]
        self.api: Any = api_of(listed)
        self.stream, self._pages = stream, pages or Pages()
        app: App = self._answer
        if find is not None:
            app = Relay(app, find)
        self._guarded = Guard(Limits(app, **limits), access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        await self._guarded(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            await self._answer_socket(scope, receive, send)
        elif scope["type"] == "http" and path != "/api" and not path.startswith("/api/"):
            await self._pages(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    async def _answer_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = SESSION.fullmatch(scope["path"])
        stream = self.stream
        if match is None or match["rest"] != "/stream":
            hint = "/api/sessions/NAME/NUMBER/stream is a session's"
            await refuse(
                scope, send, Refused(NOT_FOUND, Fault("", "there is no such socket", scope["path"], hint=hint))
            )
        elif stream is None or not stream.local.is_called(match["name"], int(match["number"])):
            name = f"{match['name']}/{match['number']}"
            await refuse(scope, send, Refused(NOT_FOUND, Fault("", f"{name} is not live")))
        else:
            await stream(scope, receive, send)


def api_of(listed: Sequence[routes.Route]) -> Any:
    """The application of FastAPI that answers below /api.

    Args:
        listed: what can be asked.

    Raises:
        MissingExtraError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI, Response
        from fastapi.exceptions import RequestValidationError
    except ImportError as error:
        raise MissingExtraError("fastapi", "serve", "serving") from error
    api = FastAPI(
        title=_TITLE,
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )

    def respond(body: bytes, status: int, kind: str, headers: Mapping[str, str] | None = None) -> Any:
        return Response(body, status, media_type=kind, headers=headers)

    _add_refusals(api, RequestValidationError, respond)
    routes.add(api, listed, respond)
    return api


def _add_refusals(api: Any, invalid_kind: type[Exception], respond: Callable[..., Any]) -> None:
    """Has every error answered with faults, in one form.

    Args:
        api: the application of FastAPI.
        invalid_kind: its error for what does not fit the grammar of a route.
        respond: makes the answer of a body, a status, a media type and headers.
    """

    def told(error: RillnetError, status: int | None = None, headers: Mapping[str, str] | None = None) -> Any:
        given = headers if headers is not None else dict(getattr(error, "headers", ()))
        return respond(encoded(refusal_of(error)), status or status_of(error), "application/json", given)

    async def invalid(request: Any, error: Any) -> Any:
        is_json = not any(one["type"] == "json_invalid" for one in error.errors())
        return told(RequestError([_fault_of(one) for one in error.errors()]), WRONG if is_json else _BAD)

    async def other(request: Any, error: Any) -> Any:
        rule = _RULES.get(error.status_code, str(error.detail))
        fault = Fault(request.url.path, rule, hint="/api/openapi.json tells all that can be asked")
        return told(RequestError(fault), error.status_code, error.headers or {})

    async def deep(request: Any, error: Exception) -> Any:
        return told(RequestError(Fault("body", "nests too deeply")), _BAD)

    api.add_exception_handler(RillnetError, routes.refusing(told))
    api.add_exception_handler(invalid_kind, invalid)
    api.add_exception_handler(RecursionError, deep)
    for status in _RULES:
        api.add_exception_handler(status, other)


def _fault_of(error: Any) -> Fault:
    """What pydantic says is wrong with a request, in our words."""
    where, *rest = error["loc"] or ("",)
    address = ".".join(str(part) for part in rest if not _is_kind(part)) or str(where)
    if error["type"] == "json_invalid":
        return Fault("body", f"is not JSON: {error.get('ctx', {}).get('error', error['msg'])}")
    if error["type"] == "missing":
        return Fault(address, "is required")
    rule = str(error["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    return Fault(address, rule[:1].lower() + rule[1:], error.get("input"))


def _is_kind(part: Any) -> bool:
    """Whether a part of a place is the name of a type that was tried, and no key."""
    return isinstance(part, str) and (part == "str" or "[" in part)
