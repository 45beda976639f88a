"""The placement of a running net: what this process has of it, and whole tensors where somebody asks for them."""

from __future__ import annotations

import contextlib
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
from rillnet.runtime.placement.elastic import asked_by, fitted
from rillnet.runtime.placement.executing import Executing, note_sums
from rillnet.runtime.placement.gathering import Holding, gather, holdings_of
from rillnet.runtime.placement.heartbeat import FOLDER, Heartbeat, remove_beats
from rillnet.runtime.placement.joining import is_launched, joined_count, report_run
from rillnet.runtime.placement.local import keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.processes import Processes
from rillnet.runtime.placement.program import PlacedNet, ProcessGroups
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.replicas import REPLICAS, OwnSteps, Replicas, faults_of_own_steps, inexact
from rillnet.runtime.placement.shard_uses import gather_before_use
from rillnet.runtime.placement.shards import Shards
from rillnet.runtime.placement.shared_memory import SharedParameters
from rillnet.runtime.placement.sharing import Sharing
from rillnet.runtime.plan import Slot

STREAMS = "#streams"
"""Where a state that was cut into parts says how many streams it is of in all."""

_OF_PLAN = ("plan", "size", "holdings", "placed", "shards", "_slices")
"""What of a placement follows from the net as it is."""

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
    """The plan for so many processes; fewer than the document asks for where it is elastic.

    Raises:
        RequestError: the document asks for another number, or the placement cannot be.
    """
    spec = fitted(spec_of(placement), processes)
    asked = spec.mesh_size or spec.processes
    if asked not in (None, processes):
        rule = f"asks for {asked} processes, and {processes} {'is' if processes == 1 else 'are'} there"
        hint = f"start it with --processes {asked}, or leave the number out"
        raise RequestError(Fault("placement", rule, hint=hint))
    plan = PlacementPlan(rollout, spec.model_copy(update={"processes": processes}))
    faults = faults_of_own_steps(plan)
    if faults:
        raise RequestError(faults)
    return plan


def processes_of(placement: Mapping[str, Any]) -> int:
    """How many processes a document asks for: as many as its locations need, where it gives no number.

    Raises:
        RequestError: what it says is wrong.
    """
    return asked_by(spec_of(placement))


def check_not_alone(placement: Mapping[str, Any]) -> None:
    """Looks whether the processes that a document asks for are there.

    Raises:
        RequestError: this one is alone.
    """
    asked = processes_of(placement)
    if is_launched() and spec_of(placement).elastic is not None:
        return  # it is the one that is left
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
        self._of_rules: list[ProcessGroups] = []
        self._shard()
        self.replicas: Replicas | None = None
        if plan.placement.takes_own_steps:
            every = plan.placement.averaging.every if plan.placement.averaging is not None else None
            self.replicas = Replicas(self.processes, self.heartbeat, every)
        self._memory: SharedParameters | None = None
        note_sums(self.placed, self.heartbeat)

    def _shard(self) -> None:
        """Keeps slices of the parameters that are sharded."""
        self.shards = Shards(self.plan, self.rank, ProcessGroups(self.processes.count, apart=True))
        known = self.net.parameters_by_address()
        self._slices = self.shards.holdings(self.holdings, known)
        kept = {address for address in self._slices if not self.shards.keeps_whole(known[address])}
        self.holdings |= {address: held for address, held in self._slices.items() if address in kept}
        gather_before_use(self.placed, self.shards.of_block, self.heartbeat)

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

    def sharing(self, parameters: Mapping[str, nn.Parameter], groups: ProcessGroups | None = None) -> Sharing:
        """What a rule that changes these parameters needs of the other processes.

        Args:
            parameters: by address.
            groups: makes process groups for their sums; new ones if None.
        """
        groups = groups or ProcessGroups(self.processes.count, apart=True)
        if self.replicas is not None:
            share = 1 / self.processes.count if self.plan.placement.hogwild else 1.0
            empty = {"groups": groups, "shards": self.shards}
            return OwnSteps(self.plan, self.rank, parameters, self.heartbeat, share, **empty)
        return Sharing(self.plan, self.rank, parameters, self.holdings, self.heartbeat, groups, self.shards)

    def share(self, rules: Mapping[str, Any]) -> None:
        """Has every rule add up its gradients over the processes.

        Raises:
            RequestError: a rule cannot.
        """
        self.shards.take_back()
        if self.plan.placement.hogwild:
            if self._memory is None or not self._memory.is_of(self.net.parameters()):
                self._memory = SharedParameters(self.processes, self.net.parameters())
            self._memory.move()
        for number, (name, rule) in enumerate(rules.items()):
            if not hasattr(rule, "share"):
                rule_said = f"{type(rule).__name__} learns in one process only"
                raise RequestError(Fault(f"learning/{name}", rule_said, hint="leave out the placement"))
            if number == len(self._of_rules):  # made once, and used again by the rules of an edited net
                self._of_rules.append(ProcessGroups(self.processes.count, apart=True))
            rule.share(self.sharing(rule.optimizer.parameters, self._of_rules[number]))

    @property
    def note(self) -> str:
        """Why the numbers are not those of one process; nothing if they are."""
        told = inexact(self.plan)
        return f"placement: {told}" if told else ""

    def after_step(self, rules: Mapping[str, Any]) -> None:
        """Does what is due when all rules have learned.

        Args:
            rules: by name.
        """
        if self.replicas is not None:
            self.replicas.after_step(rules)

    def as_one(self) -> contextlib.AbstractContextManager[None]:
        """Within it all processes have the same parameters: where each changes its own, the mean of all."""
        if self.replicas is None:
            return contextlib.nullcontext()
        return self.replicas.as_one(self.net.parameters_by_address())

    def apart(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint holds besides whole tensors; see `Replicas.apart`."""
        return {} if self.replicas is None else self.replicas.apart(tensors)

    def follow(self, rollout: Rollout) -> Callable[[], None]:
        """Goes on with the net as it is after an edit, of which every process has all of each block.

        Args:
            rollout: of the edited net.

        Returns:
            What goes back to how it was placed before.
        """
        before = {name: getattr(self, name) for name in _OF_PLAN}

        def put_back() -> None:
            vars(self).update(before)
            self.__dict__.pop("_slots", None)

        self.plan = PlacementPlan(rollout, self.plan.placement)
        try:
            whole = {**self.net.state_by_address(), **self.net.parameters_by_address()}
            self.size = sum(parameter.numel() for parameter in self.net.parameters())
            self.holdings = holdings_of(self.plan, whole)
            self.placed = PlacedNet(self.plan, self.rank, self.placed.groups)
            self._shard()
            note_sums(self.placed, self.heartbeat)
        except BaseException:  # whatever is wrong with the new plan, an interruption too: the old one goes on
            put_back()
            raise
        self.__dict__.pop("_slots", None)
        return put_back

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
        if self.replicas is not None and self.replicas.is_apart:
            tensors = self.replicas.mean(tensors)
        return gather(tensors, self._holding, self.processes, everyone=everyone)

    def whole_of_rules(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors of learning rules, by rule and address, in the first process."""
        if self.replicas is not None:
            tensors = self.replicas.mean(tensors)
        return gather(tensors, lambda key: self.holding_of_rules(key.partition("/")[2]), self.processes)

    def merged_values(self, rules: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """What learning rules remember as numbers, of all processes."""
        said = self.processes.everyone(dict(values))
        return {name: rule.merged_values([one[name] for one in said]) for name, rule in rules.items()}

    def _holding(self, key: str) -> Holding | None:
        return self.holdings.get(key.partition("#")[0])

    def holding_of_rules(self, key: str) -> Holding | None:
        """Who has which parts of what a rule keeps of a parameter, by its address (and what follows a `#`)."""
        return self._slices.get(key.partition("#")[0]) or self._holding(key)

    def part(self, key: str, tensor: Tensor) -> Tensor:
        """What of a whole tensor belongs to this process, by address."""
        holding = self._holding(key)
        return tensor if holding is None else holding.part_of(tensor, self.rank)

    def part_of_rules(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What of whole tensors of learning rules, by rule and address, belongs to this process."""
        found = {}
        for key, tensor in tensors.items():
            holding = self.holding_of_rules(key.partition("/")[2])
            found[key] = tensor if holding is None else holding.part_of(tensor, self.rank)
        return found

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
        placement, replicas = self.placement, self.placement.replicas
        is_of_as_many = self.values.get("processes") == placement.processes.count
        if replicas is not None and REPLICAS in self.groups and group != "state" and is_of_as_many:
            return replicas.own(super().tensors(REPLICAS), group)
        whole = super().tensors(group)
        if group == "state":
            return placement.part_of_state(whole)
        if group != "learning":
            return {key: placement.part(key, tensor) for key, tensor in whole.items()}
        return placement.part_of_rules(whole)
