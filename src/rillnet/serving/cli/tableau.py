"""`rillnet show NET --rollout streaming`: in which update step each block of each frame is ready."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.rollout import POLICIES, Rollout
from rillnet.model.tableau_drawing import tableau_svg, tableau_text
from rillnet.serving.cli.terminal import Terminal


def show_tableaus(
    terminal: Terminal, net: Net, policies: Sequence[str], frames: int, svg: Path | None
) -> dict[str, Any]:
    """Shows the tableaus of a net's rollouts side by side.

    Args:
        terminal: where to write.
        net: the net.
        policies: `sequential`, `streaming`.
        frames: the last frame shown.
        svg: where to draw them.

    Returns:
        By policy: the delays, the tableau, the inference factor and the first responses.
    """
    faults = [
        Fault("--rollout", f"must be {' or '.join(POLICIES)}", policy, hint=suggest(policy, POLICIES))
        for policy in policies
        if policy not in POLICIES
    ]
    if faults:
        raise RequestError(faults)
    rollouts = {policy: Rollout(net, default=policy) for policy in dict.fromkeys(policies)}
    terminal.print(tableau_text(rollouts, frames))
    if svg is not None:
        terminal.write_file(svg, tableau_svg(rollouts, frames))
    return {"net": net.name, "rollouts": {policy: _describe(one, frames) for policy, one in rollouts.items()}}


def _describe(rollout: Rollout, frames: int) -> dict[str, Any]:
    return {
        "inference_factor": rollout.inference_factor,
        "delays": rollout.delays,
        "tableau": rollout.tableau(frames),
        "first_response": {block: rollout.first_response(block) for block in rollout.flat.blocks},
    }
