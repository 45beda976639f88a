"""Contrastive divergence: CD-k from the data, or persistent, from chains that go on from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
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
from rillnet.training.learning_rules.divergence.pair import check_data, find_pair, flat
from rillnet.training.learning_rules.divergence.tempering import Tempered
from rillnet.training.learning_rules.divergence.walking import Walk
from rillnet.training.learning_rules.optimized import check_optimized
from rillnet.training.optimizers import Implementation
from rillnet.training.spans import TimeText
from rillnet.types import LearningContext

Count = Annotated[int, Field(ge=1)]

_CHAINS = "chains"


class Sparsity(BaseModel):
    """How often hidden units should be on.

    Args:
        target: the probability that is aimed at.
        cost: how strongly biases are drawn there.
    """

    model_config = ConfigDict(extra="forbid")

    target: Annotated[float, Field(gt=0, lt=1)]
    cost: Annotated[float, Field(ge=0)] = 0.1


class ContrastiveDivergence(DifferenceRule):
    r"""Lowers the energy of data and raises that of samples of the model.

    $\Delta W \propto \langle h v^T \rangle_{data} - \langle h v^T \rangle_{model}$

    The samples are k Gibbs steps away from the data (CD-k), or, persistent, from where they were in the step before, so
    that they come to follow the model itself. Hidden units count by their probabilities where their draw is not needed.
    The difference takes the place of a gradient, for any optimizer.

    Args:
        net: the net; two of its blocks are a restricted Boltzmann machine.
        data: the block or input whose values the visible units should take.
        visible: the block of visible units.
        hidden: the block of hidden units; the visible ones have its weight, transposed.
        k: Gibbs steps to a sample.
        persistent: go on from the samples of the step before.
        chains: how many persistent samples there are.
        temperatures: of parallel tempering: persistent chains at so many strengths of the weight between 0 and 1 swap
            places; 1 is without it.
        visible_draws: draw the visible units of samples; otherwise their expected values are taken, which is less noisy
            and no longer exact.
        sparsity: `{target: 0.1, cost: 0.1}` draws hidden biases to where their units are on so often.
        centred: units count from their means (the enhanced gradient), so that weights do not do the biases' work.
        optimizer: `{type: SGD, lr: 0.1, momentum: 0.5, weight_decay: 0.0002}`.
        rate: the learning-rate curve; constant if left out.
        factors: rate and decay factors by glob, `{"*/bias": {decay: 0}}`.
        start: when it begins to act, `10 epochs`: layers may learn one after the other.
        stop: when it ends; the end of the run if left out.
        implementation: how the optimiser's step is executed.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
        >>> tie = {"weight": {"of": "hidden.weight", "transpose": True}}
        >>> _ = net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=tie)
        >>> _ = net.add("hidden", rn.BernoulliUnits(out_features=2), source="visible")
        >>> ContrastiveDivergence(net, data="pixels", k=2).reads
        ('pixels',)

    Source:
        Hinton: Training products of experts by minimizing contrastive divergence, Neural Computation 14 (2002).
        Tieleman: Training restricted Boltzmann machines using approximations to the likelihood gradient, ICML 2008.
        Cho, Raiko, Ilin: Enhanced gradient for training restricted Boltzmann machines, Neural Computation 25 (2013).
        Lee, Ekanadham, Ng: Sparse deep belief net model for visual area V2, NIPS 2007.
    """

    live = ("k",)

    def __init__(
        self,
        net: Net,
        *,
        data: str,
        visible: str = "visible",
        hidden: str = "hidden",
        k: Count = 1,
        persistent: bool = False,
        chains: Count = 100,
        temperatures: Count = 1,
        visible_draws: bool = True,
        sparsity: dict[str, float] | None = None,
        centred: bool = False,
        optimizer: Any = "SGD",
        rate: Any = None,
        factors: dict[str, Any] | None = None,
        start: TimeText = 0,
        stop: TimeText | None = None,
        implementation: Implementation | None = None,
        address: str = "learning/main",
    ) -> None:
        self.pair = find_pair(net, visible, hidden, address)
        check_data(net, data, self.pair.visible, address)
        super().__init__(
            net,
            data,
            self.pair.parameters,
            optimizer=optimizer,
            rate=rate,
            factors=factors,
            start=start,
            stop=stop,
            implementation=implementation,
            address=address,
        )
        self.k, self.persistent, self.count, self.temperatures = k, persistent, chains, temperatures
        self.centred = centred
        self.sparsity = None if sparsity is None else Sparsity.model_validate(sparsity)
        self._walk = Walk(self.pair, visible_draws)
        self._tempered = Tempered(self.pair, temperatures) if temperatures > 1 else None

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        own = []
        if isinstance(arguments.get("sparsity"), Mapping):
            own += _check_sparsity(arguments["sparsity"], f"{address}.sparsity")
        temperatures = arguments.get("temperatures", 1)
        if isinstance(temperatures, int) and temperatures > 1 and not arguments.get("persistent", False):
            hint = "add persistent: true"
            own.append(Fault(f"{address}.temperatures", "needs persistent chains", temperatures, hint=hint))
        return check_optimized(arguments, address, own)

    @torch.no_grad()
    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Takes samples, and changes the weight and the biases.

        Returns:
            The squared error of the reconstruction, per example, where the samples begin at the data.

        Raises:
            UpdateError: a change holds NaN or infinity; it is not applied.
        """
        if not self.acts_at(context):
            return {}
        v_NV = flat(outputs[self.data], self.pair.hidden.weight)
        generator = self.seeded(context.step, v_NV.device)
        walk = self._walk
        walk.refresh()
        h_NH = walk.hidden_mean(v_NV, "data")
        reported = {}
        if self.persistent:
            model_CV, model_CH = self._go_on(generator)
        else:
            drawn = walk.draw_hidden(h_NH, generator)
            model_CV, model_CH, _ = walk.steps(drawn, self.k, generator)
            error = mse_loss(walk.first_mean, v_NV, reduction="sum") / v_NV.shape[0]
            reported[self.scalar("reconstruction")] = error
        self._compare((v_NV, h_NH), (model_CV, model_CH))
        self.apply(context)
        return reported

    def _go_on(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Samples of the persistent chains, which go on."""
        walk = self._walk
        chains = self.streams.get(_CHAINS)
        if chains is None:
            chains = walk.beginnings(self.count * self.temperatures, generator)
        if self._tempered is not None:
            v_CV, h_CH, self.streams[_CHAINS] = self._tempered.steps(chains, self.k, generator)
        else:
            v_CV, h_CH, self.streams[_CHAINS] = walk.steps(chains, self.k, generator, goes_on=True)
        return v_CV, h_CH

    def _compare(self, data: tuple[Tensor, Tensor], model: tuple[Tensor, Tensor]) -> None:
        """Puts the difference of the statistics of both where gradients are."""
        weight, visible, hidden = self.gradients
        (v_NV, h_NH), (v_CV, h_CH) = data, model
        difference_of_products(data, model, weight)
        gains = (self.pair.visible.kind.gain, self.pair.hidden.kind.gain)
        difference_of_means(gains[0], v_CV, v_NV, visible)
        difference_of_means(gains[1], h_CH, h_NH, hidden)
        if self.centred:
            means = [(one.mean(0) + other.mean(0)) / 2 for one, other in ((v_NV, v_CV), (h_NH, h_CH))]
            centre([weight], [visible, hidden], means, gains)
        if self.sparsity is not None:
            hidden.add_(h_NH.mean(0) - self.sparsity.target, alpha=self.sparsity.cost)


def _check_sparsity(given: Mapping[str, Any], address: str) -> list[Fault]:
    try:
        Sparsity.model_validate(given)
    except ValidationError as error:
        return [
            Fault(".".join([address, *map(str, found["loc"])]), found["msg"], found.get("input"))
            for found in error.errors()
        ]
    return []
