"""Replicas: parameters of each process' own, which all change by themselves and average every few steps (local SGD).

The numbers are those of one process only where they are averaged after every step, and steps are plain SGD's.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.errors import MOST_LISTED, Fault
from rillnet.runtime.placement.gathering import gather
from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.processes import Processes
from rillnet.runtime.placement.sharing import Sharing

REPLICAS = "replicas"
"""The group of a checkpoint that holds what each process has of its own, between two averages."""


def faults_of_own_steps(plan: PlacementPlan) -> list[Fault]:
    """Why processes cannot take steps of their own; nothing if they can, or do not.

    Args:
        plan: who computes what.
    """
    if not plan.placement.takes_own_steps:
        return []
    way = "hogwild" if plan.placement.hogwild else "averaging"
    return [
        Fault(
            f"placement.{way}",
            f"needs all parameters in every process, and net/{name} is {_where(plan, name)}",
            hint="place this block by batch",
        )
        for name in plan.flat.blocks
        if next(plan.flat.module(name).parameters(), None) is not None
        and len(plan.sharers(name, plan.ranks[0])) < len(plan.ranks)
    ][:MOST_LISTED]


def inexact(plan: PlacementPlan) -> str:
    """Why the numbers are not those of one process; nothing if they are.

    Example:
        >>> import rillnet as rn
        >>> from rillnet.runtime.placement.records import PlacementSpec
        >>> net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6))
        >>> inexact(PlacementPlan(rn.Rollout.sequential(net), PlacementSpec(processes=2, hogwild=True)))
        'all processes change the same parameters at once, without locks; no two runs have the same numbers'
    """
    spec, ways = plan.placement, []
    if spec.hogwild:
        ways.append("all processes change the same parameters at once, without locks")
    if spec.averaging is not None:
        every = spec.averaging.every
        ways.append(f"each process changes parameters of its own, averaged every {_steps(every)}")
    if any(assigned.statistics == "local" for assigned in plan.blocks.values()):
        ways.append("each process normalises by the statistics of its own part of the batch")
    if not ways:
        return ""
    found = "no two runs have the same numbers" if spec.hogwild else "the numbers are not those of one process"
    return f"{' and '.join(ways)}; {found}"


def _steps(every: int) -> str:
    return "step" if every == 1 else f"{every} steps"


def _where(plan: PlacementPlan, name: str) -> str:
    assigned = plan.blocks[name]
    return f"at one location, {assigned.location}" if assigned.location is not None else f"split by {assigned.kind}"


class OwnSteps(Sharing):
    """The gradients of one rule where each process takes steps of its own: those of its examples, none added up.

    The gradient of the loss is that of the mean over all examples, of which this process has its part. It is
    multiplied by the number of processes, so that it is that of a mean over as many examples as this process has.

    Args:
        plan: who computes what.
        rank: this process.
        parameters: what the rule changes, by address.
        heartbeat: told of nothing, as nobody waits.
        share: of the rate, that this process changes parameters by.
        nothing: what a sharing without parameters is made of.
    """

    takes_own_steps = True

    def __init__(
        self,
        plan: PlacementPlan,
        rank: int,
        parameters: Mapping[str, nn.Parameter],
        heartbeat: Heartbeat,
        share: float,
        **nothing: Any,
    ) -> None:
        super().__init__(plan, rank, {}, {}, heartbeat, **nothing)
        self.share = share
        own = {id(parameter): parameter for parameter in parameters.values()}
        self._scales: list[tuple[nn.Parameter, float]] = []
        for name in plan.flat.blocks:
            for path, parameter in plan.flat.module(name).named_parameters():
                if own.pop(id(parameter), None) is not None:
                    ranks, copies = plan.summed(name, path, rank)
                    self._scales.append((parameter, len(ranks) / copies))
        self._learning: set[int] = set()

    def finish(self, *, is_due: bool = True) -> None:
        """Makes gradients of the part of the batch those of a mean over it."""
        for parameter, scale in self._scales if is_due else ():
            if parameter.grad is not None:
                self._learning.add(id(parameter))
                parameter.grad.mul_(scale)
            elif id(parameter) in self._learning:  # this process had no examples: momentum goes on
                parameter.grad = torch.zeros_like(parameter)

    def settle(self) -> None:
        """Nothing is added up."""

    def take(self, parameter: Tensor, gradient: Tensor) -> Tensor | None:
        """All of it."""
        return gradient

    def norm(self, parameters: Iterable[Tensor], kind: float) -> Tensor:
        """The norm of this process' gradients."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        return torch.nn.utils.get_total_norm(gradients, kind)


class Replicas:
    """What every process has of its own, and the mean of all of them.

    Args:
        processes: all of them.
        heartbeat: knows the step.
        every: after so many steps all take the mean; None where parameters are in one memory.
    """

    def __init__(self, processes: Processes, heartbeat: Heartbeat, every: int | None) -> None:
        self.processes, self.heartbeat, self.every = processes, heartbeat, every

    @property
    def is_apart(self) -> bool:
        """Whether parameters may differ between processes now."""
        return self.every is not None and self.heartbeat.step % self.every != 0

    def after_step(self, rules: Mapping[str, Any]) -> None:
        """Has all processes take the mean of parameters and of the optimisers' state, where it is time to.

        Args:
            rules: learning rules by name.
        """
        if self.every is None or self.heartbeat.step % self.every:
            return
        tensors: dict[str, Tensor] = {}
        for name, rule in rules.items():
            tensors |= {f"{name}/{address}": p.detach() for address, p in rule.optimizer.parameters.items()}
            tensors |= {f"{name}/{key}": tensor for key, tensor in rule.optimizer.state_tensors().items()}
        for key, mean in self.mean(tensors).items():
            tensors[key].copy_(mean)

    @torch.no_grad()
    def mean(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean over processes; called by all of them, and what only some have keeps its value.

        Args:
            tensors: by key; what are no numbers with a point stays as it is, as do counters.

        Returns:
            Of each tensor; the same bits in all processes.
        """
        self.heartbeat.note("waits in", "mean of parameters")
        averaged = {key: tensor for key, tensor in tensors.items() if tensor.is_floating_point() and tensor.dim()}
        keys = self._common(averaged)
        found = dict(tensors)
        for dtype in dict.fromkeys(averaged[key].dtype for key in keys):
            alike = [key for key in keys if averaged[key].dtype == dtype]
            flat = torch.cat([averaged[key].reshape(-1) for key in alike])
            dist.all_reduce(flat)
            flat /= self.processes.count
            sizes = [averaged[key].numel() for key in alike]
            for key, part in zip(alike, torch.split(flat, sizes), strict=True):
                found[key] = part.view(averaged[key].shape)
        self.heartbeat.note("computes", "what follows the mean")
        return found

    def _common(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """The keys that all processes have, each of one shape."""
        own = [f"{key} {tuple(tensor.shape)}" for key, tensor in tensors.items()]
        digest = hashlib.sha256("\n".join(own).encode()).hexdigest()
        if len(set(self.processes.everyone(digest))) == 1:
            return list(tensors)
        common = set.intersection(*map(set, self.processes.everyone(own)))
        named = dict(zip(own, tensors, strict=True))
        return sorted(named[word] for word in common)

    @contextlib.contextmanager
    def as_one(self, parameters: Mapping[str, Tensor]) -> Iterator[None]:
        """Within it the parameters are the mean of all processes'; nobody changes them meanwhile.

        Args:
            parameters: by address.
        """
        if self.every is None:
            self.processes.everyone(None)  # the last step of all is done
        if not self.is_apart:
            yield
            return
        kept = {key: parameter.detach().clone() for key, parameter in parameters.items()}
        self._set(parameters, self.mean({key: parameter.detach() for key, parameter in parameters.items()}))
        try:
            yield
        finally:
            self._set(parameters, kept)

    @torch.no_grad()
    def _set(self, parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
        for key, parameter in parameters.items():
            parameter.copy_(values[key])

    def apart(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """What is saved besides, so that as many processes go on with the same bits: all that each has of its own.

        Args:
            tensors: of this process, by group and name.

        Returns:
            In the first process a group; nothing where all are alike, or in other processes.
        """
        if not self.is_apart:
            return {}
        own = {
            f"{self.processes.rank}/{group}/{key}": tensor
            for group, members in tensors.items()
            if group != "state"  # of which every process has its streams
            for key, tensor in members.items()
        }
        found = gather(own, lambda key: None, self.processes)
        return {REPLICAS: found} if found else {}

    def own(self, tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
        """What this process saved, of all that was saved apart.

        Args:
            tensors: the group of a checkpoint that holds it.
            group: which group of this process.
        """
        prefix = f"{self.processes.rank}/{group}/"
        return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
