"""The dashboard's files, as a browser asks for them; where they are not built, a page that says how they are."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from rillnet.errors import Fault
from rillnet.serving.rest.asgi import Receive, Scope, Send, answer, header, refuse
from rillnet.serving.rest.faults import NOT_FOUND, Refused

STATIC = Path(__file__).parents[1] / "dashboard" / "static"
"""Where the build of the dashboard lies."""

INDEX = "index.html"
_NOT_ALLOWED = 405
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>rillnet</title></head><body>
<h1>rillnet</h1>
<p>The dashboard is not built in this copy of rillnet: <code>make web</code> builds it, and this page then shows it.</p>
<p>All that it does can be done without it: <code>rillnet shell</code> is the same at a prompt,
<a href="api/openapi.json">api/openapi.json</a> describes what programs can ask.</p>
</body></html>
"""


class Pages:
    """Answers with the files of a folder, and with none that lies elsewhere.

    Only what a listing of the folder holds is sent, so that no address leads out of it.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder
        self._files: dict[str, Path] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await refuse(scope, send, Refused(NOT_FOUND, "there is no such socket"))
            return
        if scope["method"] not in ("GET", "HEAD"):
            allowed = [("allow", "GET, HEAD")]
            fault = Fault("", f"{scope['method']} is not answered here", hint="what changes a run is below /api")
            await refuse(scope, send, Refused(_NOT_ALLOWED, fault, allowed))
            return
        name = scope["path"].lstrip("/")
        file = self._find(name or INDEX)
        if file is None and not name:
            await answer(send, 200, _NOT_BUILT.encode(), _KINDS[".html"], [("cache-control", "no-store")])
        elif file is None:
            await refuse(scope, send, Refused(NOT_FOUND, Fault("", "there is no such page", scope["path"])))
        else:
            await self._send_file(scope, send, file, name)

    def _find(self, name: str) -> Path | None:
        if name not in self._files or not self._files[name].is_file():  # it may have been built since
            found = [path for path in self.folder.rglob("*") if path.is_file()]
            self._files = {path.relative_to(self.folder).as_posix(): path for path in found}
        return self._files.get(name)

    async def _send_file(self, scope: Scope, send: Send, file: Path, name: str) -> None:
        try:
            content, stat = file.read_bytes(), file.stat()
        except OSError:
            await refuse(scope, send, Refused(NOT_FOUND, Fault("", "there is no such page", scope["path"])))
            return
        mark = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        is_hashed = name.startswith("assets/")  # its name changes with its content
        headers = [
            ("etag", mark),
            ("cache-control", "private, max-age=31536000, immutable" if is_hashed else "no-cache"),
        ]
        if header(scope, b"if-none-match") == mark:
            await send({"type": "http.response.start", "status": 304, "headers": _raw(headers)})
            await send({"type": "http.response.body", "body": b""})
            return
        kind = _KINDS.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        await answer(send, 200, content, kind, headers)


def _raw(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]
