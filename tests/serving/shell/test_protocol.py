from __future__ import annotations

from rillnet.serving.shell.protocol import Observed, Reached, Wanted
from tests.serving.shell.standing_in import StandIn


def test_a_stand_in_is_all_that_the_shell_needs_of_a_session() -> None:
    session: Reached = StandIn()
    asked = [name for name in vars(Reached) if not name.startswith("_")]

    assert all(hasattr(session, name) for name in asked)


def test_a_stream_asks_for_what_fits_a_line() -> None:
    assert Wanted(["clock/frame"]) == Wanted(["clock/frame"], rate=4.0, reduction=None, stream=0, settings={})
    assert Observed("clock/frame", 3, 3, "scalar").frame == 3
