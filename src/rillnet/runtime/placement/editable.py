"""Edits of a placed net: where every process has all parameters, all of them edit their net alike."""

from __future__ import annotations

from rillnet.errors import MOST_LISTED, Fault, RequestError
from rillnet.model.rollout import Rollout
from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.plan import PlacementPlan

_WHOLE = ("batch", "none")
_HINT = "place it by batch, or go on with the run in one process"


def faults_of_edits(plan: PlacementPlan) -> list[Fault]:
    """Why a placed net keeps its blocks and edges while it runs; nothing where it can be edited.

    Args:
        plan: who computes what.

    Example:
        >>> import rillnet as rn
        >>> from rillnet.runtime.placement.records import PlacementSpec
        >>> net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
        >>> rollout = rn.Rollout.sequential(net)
        >>> faults_of_edits(PlacementPlan(rollout, PlacementSpec(processes=2)))
        []
        >>> split = PlacementSpec(processes=2, blocks={"fit": {"partition": "feature"}})
        >>> print(*faults_of_edits(PlacementPlan(rollout, split)))
        net/fit: is split by feature, and a net is edited only where every process has all of each block; place it by \
batch, or go on with the run in one process
    """
    if plan.placement.takes_own_steps:
        rule = "has every process take steps of its own, and a net is edited only where all take the same"
        return [Fault("placement", rule, hint=_HINT)]
    rule = "a net is edited only where every process has all of each block"
    return [
        Fault(f"net/{name}", f"is {_split(assigned)}, and {rule}", hint=_HINT)
        for name, assigned in plan.blocks.items()
        if assigned.kind not in _WHOLE or assigned.shard != "none"
    ][:MOST_LISTED]


def _split(assigned: Assigned) -> str:
    if assigned.location is not None:
        return f"computed by process {assigned.location} alone"
    if assigned.kind in _WHOLE:
        return "sharded"
    return f"split by {assigned.kind}"


def check_edited(plan: PlacementPlan, rollout: Rollout) -> list[Fault]:
    """Why a placed net cannot become another one; nothing if it can.

    Args:
        plan: who computes what of it now.
        rollout: of the net as it would be.
    """
    faults = faults_of_edits(plan)
    if faults:
        return faults
    try:
        return faults_of_edits(PlacementPlan(rollout, plan.placement))
    except RequestError as error:  # a pattern of the document would match nothing any more
        return error.faults
