"""What a frame sends ahead is used by the frame that goes on from its state, and by no other."""

from __future__ import annotations

from typing import Any

import torch

from rillnet.runtime.placement.frame import AHEAD, TOKEN
from rillnet.runtime.placement.program import PlacedProgram
from rillnet.runtime.program import Program
from rillnet.runtime.state import detach_state
from tests.runtime.placement.team import Team
from tests.runtime.placement.training import Case, batch_of, net_of, placed, rollout_of

CHAIN: dict[str, Any] = {
    "inputs": {"x": [4]},
    "blocks": {
        "a": {"type": "Linear", "from": "x", "out_features": 4},
        "b": {"type": "Linear", "out_features": 4},
        "c": {"type": "Linear", "from": ["b"], "out_features": 4},
    },
}
CASE = Case(CHAIN, rollout={"a->b": 1, "b->c": 2})


def gone_on_from(rank: int) -> tuple[bool, float]:
    """Frames in a row, once more from an earlier state, and from zeros."""
    alone = net_of(CASE)
    _, _, part = placed(
        CASE, {"processes": 2, "blocks": {"a": {"location": 0}, "b": {"location": 1}, "c": "feature"}}, rank
    )
    own, whole = (
        PlacedProgram(part, ["c"], "train"),
        Program(alone, rollout_of(CASE, alone), outputs=["c"], phase="train"),
    )
    states: list[Any] = [(None, None)]
    worst = 0.0
    for turn, since in enumerate((0, 1, 2, 2, 1, 0, 6)):
        inputs = batch_of(CASE, alone, turn, 3)
        found, state = own(inputs, states[since][0])
        expected, expected_state = whole(inputs, states[since][1])
        worst = max(worst, float((found["c"] - expected["c"]).detach().abs().max()))
        kept = detach_state(state) if turn % 2 else state
        states.append((kept, detach_state(expected_state)))
    return AHEAD in states[-1][0] and AHEAD.endswith(TOKEN), worst


def test_a_frame_may_go_on_from_any_state(team: Team) -> None:
    for is_sent_ahead, apart in team.run(2, gone_on_from):
        assert is_sent_ahead
        assert apart < 1e-6


def let_go_of(rank: int) -> tuple[int, bool]:
    _, _, part = placed(CASE, {"processes": 2, "default": "feature"}, rank)
    program = PlacedProgram(part, ["c"], "val")
    state = None
    with torch.no_grad():
        for turn in range(6):
            _, state = program(batch_of(CASE, part.plan.flat.net, turn, 3), state)  # type: ignore[arg-type]
    kept = len(part.under_way._flights)
    part.under_way.settle()
    return kept, not part.under_way._flights


def test_messages_are_kept_for_two_frames_and_no_longer(team: Team) -> None:
    for kept, is_empty in team.run(2, let_go_of):
        assert kept < 12
        assert is_empty
