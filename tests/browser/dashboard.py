"""The dashboard as somebody before it has it: what is read off it, and what is clicked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 30.0


class Dashboard:
    """A page that shows a session.

    Args:
        page: the page.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        page.locator(".clock .state").wait_for()

    # --- read ---------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """running, paused, ended ..."""
        return str(self.page.locator(".clock .state").inner_text()).strip()

    @property
    def frame(self) -> int:
        """The frame that the clock shows."""
        text = self.page.locator(".clock .count").filter(has_text="frame").first.locator("b").inner_text()
        return int(re.sub(r"\D", "", text))

    @property
    def rate(self) -> float:
        """The learning rate that its field shows."""
        return float(self.page.get_by_label("rate, number").input_value())

    def picture(self) -> bytes:
        """The net as it is drawn now."""
        content: bytes = self.page.locator("canvas.net-canvas").screenshot()
        return content

    # --- clicked ------------------------------------------------------------------------------

    def click(self, name: str, within: Any = None) -> None:
        """Clicks the button of a name, on the page or in a part of it."""
        (within or self.page).get_by_role("button", name=name, exact=True).first.click()

    @property
    def block(self) -> Any:
        """The buttons that act on the whole of the block that is selected."""
        return self.page.get_by_role("group", name="The whole block")

    @property
    def in_force(self) -> Any:
        """The list of what is in force on what is selected."""
        return self.page.get_by_role("list", name="In force")

    def tab(self, name: str, region: str) -> None:
        """Shows a tab of a region: left, view, right, bottom."""
        self.page.locator(f".region.{region}").get_by_role("tab", name=name, exact=True).click()

    def select(self, path: str) -> None:
        """Selects a block by its row."""
        self.page.locator(f'[role=treeitem][title="{path}"]').click()
        self.page.locator(".inspector h2").get_by_text(path, exact=True).wait_for()

    def unfold(self, title: str) -> None:
        """Opens a part of the inspector."""
        head = self.page.locator(".inspector .section h3 button").filter(has_text=title).first
        if head.get_attribute("aria-expanded") == "false":
            head.click()

    def clamp(self, number: float) -> None:
        """Clamps what is selected to a number, by the form."""
        self.unfold("Clamp")
        field = self.page.locator(".inspector").get_by_label("Value, number", exact=True)
        field.fill(str(number))
        field.press("Enter")
        self.page.locator(".inspector").get_by_role("button", name="Clamp", exact=True).last.click()

    def drag(self, what: Any, by: float, at: float = 0.5) -> None:
        """Presses on a place of something, both shares of the way, moves sideways by so many pixels, and lets go."""
        box = what.bounding_box()
        x, y = box["x"] + at * box["width"], box["y"] + at * box["height"]
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + by, y, steps=8)
        self.page.mouse.up()

    def pause(self) -> None:
        """Holds the run."""
        if self.state != "paused":
            self.click("Pause")
        self.until(lambda: self.state == "paused")

    def play(self) -> None:
        """Lets the run go on."""
        if self.state != "running":
            self.click("Play")
        self.until(lambda: self.state == "running")

    def step(self, frames: int = 1) -> None:
        """Runs some frames of a run that is held."""
        for _ in range(frames):
            before = self.frame
            self.click("One frame on")
            self.until(lambda before=before: self.frame == before + 1)

    def until(self, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Waits until something holds; returns what it is."""
        return self.wait(self.page, holds, patience_s)

    @staticmethod
    def wait(page: Any, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """The same on a page that shows no session yet."""
        deadline = time.monotonic() + patience_s
        while not (found := holds()):
            assert time.monotonic() < deadline, f"it never came; the page shows:\n{page.inner_text('body')[:1500]}"
            page.wait_for_timeout(25)
        return found
