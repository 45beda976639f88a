"""How fast the page is: measured and left beside the pictures, as no speed is right or wrong."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SHOTS
from tests.browser.dashboard import Dashboard
from tests.browser.running import Watched, watched
from tests.browser.test_ending import DOCUMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Open = Callable[..., Any]
Shot = Callable[[Any, str], None]

TIMES = 20

# From a click to the clock's word: through the socket, the frame boundary, and back into the page.
_ROUND_TRIP = """async () => {
  const state = document.querySelector('.clock .state')
  const buttons = [...document.querySelectorAll('[aria-label=Time] button')]
  const button = buttons.find((one) => /^(Pause|Play)$/.test(one.ariaLabel))
  const wanted = button.ariaLabel === 'Pause' ? 'paused' : 'running'
  const begun = performance.now()
  return await new Promise((resolve) => {
    const seen = () => {
      if (state.textContent.trim() !== wanted) return
      observer.disconnect()
      resolve(performance.now() - begun)
    }
    const observer = new MutationObserver(seen)
    observer.observe(document.querySelector('.clock'), { subtree: true, childList: true, characterData: true })
    button.click()
  })
}"""

# How often the page is drawn in a second.
_DRAWN = """async (milliseconds) => {
  let drawn = 0
  const begun = performance.now()
  await new Promise((resolve) => {
    const next = () => (drawn++, performance.now() - begun < milliseconds ? requestAnimationFrame(next) : resolve())
    requestAnimationFrame(next)
  })
  return drawn * 1000 / (performance.now() - begun)
}"""


def note(name: str, **figures: float) -> None:
    """Leaves figures to be read."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / "figures.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(known | {name: {key: round(value, 2) for key, value in figures.items()}}, indent=2))


def test_a_command_and_back(chromium: Any, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    with watched(tmp_path / "small.yaml", tmp_path) as run:
        dashboard = Dashboard(open_page(run.url))
        run.command("speed 30")
        dashboard.play()
        times = []
        for _ in range(TIMES):
            times.append(dashboard.page.evaluate(_ROUND_TRIP))
            dashboard.page.wait_for_timeout(150)
        dashboard.page.context.close()

    times.sort()
    note("round trip, ms", median=statistics.median(times), most=times[-1], least=times[0])
    assert 0 < times[0] < 10_000


def test_the_page_opens(open_page: Open, roman: Watched) -> None:
    begun = time.perf_counter()
    page = open_page(roman.url)
    dashboard = Dashboard(page)
    clock = time.perf_counter() - begun
    dashboard.until(lambda: page.locator("[role=treeitem]").count() == 12)
    net = time.perf_counter() - begun

    note("opening, s", clock=clock, net=net)
    assert net < 60


def pools(folder: Path, count: int) -> Path:
    """A document of pools, each reading another of the layer below, a frame later."""
    width = 50
    lines = []
    for number in range(count):
        source = "flat" if number < width else f"pool{number - width}"
        lines.append(f"    pool{number}: {{type: Linear, from: {source}, out_features: 4}}")
    text = [
        f"experiment: pools{count}",
        "net:",
        "  inputs: {image: [1, 32, 32], label: {dtype: int64}}",
        "  blocks:",
        "    flat: {type: Flatten, from: image}",
        *lines,
        f"    all: {{type: Concat, from: [{', '.join(f'pool{count - width + place}' for place in range(width))}]}}",
        "    answer: {type: Linear, from: all, out_features: 10}",
        "    loss: {type: CrossEntropy, from: [answer, label]}",
        "rollout: streaming",
        "data: {source: {type: RomanNumerals, duration: 7}, batch_size: 1}",
        "learning: {main: {type: Backprop, optimizer: {type: SGD, lr: 0.01}}}",
        "run:",
        "  {frames: 10000000, seed: 1, execution: {compile: false, memory_format: contiguous, optimizer: foreach}}",
    ]
    path = folder / f"pools{count}.yaml"
    path.write_text("\n".join(text) + "\n")
    return path


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_a_large_net(chromium: Any, open_page: Open, tmp_path: Path, shot: Shot, count: int) -> None:
    with watched(pools(tmp_path, count), tmp_path, start_s=400) as run:
        while not run.status()["clock"]["frame"]:  # it is the page that is measured, not the run's beginning
            time.sleep(0.1)
        begun = time.perf_counter()
        page = open_page(run.url)
        dashboard = Dashboard(page)
        clock = time.perf_counter() - begun
        dashboard.until(lambda: page.locator("[role=treeitem]").count() > 10, 120)
        dashboard.until(lambda: page.locator(".net .empty.over").count() == 0, 120)
        picture = time.perf_counter() - begun
        page.wait_for_timeout(2000)
        shot(page, f"{count} blocks")
        box = page.locator("canvas.net-canvas").bounding_box()
        centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        far = _while_moving(page, centre)
        dashboard.click("Show at full size")
        page.wait_for_timeout(2000)
        near = _while_moving(page, centre)
        shot(page, f"{count} blocks near")
        frame = run.status()["clock"]["frame"]
        page.context.close()

    note(f"{count} blocks", clock_s=clock, picture_s=picture, far_redraws=far, near_redraws=near, frames=frame)
    assert picture < 120


def _while_moving(page: Any, centre: tuple[float, float]) -> float:
    """Redraws in a second while the net is dragged about."""
    page.mouse.move(*centre)
    page.mouse.down()
    page.evaluate(f"() => {{ window.drawn = ({_DRAWN})(2000) }}")
    for step in range(60):
        page.mouse.move(centre[0] + 4 * (step % 30), centre[1] + 2 * (step % 20))
        page.wait_for_timeout(10)
    drawn: float = page.evaluate("() => window.drawn")
    page.mouse.up()
    return drawn
