"""How a session ends for those who look at it: stopped from the page, finished, or gone."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.dashboard import Dashboard
from tests.browser.running import Watched, watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DOCUMENT = """\
experiment: small
net:
  inputs: {image: [1, 32, 32], label: {dtype: int64}}
  blocks:
    flat: {type: Flatten, from: image}
    hidden: {type: Linear, out_features: 8}
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data: {source: {type: RomanNumerals, duration: 7}, batch_size: 4}
learning:
  main: {type: Backprop, optimizer: {type: SGD, lr: 0.1}}
run: {frames: 10000000, seed: 1, execution: eager, log: 1000000 steps}
"""


@pytest.fixture
def small(chromium: Any, tmp_path: Path) -> Iterator[Watched]:
    """A run of a small net."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    with watched(tmp_path / "small.yaml", tmp_path) as found:
        yield found


def test_stop_saves_and_ends_the_run(
    open_page: Callable[..., Any], small: Watched, shot: Callable[[Any, str], None]
) -> None:
    dashboard = Dashboard(open_page(small.url))
    dashboard.until(lambda: dashboard.frame > 0)
    dashboard.click("Stop the run")
    dialog = dashboard.page.get_by_role("dialog")
    shot(dashboard.page, "stop asks")
    dashboard.click("Stop", dialog)

    dashboard.until(lambda: dashboard.state == "ended")
    assert small.process.wait(60) == 130
    status = json.loads((small.directory / "status.json").read_text())
    assert status["status"] == "interrupted"
    assert status["step"] > 0
    assert not (small.directory / "live.json").exists()


def test_a_run_that_is_gone_is_told(chromium: Any, small: Watched, shot: Callable[[Any, str], None]) -> None:
    page = chromium.new_page()  # its console tells that the connection was lost, as it should
    page.goto(small.url)
    dashboard = Dashboard(page)
    dashboard.until(lambda: dashboard.frame > 0)
    small.process.kill()

    dashboard.until(lambda: "connection lost" in page.locator(".connection").inner_text())
    shot(page, "connection lost")
    page.close()


def test_a_run_that_does_not_answer_is_told_and_heard_again(chromium: Any, small: Watched) -> None:
    page = chromium.new_page()  # its console tells that the connection was lost, as it should
    page.goto(small.url)
    dashboard = Dashboard(page)
    dashboard.until(lambda: dashboard.frame > 0)
    small.process.send_signal(signal.SIGSTOP)
    try:
        dashboard.until(lambda: dashboard.state == "no answer")
        dashboard.until(lambda: dashboard.state == "lost", 60)
        frame = dashboard.frame
    finally:
        small.process.send_signal(signal.SIGCONT)
    dashboard.until(lambda: dashboard.state == "running", 60)
    dashboard.until(lambda: dashboard.frame > frame + 1)
    page.close()


def test_without_what_lets_one_in_nothing_is_shown(chromium: Any, small: Watched) -> None:
    page = chromium.new_page()
    answer = page.goto(small.url.partition("?")[0])
    refused = page.request.get(f"{small.url.partition('?')[0]}api/sessions")

    assert refused.status == 401
    assert answer.status in (200, 401)
    page.close()
