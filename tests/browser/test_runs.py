"""Runs from their list: a document that is wrong and mended, started, stopped, resumed, compared and removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.dashboard import Dashboard
from tests.browser.running import serving
from tests.browser.test_ending import DOCUMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Shot = Callable[[Any, str], None]


def test_runs_are_started_stopped_resumed_and_compared(
    open_page: Callable[..., Any], tmp_path: Path, shot: Shot
) -> None:
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    with serving(tmp_path) as address:
        page = open_page(address)
        page.get_by_role("button", name="Start one").click()
        page.get_by_label("Take a document that lies here").select_option("small.yaml")
        text = page.get_by_label("The experiment's document")
        Dashboard.wait(page, lambda: "experiment: small" in text.input_value())
        text.fill(DOCUMENT.replace("type: Linear, out_features: 8", "type: Linaer, out_features: 8"))
        page.get_by_label("What is wrong with the document").get_by_text("line 6").wait_for()
        assert page.get_by_role("button", name="Start", exact=True).is_disabled()
        shot(page, "a wrong document")
        text.fill(DOCUMENT)
        page.get_by_role("button", name="Start", exact=True).click()

        dashboard = Dashboard(page)
        dashboard.until(lambda: dashboard.frame > 0, 120)
        dashboard.tab("Runs", "view")
        row = page.locator(".runs tbody tr").filter(has_text="small/1")
        row.get_by_role("button", name="Stop").click()
        row.get_by_text("interrupted").wait_for()
        row.get_by_role("button", name="Resume").click()
        row.get_by_text("running").wait_for()
        dashboard.until(lambda: dashboard.state == "running", 60)

        row.get_by_role("button", name="Copy").click()
        page.get_by_label("Changes of single values").fill("run.seed=2")
        page.get_by_text("small is valid").wait_for()
        page.get_by_role("button", name="Start", exact=True).click()
        dashboard.until(lambda: "small/2" in page.title(), 120)
        dashboard.tab("Runs", "view")
        for name in ("small/1", "small/2"):
            page.get_by_label(f"Compare {name}").check()
        shot(page, "list of runs")
        page.get_by_role("button", name="Compare 2", exact=True).click()
        page.locator(".compared").get_by_text("run.seed").wait_for()
        shot(page, "two runs compared")

        page.get_by_text("All runs", exact=True).click()
        page.get_by_label("Filter runs").fill("small/2")
        dashboard.until(lambda: page.locator(".runs tbody tr").count() == 1)
        page.locator(".runs tbody tr").get_by_role("button", name="Stop").click()
        remove = page.locator(".runs tbody tr").get_by_role("button", name="Remove")
        dashboard.until(remove.is_enabled)
        remove.click()
        dashboard.click("Remove", page.get_by_role("dialog"))
        page.get_by_text("No run suits the filter").wait_for()
        page.context.close()
