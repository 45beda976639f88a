"""Learning of deep Boltzmann machines: a mean field for the data, persistent chains for the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import mse_loss

from rillnet.errors import Fault
from rillnet.model.net import Net
from rillnet.training.learning_rules.divergence.difference import (
    DifferenceRule,
    centre,
    difference_of_means,
    difference_of_products,
)
from rillnet.training.learning_rules.divergence.layers import LayerWalk
from rillnet.training.learning_rules.divergence.pair import check_data, flat
from rillnet.training.learning_rules.divergence.stack import find_stack
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
        k: Gibbs steps of the chains in each step.
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

    live = ("mean_field", "k")

    def __init__(
        self,
        net: Net,
        *,
        data: str,
        layers: Sequence[str] = ("visible", "hidden1", "hidden2"),
        mean_field: Count = 10,
        k: Count = 1,
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
        check_data(net, data, self.stack.blocks[0], address)
        super().__init__(
            net,
            data,
            self.stack.parameters,
            optimizer=optimizer,
            rate=rate,
            factors=factors,
            start=start,
            stop=stop,
            implementation=implementation,
            address=address,
        )
        self.mean_field, self.k, self.count, self.centred = mean_field, k, chains, centred
        self._walk = LayerWalk(self.stack)

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        return check_optimized(arguments, address)

    @torch.no_grad()
    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Lets the chains go on, and changes the weights and the biases.

        Returns:
            The squared error of what the first hidden layer's mean field makes of the data, per example.

        Raises:
            UpdateError: a change holds NaN or infinity; it is not applied.
        """
        if not self.acts_at(context):
            return {}
        v_NV = flat(outputs[self.data], self.stack.blocks[0].bias)
        generator = self.seeded(context.step, v_NV.device)
        self._walk.refresh()
        expected = self._walk.mean_field(v_NV, self.mean_field)
        self._compare(expected, self._go_on(generator))
        error = mse_loss(self._walk.mean(expected, 0, "seen"), v_NV, reduction="sum") / v_NV.shape[0]
        self.apply(context)
        return {self.scalar("reconstruction"): error}

    def _go_on(self, generator: torch.Generator) -> list[Tensor]:
        """Samples of the chains, which go on; of their layers those at odd places are kept."""
        walk, names = self._walk, self.stack.names
        if self.streams:
            like = next(iter(self.streams.values()))
            layers = [self.streams.get(_CHAINS + name, like) for name in names]
        else:
            layers = walk.beginnings(self.count, generator)
        sampled, drawn = walk.steps(layers, self.k, generator)
        self.streams = {_CHAINS + names[place]: drawn[place] for place in walk.odd}
        return sampled

    def _compare(self, data: Sequence[Tensor], model: Sequence[Tensor]) -> None:
        """Puts the difference of the statistics of both where gradients are."""
        weights, biases = self.gradients[: len(data) - 1], self.gradients[len(data) - 1 :]
        for place, weight in enumerate(weights):
            difference_of_products((data[place], data[place + 1]), (model[place], model[place + 1]), weight)
        gains = [block.kind.gain for block in self.stack.blocks]
        for place, bias in enumerate(biases):
            difference_of_means(gains[place], model[place], data[place], bias)
        if self.centred:
            centre(weights, biases, [(d.mean(0) + m.mean(0)) / 2 for d, m in zip(data, model, strict=True)], gains)
