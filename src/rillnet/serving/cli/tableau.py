"""`rillnet show NET --rollout streaming`: in which update step each block of each frame is ready."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.rollout import POLICIES, Rollout
from rillnet.serving.cli.terminal import Terminal, table


def show_tableaus(
    terminal: Terminal, net: Net, policies: Sequence[str], frames: int, svg: Path | None
) -> dict[str, Any]:
    """Shows the tableaus of a net's rollouts, one below the other.

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
    told = {policy: _describe(rollout, frames) for policy, rollout in rollouts.items()}
    for number, (policy, one) in enumerate(told.items()):
        if number:
            terminal.print()
        steps = "1 update step" if one["inference_factor"] == 1 else f"{one['inference_factor']} update steps"
        terminal.print(f"{policy}: {steps} per frame")
        terminal.print(_tableau(one))
    if svg is not None:
        terminal.write_file(svg, draw({policy: rollout.tableau(frames) for policy, rollout in rollouts.items()}))
    return {"net": net.name, "rollouts": told}


def _describe(rollout: Rollout, frames: int) -> dict[str, Any]:
    blocks = rollout.flat.blocks
    return {
        "inference_factor": rollout.inference_factor,
        "delays": rollout.delays,
        "tableau": rollout.tableau(frames),
        "first_response": {block: rollout.first_response(block) for block in blocks},
    }


def _tableau(told: dict[str, Any]) -> Any:
    frames = range(len(next(iter(told["tableau"].values()), [])))
    headings = [f"frame {frame}" for frame in frames]
    shown = table("ready in step", *headings, "first response", right=(*headings, "first response"))
    for name, steps in told["tableau"].items():
        response = told["first_response"].get(name)
        shown.add_row(name, *map(str, steps), f"frame {response}" if response is not None else "")
    return shown
