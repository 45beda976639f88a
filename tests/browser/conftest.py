"""Chromium, and pages in it; skipped with the reason where it, its driver or the built dashboard is absent."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.running import Watched, watched

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "src" / "rillnet" / "serving" / "dashboard" / "static" / "index.html"
SHOTS = Path(os.environ.get("RILLNET_SHOTS") or ROOT / "build" / "browser")
"""Where screenshots and measurements are left to be looked at."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
WIDE = {"width": 1600, "height": 900}

Open = Callable[..., Any]
Shot = Callable[[Any, str], None]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser without a screen."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    if not DASHBOARD.is_file():
        pytest.skip("the dashboard is not built: make web")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, shot: Shot, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a page of its own, leaves a picture of its end, and fails the test where the page has complained."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_one(url: str, **settings: Any) -> Any:
        context = chromium.new_context(**{"viewport": WIDE, **settings})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.on("request", lambda asked: complaints.append(f"asks {asked.url}") if _leaves(asked.url, url) else None)
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        for page in context.pages:  # none of one that the test has closed
            shot(page, f"end of {request.node.name.removeprefix('test_')}")
        context.close()
    assert complaints == []


def _leaves(asked: str, page: str) -> bool:
    """Whether a request goes to another machine than the page's own."""
    return asked.split("/")[0] not in ("data:", "blob:") and asked.split("/")[2] != page.split("/")[2]


@pytest.fixture(scope="session")
def shot() -> Shot:
    """Leaves a picture of a page to be looked at."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        page.screenshot(path=SHOTS / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png")

    return take


@pytest.fixture(scope="session")
def demonstration(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The roman numerals, learning for as long as there are tests that look at them."""
    document, folder = ROOT / "examples" / "02_roman_numerals.yaml", tmp_path_factory.mktemp("roman")
    with watched(document, folder, "--set", "run.frames=10000000", "--set", "run.execution=eager") as found:
        yield found


@pytest.fixture
def roman(demonstration: Watched) -> Watched:
    """The same with nothing in force, whatever the test before has left."""
    if demonstration.status()["interventions"]:
        demonstration.command("restore all")
    return demonstration
