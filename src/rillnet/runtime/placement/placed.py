"""The placement of a running net: what this process has of it, and whole tensors where somebody asks for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends import yaml
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.interventions.changes import Changes
from rillnet.runtime.placement.executing import Executing, note_sums
from rillnet.runtime.placement.gathering import Holding, gather, holdings_of
from rillnet.runtime.placement.heartbeat import FOLDER, Heartbeat, remove_beats
from rillnet.runtime.placement.joining import joined_count, report_run
from rillnet.runtime.placement.local import keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.processes import Processes
from rillnet.runtime.placement.program import PlacedNet, ProcessGroups
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.sharing import Sharing
from rillnet.runtime.plan import Slot

STREAMS = "#streams"
"""Where a state that was cut into parts says how many streams it is of in all."""

_IN_WINDOW = re.compile(r"(?:window/)?(?:\d+ (?:state|input) )?(?P<name>.*)")


def spec_of(placement: Mapping[str, Any]) -> PlacementSpec:
    """What a document says of a placement.

    Raises:
        RequestError: it is wrong; holds every fault.
    """
    try:
        return yaml.validated(PlacementSpec, {key: value for key, value in placement.items() if value is not None})
    except RequestError as error:
        faults = [
            replace(one, address=f"placement.{one.address}" if one.address else "placement") for one in error.faults
        ]
        raise RequestError(faults) from error


def plan_of(rollout: Rollout, placement: Mapping[str, Any], processes: int) -> PlacementPlan:
    """The plan for so many processes.

    Raises:
        RequestError: the document asks for another number, or the placement cannot be.
    """
    spec = spec_of(placement)
    asked = spec.mesh_size or spec.processes
    if asked not in (None, processes):
        rule = f"asks for {asked} processes, and {processes} {'is' if processes == 1 else 'are'} there"
        hint = f"start it with --processes {asked}, or leave the number out"
        raise RequestError(Fault("placement", rule, hint=hint))
    return PlacementPlan(rollout, spec.model_copy(update={"processes": processes}))


def processes_of(placement: Mapping[str, Any]) -> int:
    """How many processes a document asks for: as many as its locations need, where it gives no number.

    Raises:
        RequestError: what it says is wrong.
    """
    spec = spec_of(placement)
    places = [one.location + 1 for one in (spec.default, *spec.blocks.values()) if one.location is not None]
    return spec.mesh_size or spec.processes or max(places, default=1)


def check_not_alone(placement: Mapping[str, Any]) -> None:
    """Looks whether the processes that a document asks for are there.

    Raises:
        RequestError: this one is alone.
    """
    asked = processes_of(placement)
    if asked > 1 and joined_count() == 1:
        hint = "rillnet run starts them; in Python, torchrun does, or torch.distributed.init_process_group joins them"
        raise RequestError(Fault("placement", f"asks for {asked} processes, and this one is alone", hint=hint))


class Placement:
    """What one of several processes has of a net.

    Args:
        net: the net, whole and the same in all processes; its modules are left with the parts of this one.
        plan: who computes what.
    """

    def __init__(self, net: Net, plan: PlacementPlan) -> None:
        self.net, self.plan, self.processes = net, plan, Processes()
        self.rank = self.processes.rank
        self.size = sum(parameter.numel() for parameter in net.parameters())
        self.holdings = holdings_of(plan, {**net.state_by_address(), **net.parameters_by_address()})
        keep_own_parameters(plan, self.rank)
        self.placed = PlacedNet(plan, self.rank, ProcessGroups(self.processes.count))
        self.heartbeat = Heartbeat(self.rank)
        note_sums(self.placed, self.heartbeat)

    @classmethod
    def of(cls, net: Net, rollout: Rollout, placement: Mapping[str, Any]) -> Placement | None:
        """The placement of a net over all processes that have joined; None where this one is alone.

        Raises:
            RequestError: the document asks for another number of processes, or the placement cannot be.
        """
        count = joined_count()
        return cls(net, plan_of(rollout, placement, count)) if count > 1 else None

    # --- running ------------------------------------------------------------------------------

    def program(self, outputs: Sequence[str], phase: str, interventions: Changes | None = None) -> Executing:
        """The frame function of this process."""
        return Executing(self.placed, outputs, phase, self.heartbeat, interventions)

    def sharing(self, parameters: Mapping[str, nn.Parameter]) -> Sharing:
        """What a rule that changes these parameters needs of the other processes."""
        return Sharing(self.plan, self.rank, parameters, self.holdings, self.heartbeat)

    def share(self, rules: Mapping[str, Any]) -> None:
        """Has every rule add up its gradients over the processes.

        Raises:
            RequestError: a rule cannot.
        """
        for name, rule in rules.items():
            if not hasattr(rule, "share"):
                rule_said = f"{type(rule).__name__} learns in one process only"
                raise RequestError(Fault(f"learning/{name}", rule_said, hint="leave out the placement"))
            rule.share(self.sharing(rule.optimizer.parameters))

    def watch(self, run: Path) -> None:
        """From now on tells in a run directory what this process does."""
        if self.processes.is_first:
            (run / FOLDER).mkdir(exist_ok=True)
            remove_beats(run / FOLDER)
        self.processes.everyone(None)
        self.heartbeat.open(run / FOLDER)
        if self.processes.is_first:
            report_run(run)

    def first_makes(self, make: Callable[[], Any]) -> Any:
        """What the first process makes, in it; None in the others.

        Raises:
            RunError: the first process could not make it.
        """
        made, error = None, None
        if self.processes.is_first:
            try:
                made = make()
            except BaseException as raised:  # told to the others, then raised
                error = raised
        self.processes.check(error)
        return made

    # --- whole tensors ------------------------------------------------------------------------

    def whole(self, tensors: Mapping[str, Tensor], *, everyone: bool = False) -> dict[str, Tensor]:
        """Whole tensors by address (and what follows a `#`), in the first process or in all."""
        return gather(tensors, self._holding, self.processes, everyone=everyone)

    def whole_of_rules(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors of learning rules, by rule and address, in the first process."""
        return gather(tensors, lambda key: self._holding(key.partition("/")[2]), self.processes)

    def merged_values(self, rules: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """What learning rules remember as numbers, of all processes."""
        said = self.processes.everyone(dict(values))
        return {name: rule.merged_values([one[name] for one in said]) for name, rule in rules.items()}

    def _holding(self, key: str) -> Holding | None:
        return self.holdings.get(key.partition("#")[0])

    def part(self, key: str, tensor: Tensor) -> Tensor:
        """What of a whole tensor belongs to this process, by address."""
        holding = self._holding(key)
        return tensor if holding is None else holding.part_of(tensor, self.rank)

    def whole_state(self, state: Mapping[str, Tensor], streams: int, *, everyone: bool = False) -> dict[str, Tensor]:
        """A state, and the frames of a window, whole."""
        return gather(state, lambda key: self._holding_of_state(key, streams), self.processes, everyone=everyone)

    def _holding_of_state(self, key: str, streams: int) -> Holding | None:
        slot = self._slot(key)
        if slot is None:
            return None
        held = [self.plan.held(slot.source, rank, streams) for rank in self.plan.ranks]
        boxes = tuple(None if box is None else (box,) for box in held)
        return Holding(tuple(slot.signature.of_batch(streams)), boxes)

    def part_of_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What of a whole state belongs to this process."""
        found: dict[str, Tensor] = {}
        streams = 1
        for key, tensor in state.items():
            slot = self._slot(key)
            if slot is not None and slot.signature.batched:
                streams = tensor.shape[slot.signature.batch_dim]
        for key, tensor in state.items():
            holding = self._holding_of_state(key, streams)
            found[key] = tensor if holding is None else holding.part_of(tensor, self.rank)
        return {**found, STREAMS: torch.tensor(streams)}

    def _slot(self, key: str) -> Slot | None:
        """Which tensor of earlier frames stands under a key of a state, or of a window."""
        if " input " in key:
            return None
        match = _IN_WINDOW.fullmatch(key)
        name = match["name"].rpartition("@")[0] if match else ""
        return self._slots.get(name)

    @cached_property
    def _slots(self) -> dict[str, Slot]:
        return {slot.name: slot for slot in Executing(self.placed, None, "train", self.heartbeat).slots}

    def parts(self, saved: Checkpoint) -> Checkpoint:
        """A checkpoint of which this process reads its parts."""
        return _Parts(saved.path, saved.manifest, self)


@dataclass(frozen=True)
class _Parts(Checkpoint):
    """A checkpoint whose tensors are the parts of one process."""

    placement: Placement

    def tensors(self, group: str) -> dict[str, Tensor]:
        whole, placement = super().tensors(group), self.placement
        if group == "state":
            return placement.part_of_state(whole)
        if group != "learning":
            return {key: placement.part(key, tensor) for key, tensor in whole.items()}
        return {key: placement.part(key.partition("/")[2], tensor) for key, tensor in whole.items()}
