"""What a learning rule needs of the other processes: sums of gradients, and norms over all slices."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.runtime.placement.gathering import Holding
from rillnet.runtime.placement.heartbeat import Heartbeat
from rillnet.runtime.placement.local import Groups
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.reduction import GradientReduction
from rillnet.runtime.placement.scattering import GradientScattering
from rillnet.runtime.placement.shards import Shards


class Sharing:
    """The gradients of one rule, over all processes.

    Attributes:
        takes_own_steps: whether each process changes parameters by gradients of its own.
        share: of the rate, that a process changes parameters by.

    Args:
        plan: who computes what.
        rank: this process.
        parameters: what the rule changes, by address.
        holdings: who has which parts, by address.
        heartbeat: told of the reduction.
        groups: makes process groups for the sums.
        shards: the parameters of which each process keeps slices.
    """

    takes_own_steps = False
    share = 1.0

    def __init__(
        self,
        plan: PlacementPlan,
        rank: int,
        parameters: Mapping[str, nn.Parameter],
        holdings: Mapping[str, Holding],
        heartbeat: Heartbeat,
        groups: Groups,
        shards: Shards,
    ) -> None:
        self.rank, self.heartbeat = rank, heartbeat
        self.holdings = {address: holdings[address] for address, p in parameters.items() if p not in shards}
        self._reduction = _Reduction(plan, rank, {id(p) for p in parameters.values() if p not in shards}, groups)
        self._sharers = {id(p): holdings[address].sharers[rank] for address, p in parameters.items()}
        self._sharers |= {id(p): 1 for p in parameters.values() if p in shards}
        self._scattering = GradientScattering(shards.of(parameters.values()), parameters.values(), groups)

    @property
    def shards_any(self) -> bool:
        """Whether processes keep slices of the optimiser's state of any parameter."""
        return bool(self._scattering.buckets)

    @property
    def splits_any(self) -> bool:
        """Whether any parameter is held in parts."""
        return self.shards_any or any(
            own is not None and holding.shape_in(rank) != holding.shape
            for holding in self.holdings.values()
            for rank, own in enumerate(holding.boxes)
        )

    @property
    def splits_filters(self) -> bool:
        """Whether any filter, which is a row of a parameter, is held in parts."""
        return self.shards_any or any(
            (span[1] - span[0]) != size
            for holding in self.holdings.values()
            for own in holding.boxes
            for box in own or ()
            for span, size in zip(box[1:], holding.shape[1:], strict=True)
        )

    def begin(self, *, is_due: bool = True) -> None:
        """A backward pass is about to begin.

        Args:
            is_due: whether the rule changes parameters after it; gradients that are gathered over several steps are
                summed then, but for those of slices, of which no process could keep all until then.
        """
        self._scattering.begin()
        if is_due:
            self._reduction.begin()

    def finish(self, *, is_due: bool = True) -> None:
        """Waits until all gradients that are due are sums over all processes."""
        self.heartbeat.enter("sum of gradients")
        self.heartbeat.note("waits in", "sum of gradients")
        self._scattering.finish()
        if is_due:
            self._reduction.finish()
        self.heartbeat.note("computes", "the optimiser's step")

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Within it the parameters, and their gradients, are what this process changes: of some a slice."""
        self._scattering.show()
        try:
            yield
        except BaseException:  # whatever ends the step, an interruption too: parameters are as between steps
            self._scattering.rest()
            raise
        self.heartbeat.note("waits in", "gathering of parameters")
        self._scattering.gather()
        self.heartbeat.note("computes", "the optimiser's step")

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the parameters are what the optimiser's state is of: of some a slice."""
        self._scattering.show_slices()
        try:
            yield
        finally:
            self._scattering.rest()

    def gathered_so_far(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gradients of slices that are gathered over several steps, by address."""
        return self._scattering.sums_of(parameters)

    def settle(self) -> None:
        """Adds up gradients that are being gathered over several steps, so that one process has each sum."""
        self._reduction.begin()
        self._reduction.finish()
        self._reduction.leave_to_first()

    def take(self, parameter: Tensor, gradient: Tensor) -> Tensor | None:
        """What this process goes on from, of gathered gradients that were saved: all of it, or nothing."""
        if parameter in self._scattering:
            self._scattering.put(parameter, gradient)
            return None
        return self._reduction.share_of(parameter, gradient)

    def norm(self, parameters: Iterable[Tensor], kind: float) -> Tensor:
        """The norm of the gradients of all slices of all processes, each counted once.

        Args:
            parameters: of this process, with their gradients.
            kind: which norm; infinity is the largest absolute value.
        """
        with_gradients = [p for p in parameters if p.grad is not None and p.numel()]
        total = torch.zeros((), dtype=torch.float64)
        for parameter in with_gradients:
            assert parameter.grad is not None
            exact = torch.promote_types(parameter.grad.dtype, torch.float32)
            value = torch.linalg.vector_norm(parameter.grad, kind, dtype=exact).double()
            if math.isinf(kind):
                total = torch.maximum(total, value)
            else:
                total = total + value**kind / self._sharers[id(parameter)]
        self.heartbeat.enter("norm of all gradients")
        self.heartbeat.note("waits in", "norm of all gradients")
        dist.all_reduce(total, dist.ReduceOp.MAX if math.isinf(kind) else dist.ReduceOp.SUM)
        self.heartbeat.note("computes", "the optimiser's step")
        is_double = any(parameter.dtype == torch.float64 for parameter in with_gradients)
        norm = total if math.isinf(kind) else total ** (1 / kind)
        return norm if is_double else norm.float()


class _Reduction(GradientReduction):
    """Of some parameters only."""

    def __init__(self, plan: PlacementPlan, rank: int, own: set[int], groups: Groups) -> None:
        self._own, self.rank = own, rank
        self._firsts: dict[int, tuple[bool, int]] = {}
        super().__init__(plan, rank, groups=groups)

    def _collect(
        self,
        open_ones: dict[tuple[tuple[int, ...], int, torch.dtype], list[nn.Parameter]],
        key: tuple[tuple[int, ...], int, torch.dtype],
        parameter: nn.Parameter,
        bucket_bytes: int,
    ) -> None:
        if id(parameter) in self._own:
            self._firsts[id(parameter)] = (key[0][0] == self.rank, key[1])
            super()._collect(open_ones, key, parameter, bucket_bytes)

    def leave_to_first(self) -> None:
        """After a sum: what the next one adds up again is with the first of those that share it."""
        for bucket in self.buckets:
            for parameter in bucket.parameters:
                if parameter.grad is not None:
                    is_first, copies = self._firsts[id(parameter)]
                    parameter.grad.mul_(copies if is_first else 0)

    def share_of(self, parameter: Tensor, gradient: Tensor) -> Tensor | None:
        """What of a saved sum this process begins with."""
        is_first, copies = self._firsts.get(id(parameter), (True, 1))
        return gradient * copies if is_first else torch.zeros_like(gradient)
