"""What is done to the demonstration from its page: seen, held, stepped, touched, undone and stopped."""

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
    """The page of the demonstration, which runs."""
    found = Dashboard(open_page(roman.url))
    found.until(lambda: found.page.locator("[role=treeitem]").count() == 12)
    found.play()
    return found


def test_the_net_is_seen_alive_and_stands_still_when_it_is_held(dashboard: Dashboard, shot: Shot) -> None:
    first = dashboard.until(dashboard.picture)
    dashboard.until(lambda: dashboard.picture() != first)
    shot(dashboard.page, "running")

    dashboard.pause()
    dashboard.page.wait_for_timeout(1000)  # what was on its way arrives
    frame, held = dashboard.frame, dashboard.picture()
    dashboard.page.wait_for_timeout(500)
    assert dashboard.frame == frame
    assert dashboard.picture() == held

    dashboard.step()
    dashboard.until(lambda: dashboard.picture() != held)
    assert dashboard.frame == frame + 1


def test_a_clamped_pool_changes_the_class(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.pause()
    dashboard.select("hidden3")
    classes = []
    for number in (5, -5):
        dashboard.clamp(number)
        dashboard.until(lambda: dashboard.in_force.get_by_role("listitem").count() == 1)
        dashboard.step(2)
        assert set(roman.value("net/hidden3/output")) == {float(number)}
        answers = roman.value("net/prediction/output")
        classes.append(answers.index(max(answers)))
    shot(dashboard.page, "clamped")

    assert classes[0] != classes[1]
    dashboard.click("Restore", dashboard.in_force)
    dashboard.until(lambda: roman.status()["interventions"] == [])
    dashboard.step(2)
    assert len(set(roman.value("net/hidden3/output"))) > 2


def test_a_lesion_silences_a_block_until_it_is_restored(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.pause()
    dashboard.select("hidden3")
    dashboard.click("Lesion", dashboard.block)
    dashboard.until(lambda: [one["kind"] for one in roman.status()["interventions"]] == ["lesion"])
    dashboard.step(2)
    assert set(roman.value("net/hidden3/output")) == {0.0}
    shot(dashboard.page, "lesioned")

    dashboard.click("Restore", dashboard.block)
    dashboard.until(lambda: roman.status()["interventions"] == [])
    dashboard.step(2)
    assert any(roman.value("net/hidden3/output"))


def test_the_rate_is_dragged_and_given_back(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.tab("Learning", "right")
    slider = dashboard.page.get_by_role("slider", name="rate", exact=True)
    slider.wait_for()
    before = roman.status()["rules"][0]["rate"]
    dashboard.drag(slider, -0.25 * slider.bounding_box()["width"])

    rate = dashboard.until(lambda: (now := roman.status()["rules"][0]["rate"]) != before and now)
    dashboard.until(lambda: abs(dashboard.rate - roman.status()["rules"][0]["rate"]) <= 1e-3 * rate)
    dashboard.tab("Journal", "bottom")
    dashboard.page.locator(".entries code").filter(has_text="rate main").first.wait_for()
    shot(dashboard.page, "journal")

    dashboard.click("Auto")
    dashboard.until(lambda: roman.status()["rules"][0]["rate"] == before)


def test_undo_takes_back_the_newest_command(dashboard: Dashboard, roman: Watched) -> None:
    dashboard.pause()
    before = roman.status()["rules"][0]["rate"]
    dashboard.tab("Learning", "right")
    field = dashboard.page.get_by_label("rate, number")
    field.fill("0.25")
    field.press("Enter")
    dashboard.until(lambda: roman.status()["rules"][0]["rate"] == 0.25)

    dashboard.click("Undo the newest command")

    dashboard.until(lambda: roman.status()["rules"][0]["rate"] == before)
    dashboard.until(lambda: dashboard.rate == pytest.approx(before))


def test_what_is_refused_is_told_and_changes_nothing(dashboard: Dashboard, roman: Watched, shot: Shot) -> None:
    dashboard.tab("Learning", "right")
    before = roman.status()["rules"][0]["rate"]
    field = dashboard.page.get_by_label("rate, number")
    field.fill("-1")
    field.press("Enter")

    dashboard.page.get_by_text("must be a number, at least 0").first.wait_for()
    shot(dashboard.page, "refused")
    assert roman.status()["rules"][0]["rate"] == before


def test_speed_is_limited(dashboard: Dashboard, roman: Watched) -> None:
    slider = dashboard.page.get_by_role("slider", name="Speed")
    slider.focus()
    slider.press("Home")  # the slowest
    dashboard.until(lambda: roman.status()["speed"] == 0.5)
    slider.press("End")
    dashboard.until(lambda: roman.status()["speed"] is None)


def test_a_closed_page_is_nothing_to_the_run(open_page: Callable[..., Any], roman: Watched) -> None:
    pages = [Dashboard(open_page(roman.url)) for _ in range(2)]
    pages[0].play()
    for one in pages:
        one.page.context.close()
    frame = roman.status()["clock"]["frame"]

    again = Dashboard(open_page(roman.url))
    again.until(lambda: again.frame > frame)
