"""Learning of deep Boltzmann machines: a mean field for the data, persistent chains for the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault
from rillnet.model.net import Net
from rillnet.training.learning_rules.divergence.difference import DifferenceRule
from rillnet.training.learning_rules.divergence.layers import LayerWalk
from rillnet.training.learning_rules.divergence.stack import find_stack
from rillnet.training.learning_rules.divergence.turns import Turns, turns_at
from rillnet.training.learning_rules.optimized import check_optimized
from rillnet.training.optimizers import Implementation
from rillnet.training.spans import TimeText
from rillnet.types import LearningContext

Count = Annotated[int, Field(ge=1)]

_CHAINS = "chains/"


class MeanFieldDivergence(DifferenceRule):
    r"""Lowers the energy of data and raises that of samples, in a machine of several hidden layers.

    $\Delta W_l \propto \langle \mu_{l+1} \mu_l^T \rangle_{data} - \langle x_{l+1} x_l^T \rangle_{model}$

    What hidden units are given the data is not known in closed form: a mean field takes its place, which maximises a
    lower bound of the likelihood. The samples are chains that go on from step to step, layers at even places drawn
    together, and those at odd places.

    Args:
        net: the net; several of its blocks are a deep Boltzmann machine.
        data: the block or input whose values the visible units should take.
        layers: the blocks of units, upwards, the visible ones first.
        mean_field: steps towards the mean field.
        k: Gibbs steps of the chains in each step; `[[0, 1], ["10 epochs", 5]]` takes more of them later.
        chains: how many chains there are.
        centred: units count from their means (the enhanced gradient), so that layers can learn together from the start.
        optimizer: `{type: SGD, lr: 0.05, momentum: 0.5}`.
        rate: the learning-rate curve; constant if left out.
        factors: rate and decay factors by glob, `{"*/bias": {decay: 0}}`.
        start: when it begins to act, `10 epochs`.
        stop: when it ends; the end of the run if left out.
        implementation: how the optimiser's step is executed.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("dbm", inputs={"pixels": (4,)}, seed=1)
        >>> tie = {"weight": {"of": "hidden1.weight", "transpose": True}}
        >>> _ = net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden1@-1", share=tie)
        >>> tie = {"weight": {"of": "hidden2.weight", "transpose": True}}
        >>> _ = net.add("down", rn.Linear(out_features=3, bias=False), source="hidden2@-1", share=tie)
        >>> _ = net.add("hidden1", rn.BernoulliUnits(out_features=3), source=["visible", "down"])
        >>> _ = net.add("hidden2", rn.BernoulliUnits(out_features=2), source="hidden1")
        >>> MeanFieldDivergence(net, data="pixels").reads
        ('pixels',)

    Source:
        Salakhutdinov and Hinton: Deep Boltzmann machines, AISTATS 2009.
    """

    live = ("mean_field", *DifferenceRule.live)

    def __init__(
        self,
        net: Net,
        *,
        data: str,
        layers: Sequence[str] = ("visible", "hidden1", "hidden2"),
        mean_field: Count = 10,
        k: Turns = 1,
        chains: Count = 100,
        centred: bool = True,
        optimizer: Any = "SGD",
        rate: Any = None,
        factors: dict[str, Any] | None = None,
        start: TimeText = 0,
        stop: TimeText | None = None,
        implementation: Implementation | None = None,
        address: str = "learning/main",
    ) -> None:
        self.stack = find_stack(net, layers, address)
        super().__init__(
            net,
            data,
            self.stack.blocks,
            self.stack.parameters,
            k=k,
            centred=centred,
            optimizer=optimizer,
            rate=rate,
            factors=factors,
            start=start,
            stop=stop,
            implementation=implementation,
            address=address,
        )
        self.mean_field, self.count = mean_field, chains
        self._walk = LayerWalk(self.stack)

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        return check_optimized(arguments, address)

    def expect(self, v_NV: Tensor) -> list[Tensor]:
        """The data, and the mean field of the hidden units."""
        self._walk.refresh()
        return self._walk.mean_field(v_NV, self.mean_field)

    def sample(
        self, data: Sequence[Tensor], context: LearningContext, generator: torch.Generator
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Samples of the chains; of their layers those at odd places are kept."""
        walk, names = self._walk, self.stack.names
        if self.streams:
            like = next(iter(self.streams.values()))
            layers = [self.streams.get(_CHAINS + name, like) for name in names]
        else:
            layers = walk.beginnings(self.count, generator)
        sampled, drawn = walk.steps(layers, turns_at(self.k, context), generator)
        return sampled, {_CHAINS + names[place]: drawn[place] for place in walk.odd}

    def reconstruct(self, data: Sequence[Tensor]) -> Tensor | None:
        """What the first hidden layer's mean field makes of the data."""
        return self._walk.mean(data, 0, "seen")
