"""Rules that rest and parameters that are held, in checkpoints."""

from __future__ import annotations

from rillnet.runtime.control.standing import restore, standing
from tests.runtime.control.driving import wide_session


def test_what_stands_is_restored() -> None:
    with wide_session() as session, wide_session() as other:
        assert standing(session) == {}
        restore(session, {})
        assert session.made_executor is None
        session.command("hold hidden")
        session.command("learning off")
        state = standing(session)
        assert state == {"held": ["net/hidden/weight", "net/hidden/bias"], "resting": ["main"]}
        restore(other, state)
        assert standing(other) == state
        restore(other, {})
        assert standing(other) == {"held": [], "resting": []}
