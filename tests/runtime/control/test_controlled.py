"""A session is all that commands expect."""

from __future__ import annotations

from rillnet.runtime.control.controlled import Controlled
from tests.runtime.control.driving import wide_session


def test_a_session_is_what_commands_see() -> None:
    with wide_session() as session:
        seen: Controlled = session
        for name in [*Controlled.__annotations__, *vars(Controlled)]:
            if not name.startswith("_"):
                assert hasattr(seen, name), name
