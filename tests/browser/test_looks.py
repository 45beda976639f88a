"""How the page looks and is reached: keys alone, light and dark, a laptop's screen, and every tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.dashboard import Dashboard
from tests.browser.running import Watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Open = Callable[..., Any]
Shot = Callable[[Any, str], None]

_FOCUSED = """() => {
  const at = document.activeElement
  return at.getAttribute('aria-label') ?? at.getAttribute('title') ?? at.textContent.trim().slice(0, 40)
}"""
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_BRIGHTNESS = """() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)
  return (r + g + b) / 765
}"""


def test_keys_alone_hold_step_and_list_themselves(open_page: Open, roman: Watched, shot: Shot) -> None:
    dashboard = Dashboard(open_page(roman.url))
    dashboard.play()
    dashboard.page.locator("body").press("Space")
    dashboard.until(lambda: dashboard.state == "paused")
    dashboard.page.wait_for_timeout(500)
    frame = dashboard.frame
    dashboard.page.keyboard.press(".")
    dashboard.until(lambda: dashboard.frame == frame + 1)
    dashboard.page.keyboard.press("k")
    dashboard.until(lambda: dashboard.state == "running")

    dashboard.page.keyboard.press("?")
    dashboard.page.get_by_role("dialog", name="Keys").wait_for()
    shot(dashboard.page, "keys")
    dashboard.page.keyboard.press("Escape")
    dashboard.until(lambda: dashboard.page.get_by_role("dialog").count() == 0)


def test_the_tab_key_reaches_every_part(open_page: Open, roman: Watched) -> None:
    page = open_page(roman.url)
    Dashboard(page).until(lambda: page.locator("[role=treeitem]").count() == 12)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(_FOCUSED))

    told = " | ".join(reached)
    for part in ("Pause", "Speed", "Stop the run", "Blocks of the net", "The net.", "Inspector", "Charts", "Keys"):
        assert part in told, told


def test_a_block_is_found_and_touched_by_keys(open_page: Open, roman: Watched) -> None:
    dashboard = Dashboard(open_page(roman.url))
    dashboard.select("hidden1")
    dashboard.page.locator(".inspector").get_by_role("radio", name="Unit", exact=True).check(force=True)
    dashboard.page.keyboard.press("/")  # also from a choice, in which nobody types
    dashboard.page.keyboard.type("hidden2")
    dashboard.page.get_by_role("option", name="hidden2").first.wait_for()
    dashboard.page.keyboard.press("Enter")
    dashboard.page.locator(".inspector h2").get_by_text("hidden2", exact=True).wait_for()

    dashboard.block.get_by_role("button", name="Lesion").focus()
    dashboard.page.keyboard.press("Enter")
    dashboard.until(lambda: [one["target"] for one in roman.status()["interventions"]] == ["hidden2"])
    dashboard.until(lambda: dashboard.block.get_by_role("button", name="Restore").count() == 1)
    dashboard.block.get_by_role("button", name="Restore").focus()
    dashboard.page.keyboard.press("Enter")
    dashboard.until(lambda: roman.status()["interventions"] == [])


def test_light_and_dark_follow_the_system_or_the_switch(open_page: Open, roman: Watched, shot: Shot) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page = open_page(roman.url, color_scheme=scheme)
        dashboard = Dashboard(page)
        dashboard.select("hidden1")
        dashboard.until(lambda page=page: page.evaluate("() => performance.getEntriesByName('net:laid-out').length"))
        page.wait_for_timeout(1500)
        brightness[scheme] = page.evaluate(_BRIGHTNESS)
        shot(page, scheme)
    assert brightness["light"] > 0.8 > 0.3 > brightness["dark"]

    switch = page.get_by_role("button", name="Colours")
    switch.click()  # from the system's to light
    dashboard.until(lambda: page.evaluate(_BRIGHTNESS) > 0.8)


@pytest.mark.parametrize(("width", "height"), [(1600, 900), (1366, 768), (1280, 720)])
def test_nothing_is_cut_off(open_page: Open, roman: Watched, shot: Shot, width: int, height: int) -> None:
    page = open_page(roman.url, viewport={"width": width, "height": height})
    dashboard = Dashboard(page)
    dashboard.select("hidden1")
    page.wait_for_timeout(1500)
    shot(page, f"at {width} by {height}")

    assert page.evaluate(_OVERFLOW) <= 0
    for name in ("Pause", "Stop the run", "Keys"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert 0 <= box["x"] <= width - box["width"]
        assert 0 <= box["y"] <= height - box["height"]


def test_every_tab_shows_something(open_page: Open, roman: Watched, shot: Shot) -> None:
    page = open_page(roman.url)
    Dashboard(page).select("hidden2")
    for tab in page.get_by_role("tab").all():
        name = tab.inner_text()
        tab.click()
        page.wait_for_timeout(700)
        panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
        assert panel.bounding_box()["height"] > 20, name
        shot(page, f"tab {name}")
