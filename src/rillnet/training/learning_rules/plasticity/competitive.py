"""Competitive learning: the unit nearest to what is read moves towards it, and with Kohonen's its neighbours too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.errors import Fault, RequestError
from rillnet.model.net import Net
from rillnet.runtime.interventions.changes import BlockChange
from rillnet.training.learning_rules.changing import Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection, grid_distances
from rillnet.training.learning_rules.plasticity.local import LocalRule
from rillnet.training.rates import Progress, build_rate, check_rate
from rillnet.types import LearningContext


class Competitive(LocalRule):
    r"""The winner, the unit whose weights are nearest, moves towards what is read: $\Delta w_o = h_o (x - w_o)$.

    $h_o$ is 1 for the winner and 0 for others; on a Kohonen map $h_o = e^{-d^2 / 2 \sigma^2}$ with the distance d of
    unit and winner on a grid. The change of a unit is its mean over the samples, weighted by $h_o$.

    Args:
        net: the net whose weights it changes.
        grid: sizes of the map, [10, 10]; none without neighbours.
        radius: sigma, in units of the grid.
        shrink: a curve of the radius, as of a learning rate.
        parameters: a glob of the weights it changes.
        pre: what counts as read; see `LocalRule`.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Source:
        D. E. Rumelhart, D. Zipser, Cognitive Science 9, 1985; T. Kohonen, Biological Cybernetics 43, 1982.
    """

    live = (*LocalRule.live, "radius")

    def __init__(
        self,
        net: Net,
        *,
        grid: list[Annotated[int, Field(ge=1)]] | None = None,
        radius: Annotated[float, Field(gt=0)] = 1.0,
        shrink: Any = None,
        parameters: str = "*",
        pre: str | None = None,
        lr: Rate = 0.1,
        rate: Any = None,
        optimizer: Any = None,
        start: Start = 0,
        period: Count = 1,
        every: Count = 1,
        address: str = "learning/main",
    ) -> None:
        super().__init__(
            net,
            parameters=parameters,
            pre=pre,
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            period=period,
            every=every,
            address=address,
        )
        self.grid, self.radius, self.shrink = grid, radius, build_rate(shrink, f"{address}.shrink")
        for one in self.connections if grid is not None else ():
            _check_grid(grid or (), len(one.weight), f"{address}.grid")
        self._distances: Tensor | None = None
        self._changes: Mapping[str, BlockChange] = {}

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        faults = super().check(arguments, address)
        return faults + check_rate(arguments.get("shrink"), f"{address}.shrink")

    @property
    def computes(self) -> tuple[str, ...]:
        """The blocks whose units compete."""
        return tuple(one.path for one in self.connections)

    def intervene(self, changes: Mapping[str, BlockChange]) -> None:
        """Takes what is done to blocks: units that are clamped or lesioned do not compete.

        Args:
            changes: by path of the block.
        """
        self._changes = changes

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """Moves the winner of each sample, and its neighbours."""
        pre, rows = connection.read(outputs), connection.rows
        answers = connection.respond(pre)
        near_SO = connection.samples(answers) - rows.square().sum(1) / 2
        held_SO = self._told(connection, answers)
        if held_SO is not None:
            near_SO = near_SO.masked_fill(held_SO, -torch.inf)
        nearest_S = near_SO.argmax(1)
        share_SO = functional.one_hot(nearest_S, len(rows)).to(rows.dtype)
        if self.grid is not None:
            share_SO = self._neighbours(rows, context)[nearest_S]
        if held_SO is not None:
            share_SO = share_SO.masked_fill(held_SO, 0)
        weight_O = share_SO.mean(0)
        moved = connection.correlate(connection.unsample(share_SO, answers), pre)
        whole = connection.spread(weight_O)
        # where nobody won there is nothing to move to
        return (moved - whole * connection.weight) / torch.where(whole > 0, whole, torch.ones_like(whole))

    def _told(self, connection: Connection, answers: Tensor) -> Tensor | None:
        """Which units send what they are told, [samples, outputs]; None where none does."""
        change = self._changes.get(connection.path)
        if change is None or change.module is None:
            return None
        mask = change.module.get_buffer("mask_0").expand(answers.shape)
        return connection.samples(mask) > 0

    def _neighbours(self, rows: Tensor, context: LearningContext) -> Tensor:
        if self._distances is None:
            self._distances = grid_distances(self.grid or ()).to(rows)
        progress = Progress(context.step, context.epoch, context.total_steps, context.steps_per_epoch or 0)
        radius = max(self.shrink(self.radius, progress), 1e-3)
        return torch.exp(-self._distances / (2 * radius**2))


def _check_grid(grid: Sequence[int], units: int, address: str) -> None:
    if math.prod(grid) != units:
        raise RequestError(Fault(address, f"must have as many places as the block has units, {units}", list(grid)))
