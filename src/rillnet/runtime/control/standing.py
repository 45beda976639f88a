"""What commands did to learning that stands nowhere else in a checkpoint: rules that rest, parameters that are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.holding import Held


def standing(session: Controlled) -> dict[str, Any]:
    """What a checkpoint keeps of it.

    Args:
        session: whose.
    """
    executor = session.made_executor
    if executor is None:
        return {}
    return {"held": list(executor.held), "resting": sorted(executor.resting)}


def restore(session: Controlled, state: Mapping[str, Any]) -> None:
    """Sets what was kept; parameters are held at what they are now.

    Args:
        session: whose.
        state: what `standing` gave.
    """
    held, resting = state.get("held", ()), state.get("resting", ())
    if not held and not resting and session.made_executor is None:
        return
    executor, known = session.executor, session.net.parameters_by_address()
    executor.rest(resting)
    executor.held = Held()
    for address in held:
        executor.held.hold(address, known[address])
