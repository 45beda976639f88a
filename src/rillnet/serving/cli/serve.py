"""`rillnet serve`: one server for a root of runs, which shows, starts, stops and removes them."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

from rillnet.errors import RequestError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.signals import terminated_as_interrupted
from rillnet.serving.cli.terminal import Terminal
from rillnet.serving.cli.watching import tell_address
from rillnet.serving.rest.app import Application
from rillnet.serving.rest.children import Children
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access, new_token
from rillnet.serving.rest.server import HOST, listen, serving, url_of
from rillnet.serving.rest.sessions import Sessions
from rillnet.training.wording import count_text


def serve(
    terminal: Terminal,
    root: Path = Path("runs"),
    documents: Path = Path(),
    port: int | None = None,
    host: str = HOST,
    open_page: bool = False,
    trust: bool = False,
) -> dict[str, Any]:
    """Serves until Ctrl-C; runs that were started here are then saved and ended.

    Args:
        terminal: where the address is written.
        root: the directory of all runs.
        documents: the folder of the documents that can be run.
        port: on which port of this machine; None tries the default one first, 0 takes any.
        host: the address that is listened on.
        open_page: whether a browser is opened.
        trust: whether documents may name Python code.

    Returns:
        Where it was served.

    Raises:
        RequestError: the port is in use, or there is no folder of that name.
        MissingExtraError: what serves is not installed.
    """
    if not documents.is_dir():
        raise RequestError(f"--documents: there is no folder {str(documents)!r}")
    listening = listen(host, port)
    url, token = url_of(listening, host), new_token()
    children = Children(root, trust)
    with contextlib.ExitStack() as stack:
        stack.callback(children.close)
        runs = Runs(root, Documents(documents, root, trust), children)
        access = Access(token, host, listening.getsockname()[1])
        application = Application(Sessions(runs), access, find=runs.live)
        stack.enter_context(serving(application, listening))
        stack.enter_context(terminated_as_interrupted())
        tell_address(terminal, url, token, open_page)
        terminal.say(f"{count_text(len(RunDirectory.all_in(root)), 'run')} in {root}; Ctrl-C ends the server")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        terminal.say("ending; runs that were started here are saved")
    return {"url": url, "root": str(root)}
