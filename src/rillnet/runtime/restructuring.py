"""Edits of the net of a session between two frames: what stays goes on bit for bit, with all that is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from rillnet.errors import Fault, RequestError
from rillnet.model.editing.draft import put
from rillnet.model.editing.edits import Edited, edited, take_over
from rillnet.model.editing.rewiring import Edit
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.carrying import Carrying
from rillnet.runtime.executor import Executor
from rillnet.runtime.parts import Assembly, Trainer
from rillnet.runtime.placement.editable import check_edited, faults_of_edits
from rillnet.runtime.trying import Trying, check_frame


class Restructured(Trying, Protocol):
    """A session, as far as its net is edited."""

    experiment: Assembly
    trainer: Trainer

    def make_executor(self) -> Executor:
        """Another one for the net as it is now."""

    def use_executor(self, executor: Executor | None) -> None:
        """Has frames run by it from now on."""


@dataclass
class Kept:
    """What an edit takes away, for the case that it is taken back.

    Args:
        modules: of the blocks that are gone, by path.
        numbers: of parameters and buffers that have another shape, as they were, by address.
        learned: what rules kept of all these, by rule.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict)
    numbers: dict[str, Tensor] = field(default_factory=dict)
    learned: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def check_edit(session: Restructured, edit: Edit, modules: Mapping[str, nn.Module] | None = None) -> Edited:
    """Looks whether a net can be edited, as a whole: shapes, cycles, what is learned; and changes nothing.

    Args:
        session: whose net.
        edit: what is changed.
        modules: of blocks that come back, by path.

    Returns:
        The net as it would be.

    Raises:
        RequestError: it cannot; holds every fault found.
    """
    placement = session.placement
    if placement is not None and (split := faults_of_edits(placement.plan)):
        raise RequestError(split)
    found = edited(session.net, edit, modules)
    rollout = session.experiment.build_rollout(found.net)
    faults = rollout.check() or session.experiment.check_net(found.net, rollout) or _in_force(session, found, rollout)
    if not faults and placement is not None:
        faults = check_edited(placement.plan, rollout)
    if faults:
        raise RequestError(faults)
    return found


def _in_force(session: Restructured, found: Edited, rollout: Rollout) -> list[Fault]:
    """What is done to blocks that would not be there any more, or would have other units or edges."""
    executor = session.made_executor
    if executor is None or not executor.interventions:
        return []
    inside = f"{found.edit['in']}/" if found.edit.get("in") else ""
    rewired = {inside + name for name in found.edit.get("sources", ())}
    there = {one["text"] for one in executor.interventions.moved_to(rollout.flat).state()}
    lost = [
        one["text"]
        for one in executor.interventions.state()
        if one["text"] not in there or one["text"].partition("->")[2].partition("#")[0] in rewired
    ]
    return [Fault(f"net/{text}", "is clamped, noisy or lesioned", hint=f"restore {text} first") for text in lost]


def apply_edit(session: Restructured, edit: Edit, kept: Kept | None = None) -> Callable[[], None]:
    """Edits the net of a session, in place, if the edited net can compute the next frame.

    Args:
        session: whose net.
        edit: what is changed.
        kept: what an earlier edit took away and this one brings back. It is then not tried on data, as what was there
            before must be within reach whatever the data are.

    Returns:
        What takes it back.

    Raises:
        RequestError: it cannot be; nothing is changed then.
    """
    is_tried, kept = kept is None, kept or Kept()
    found = check_edit(session, edit, kept.modules)
    net, rollout, executor = session.net, session.rollout, session.made_executor
    carrying = Carrying.of(net, found, kept.learned)
    if is_tried:
        check_frame(session, found.net, session.experiment.build_rollout(found.net), carrying)
    left = _left(session, found, carrying)
    before = take_over(net, found)
    _bring_back(net, found, kept)
    place_back: Callable[[], None] | None = None
    try:
        session.rollout = session.experiment.build_rollout(net)
        if session.placement is not None:
            place_back = session.placement.follow(session.rollout)
        if executor is not None:
            executor.interventions.flat = session.rollout.flat  # all of them fit, and stay the objects that they are
            session.use_executor(_executor_after(session, executor, carrying))
    except BaseException:  # Ctrl-C too: the run goes on, or is saved, with the net that it had
        put(net, before)
        session.rollout = rollout
        if place_back is not None:
            place_back()
        if executor is not None:
            executor.interventions.flat = rollout.flat
            session.use_executor(executor)
        raise
    session.trainer.take_parameters(carrying.by_address)

    def undo() -> None:
        apply_edit(session, found.back, left)

    return undo


def _executor_after(session: Restructured, executor: Executor, carrying: Carrying) -> Executor:
    """What runs frames of the edited net, and goes on where frames of the net before stand."""
    after = session.make_executor()
    for name, rule in after.rules.items():
        old = executor.rules[name]
        tensors, values = carrying.rule(name, old.state_tensors(), old.state_values(), rule.state_values())
        rule.load_state(tensors, values)
    after.take_state(executor, carrying.state)
    after.rest(executor.resting)
    known = session.net.parameters_by_address()
    for address in executor.held:
        if address in known:
            after.held.hold(address, known[address])
    return after


def _left(session: Restructured, found: Edited, carrying: Carrying) -> Kept:
    """What is gone after an edit."""
    inside = f"{found.edit['in']}/" if found.edit.get("in") else ""
    paths = [inside + name for name in found.edit.get("take", ())]
    modules = {path: session.net[path] for path in paths}
    executor = session.made_executor
    rules = executor.rules if executor is not None else {}
    learned = {name: carrying.left(rule.state_tensors(), rule.state_values()) for name, rule in rules.items()}
    known = session.net.state_by_address()
    numbers = {address: known[address].detach().clone() for address in found.resized}
    return Kept(modules, numbers, learned)


@torch.no_grad()
def _bring_back(net: Net, found: Edited, kept: Kept) -> None:
    """Gives parameters that get a shape back the numbers that they had lost with it."""
    known = net.state_by_address()
    for address, resize in found.resized.items():
        earlier = kept.numbers.get(address)
        if earlier is not None and tuple(earlier.shape) == resize.after:
            known[address].copy_(resize.kept_in(known[address], earlier))
