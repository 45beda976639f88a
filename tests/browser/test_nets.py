"""Nets that are more than a chain in one process: modules in modules, and blocks in several processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.dashboard import Dashboard
from tests.browser.running import watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Shot = Callable[[Any, str], None]

_STAGE = "{type: Net, blocks: {conv: {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1}, act: ReLU}}"

NESTED = f"""\
experiment: nested
net:
  inputs: {{image: [1, 32, 32], label: {{dtype: int64}}}}
  blocks:
    stem: {{type: Conv2d, from: image, out_channels: 8, kernel_size: 5, stride: 4}}
    encoder:
      type: Net
      blocks:
        early: {_STAGE}
        late: {_STAGE}
        norm: BatchNorm2d
    flat: Flatten
    logits: {{type: Linear, out_features: 10}}
    loss: {{type: CrossEntropy, from: [logits, label]}}
data: {{source: {{type: RomanNumerals, duration: 7}}, batch_size: 4}}
learning:
  main: {{type: Backprop, optimizer: {{type: SGD, lr: 0.01}}}}
run: {{frames: 10000000, seed: 1, execution: eager}}
"""

PLACED = """\
experiment: placed
net:
  inputs: {image: [1, 32, 32], label: {dtype: int64}}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 8, kernel_size: 5, stride: 4}
    act: Tanh
    flat: Flatten
    hidden: {type: Linear, out_features: 32}
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data: {source: {type: RomanNumerals, duration: 7}, batch_size: 4}
learning:
  main: {type: Backprop, optimizer: {type: SGD, lr: 0.01}}
placement:
  processes: 2
  blocks: {conv: {location: 0}, act: {location: 0}, flat: {location: 0}, hidden: {location: 1}, logits: {location: 1}}
run: {frames: 10000000, seed: 1, execution: eager}
"""


def test_modules_in_modules_are_closed_opened_and_touched(
    open_page: Callable[..., Any], tmp_path: Path, shot: Shot
) -> None:
    (tmp_path / "nested.yaml").write_text(NESTED)
    with watched(tmp_path / "nested.yaml", tmp_path) as run:
        dashboard = Dashboard(open_page(run.url))
        page = dashboard.page
        dashboard.until(lambda: dashboard.frame > 1)
        page.wait_for_timeout(1500)
        shot(page, "modules open")
        opened = dashboard.picture()
        dashboard.click("Collapse all")
        dashboard.until(lambda: page.get_by_role("button", name="Expand all").count() == 1)
        page.wait_for_timeout(700)
        shot(page, "modules closed")
        assert dashboard.picture() != opened

        page.keyboard.press("/")
        page.keyboard.type("late/conv")
        page.locator("#net-found").get_by_role("option").first.wait_for()
        page.keyboard.press("Enter")  # opens the two modules around it
        page.locator(".inspector h2").get_by_text("encoder/late/conv", exact=True).wait_for()
        page.wait_for_timeout(700)
        shot(page, "module opened by search")

        dashboard.select("encoder/norm")
        assert page.locator(".inspector h3").filter(has_text="running_mean").count() == 1
        dashboard.select("encoder")
        dashboard.click("Lesion", page.get_by_role("group", name="The whole module"))
        dashboard.until(lambda: len(run.status()["interventions"]) == 5)
        shot(page, "module lesioned")
        dashboard.click("Restore", page.get_by_role("group", name="The whole module"))
        dashboard.until(lambda: run.status()["interventions"] == [])
        page.context.close()


def test_blocks_are_coloured_by_their_process(open_page: Callable[..., Any], tmp_path: Path, shot: Shot) -> None:
    (tmp_path / "placed.yaml").write_text(PLACED)
    with watched(tmp_path / "placed.yaml", tmp_path) as run:
        dashboard = Dashboard(open_page(run.url))
        page = dashboard.page
        dashboard.until(lambda: dashboard.frame > 1)
        page.get_by_label("Colour by", exact=True).select_option("Process")
        legend = page.get_by_role("group", name="Colours by process")
        dashboard.until(lambda: legend.get_by_role("button").count() >= 3)
        assert {"process 0", "process 1"} <= set(legend.all_inner_texts()[0].split("\n"))
        first = dashboard.picture()
        dashboard.until(lambda: dashboard.picture() != first)  # what the other process sends is seen here too
        dashboard.select("hidden")
        page.locator(".inspected").get_by_text("process 1").wait_for()
        dashboard.pause()
        frame = dashboard.frame
        dashboard.click("Lesion", dashboard.block)
        dashboard.step()
        assert dashboard.frame == frame + 1
        shot(page, "coloured by process")
        page.context.close()
