"""What is touched beside the buttons of commands: the line of frames, settings, what is kept, gradients, units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.dashboard import Dashboard
from tests.browser.running import Watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Shot = Callable[[Any, str], None]


@pytest.fixture
def dashboard(open_page: Callable[..., Any], roman: Watched) -> Dashboard:
    """The page of the demonstration, held."""
    found = Dashboard(open_page(roman.url))
    found.until(lambda: found.page.locator("[role=treeitem]").count() == 12)
    if found.frame < 20:
        found.play()
        found.until(lambda: found.frame > 20)
    found.pause()
    return found


def test_the_line_of_frames_is_dragged_back_and_on_again(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.tab("Journal", "bottom")
    dashboard.page.get_by_label("Frames shown").select_option("newest 100")
    roman.command("lesion hidden3")
    dashboard.step(4)
    reached, kept = dashboard.frame, roman.value("net/hidden1/weight")
    handle = dashboard.page.get_by_role("slider", name="Frame to go to")
    frame_px = dashboard.page.locator(".track").bounding_box()["width"] / min(100, reached)

    dashboard.drag(handle, -8 * frame_px)
    dashboard.until(lambda: dashboard.frame != reached)
    dashboard.page.get_by_role("button", name="Drag to go to a frame").wait_for()  # it is there
    back = roman.status()["clock"]["frame"]
    assert abs(reached - 8 - back) <= 1
    dashboard.until(lambda: dashboard.frame == back)
    assert roman.status()["interventions"] == []  # it was done later than that
    assert handle.get_attribute("aria-valuemax") == str(reached)
    shot(dashboard.page, "scrubbed back")

    roman.command(f"step {reached - 4 - back}")
    dashboard.until(lambda: dashboard.frame == reached - 4)
    roman.command("lesion hidden3")
    dashboard.drag(handle, 4 * frame_px)
    dashboard.until(lambda: dashboard.frame == reached)
    assert roman.value("net/hidden1/weight") == kept  # the same way again, to the last bit


def test_what_is_kept_and_gradients_are_seen(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.play()
    dashboard.select("hidden1")
    inspector = dashboard.page.locator(".inspector")
    inspector.get_by_role("radio", name="State").check(force=True)
    maps = inspector.get_by_role("img", name="State of hidden1, from")
    maps.wait_for()
    norms = inspector.get_by_role("figure", name="norm: weight")
    norms.scroll_into_view_if_needed()
    told = dashboard.until(lambda: norms.get_attribute("aria-label"))
    dashboard.until(lambda: norms.get_attribute("aria-label") != told)
    shot(dashboard.page, "gradients")


def test_words_are_set_like_numbers(dashboard: Dashboard, roman: Watched) -> None:
    dashboard.select("hidden1")
    field = dashboard.page.locator(".inspector").get_by_label("padding_mode")
    field.fill("sideways")
    field.press("Enter")
    dashboard.page.locator(".inspector .setting .fault-list").wait_for()
    assert roman.value_of("net/hidden1/padding_mode") == "zeros"

    field.fill("reflect")
    field.press("Enter")
    dashboard.until(lambda: roman.value_of("net/hidden1/padding_mode") == "reflect")
    dashboard.until(lambda: field.input_value() == "reflect")
    dashboard.click("Undo the newest command")
    dashboard.until(lambda: field.input_value() == "zeros")


def test_a_clamp_in_force_follows_its_slider(dashboard: Dashboard, roman: Watched) -> None:
    dashboard.select("hidden3")
    dashboard.clamp(0.5)
    dashboard.until(lambda: [one["value"] for one in roman.status()["interventions"]] == [0.5])
    slider = dashboard.page.locator(".inspector").get_by_role("slider", name="Value", exact=True)
    dashboard.drag(slider, 20)
    dashboard.until(lambda: [one["value"] for one in roman.status()["interventions"]] != [0.5])
    assert len(roman.status()["interventions"]) == 1


def test_a_unit_is_clicked_and_a_region_is_painted_out(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.select("hidden1")
    inspector = dashboard.page.locator(".inspector")
    maps = inspector.locator(".maps-frame").first
    maps.wait_for()
    for tool, lesioned in (("Unit", 1), ("Brush", 2)):
        inspector.get_by_role("radio", name=tool, exact=True).check(force=True)
        dashboard.drag(maps, 0 if tool == "Unit" else 30, at=0.4)  # not between two maps
        shot(dashboard.page, f"marked by {tool}")
        inspector.locator(".marked").get_by_role("button", name="Lesion").click()
        dashboard.until(lambda lesioned=lesioned: len(roman.status()["interventions"]) == lesioned)
    units = [one["units"] for one in roman.status()["interventions"]]
    assert units[0] == 1
    assert 1 < units[1] < 16 * 16 * 16
    shot(dashboard.page, "painted out")


def test_the_rollout_moves_on_with_the_session(dashboard: Dashboard, shot: Shot) -> None:
    dashboard.tab("Rollout", "view")
    told = dashboard.page.locator(".rollout output")
    told.wait_for()
    assert dashboard.page.get_by_role("table").count() == 3  # as it runs, sequential, streaming
    before = told.inner_text()
    dashboard.step()
    dashboard.until(lambda: told.inner_text() != before)
    assert dashboard.page.locator(".cell.now").count() > 1
    shot(dashboard.page, "rollout")
