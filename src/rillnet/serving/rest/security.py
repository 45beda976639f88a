"""Who may ask: holders of the token, from pages that this server sent, under a name that is its own."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from rillnet.errors import Fault
from rillnet.serving.rest.asgi import App, Message, Receive, Scope, Send, header, refuse
from rillnet.serving.rest.faults import TOO_MANY, Refused
from rillnet.serving.rest.limits import Bucket

OPEN_TO_ALL = frozenset({"/api/health"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DENIED, _UNKNOWN = 403, 401
_TRIES = (5.0, 30)  # wrong tokens per second, and at once
_HEADERS = (
    (
        "content-security-policy",
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)


def new_token() -> str:
    """A token that nobody guesses: 256 bits, as text that a URL holds as it is."""
    return secrets.token_urlsafe(32)


class Access:
    """What a server asks of those who ask it.

    Args:
        token: the secret.
        host: the address that it listens on.
        port: and its port.
    """

    def __init__(self, token: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._digest = _digest(token)
        self._token = token
        self._is_local = host in _LOOPBACK
        self._names = _LOOPBACK | {host.lower(), socket.gethostname().lower()}
        # cookies know no ports: each server has a name of its own for its cookie
        self.cookie_name = f"rillnet-{hashlib.sha256(f'{host}:{port}'.encode()).hexdigest()[:8]}"

    def is_token(self, given: str | None) -> bool:
        """Whether it is the token; takes equally long whatever it is."""
        return given is not None and hmac.compare_digest(_digest(given), self._digest)

    def is_own_name(self, host: str | None) -> bool:
        """Whether a request's host is a name of this server.

        A page of another site can have its own name point here, but then it says that name: so it is refused. An
        address in digits is no name, and cannot be made to point elsewhere.
        """
        name = _hostname(host)
        if name is None:
            return False
        return name in self._names or (not self._is_local and _is_address(name))

    def cookie(self) -> str:
        """What lets a browser ask without the token in its address: scripts cannot read it, other sites not send it."""
        return f"{self.cookie_name}={self._token}; HttpOnly; SameSite=Strict; Path=/"

    def known(self, scope: Scope) -> bool:
        """Whether a request holds the token, in its header `Authorization` or its cookie."""
        authorization = header(scope, b"authorization")
        if authorization is not None:
            kind, _, given = authorization.partition(" ")
            return kind.lower() == "bearer" and self.is_token(given.strip())
        return self.is_token(self._cookie_of(scope))

    def _cookie_of(self, scope: Scope) -> str | None:
        cookies: SimpleCookie = SimpleCookie()
        for key, value in scope["headers"]:
            if key == b"cookie":
                try:
                    cookies.load(value.decode("latin-1"))
                except CookieError:
                    return None
        found = cookies.get(self.cookie_name)
        return found.value if found is not None else None


class Guard:
    """Lets in who may ask, and sends what browsers are to hold to with every answer.

    Args:
        app: what answers those who are let in.
        access: what is asked of them.
        open_to_all: paths that are answered to anybody.
    """

    def __init__(self, app: App, access: Access, open_to_all: Iterable[str] = OPEN_TO_ALL) -> None:
        self.app, self.access = app, access
        self._open = frozenset(open_to_all)
        self._tries = Bucket(*_TRIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = _token_in(scope)
        sets_cookie = given is not None and self.access.is_token(given)
        added = [*_HEADERS, ("cache-control", "no-store")] if _is_api(scope) else list(_HEADERS)
        if sets_cookie:
            added += [("set-cookie", self.access.cookie()), ("cache-control", "no-store")]

        async def with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                raw = [(name.encode(), value.encode("latin-1")) for name, value in added]
                own = {name for name, _ in raw}
                message = {**message, "headers": [*(h for h in message["headers"] if h[0] not in own), *raw]}
            await send(message)

        refused = self._refused(scope, sets_cookie)
        if refused is not None:
            await refuse(scope, with_headers, refused)
            return
        await self.app(scope, receive, with_headers)

    def _refused(self, scope: Scope, has_token: bool) -> Refused | None:
        host, origin = header(scope, b"host"), header(scope, b"origin")
        if not self.access.is_own_name(host):
            hint = "ask it by localhost or 127.0.0.1, also through a tunnel"
            return Refused(_DENIED, Fault("Host", "is no name of this server", host, hint=hint))
        if origin is None and any(key == b"origin" for key, _ in scope["headers"]):
            return Refused(_DENIED, Fault("Origin", "must be given once"))
        if origin is not None and not _is_same(origin, host):
            return Refused(_DENIED, Fault("Origin", "pages of other sites may not ask this server", origin))
        if has_token or scope["path"] in self._open or self.access.known(scope):
            return None
        if not self._tries.take():
            wait = self._tries.wait_s
            return Refused(TOO_MANY, Fault("token", "too many wrong ones; wait"), [("retry-after", str(wait))])
        hint = "open the address that rillnet has printed, or send `Authorization: Bearer TOKEN`"
        fault = Fault("token", "is missing, or is not that of this server", hint=hint)
        return Refused(_UNKNOWN, fault, [("www-authenticate", 'Bearer realm="rillnet"')])


def _token_in(scope: Scope) -> str | None:
    """The token in the address of a page; that of the API is asked with a header or a cookie."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or _is_api(scope):
        return None
    try:
        found = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20).get("token", [])
    except ValueError:
        return None
    return found[0] if len(found) == 1 else None


def _is_api(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == "/api" or path.startswith("/api/")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _hostname(host: str | None) -> str | None:
    """The name in `name:port`, in small letters."""
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str | None) -> bool:
    """Whether a page is of the host that it asks."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and host is not None and found.netloc.lower() == host.lower()
