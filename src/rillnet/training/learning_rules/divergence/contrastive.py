"""Contrastive divergence: CD-k from the data, or persistent, from chains that go on from step to step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from rillnet.errors import Fault
from rillnet.model.net import Net
from rillnet.training.learning_rules.divergence.difference import DifferenceRule
from rillnet.training.learning_rules.divergence.pair import find_pair
from rillnet.training.learning_rules.divergence.tempering import Tempered
from rillnet.training.learning_rules.divergence.turns import Turns, turns_at
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
        k: Gibbs steps to a sample; `[[0, 1], ["10 epochs", 5]]` takes more of them later, when chains need more to keep
            up with the model.
        persistent: go on from the samples of the step before.
        chains: how many persistent samples there are.
        lifetime: after how many steps a persistent chain begins anew, one after the other, from units that are
            independent; never if left out. New chains find patterns of low energy that the others do not come to.
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
        Du, Mordatch: Implicit generation and modeling with energy-based models, NeurIPS 2019 (chains that begin anew).
        Cho, Raiko, Ilin: Enhanced gradient for training restricted Boltzmann machines, Neural Computation 25 (2013).
        Lee, Ekanadham, Ng: Sparse deep belief net model for visual area V2, NIPS 2007.
    """

    def __init__(
        self,
        net: Net,
        *,
        data: str,
        visible: str = "visible",
        hidden: str = "hidden",
        k: Turns = 1,
        persistent: bool = False,
        chains: Count = 100,
        lifetime: Count | None = None,
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
        super().__init__(
            net,
            data,
            (self.pair.visible, self.pair.hidden),
            self.pair.parameters,
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
        self.persistent, self.count, self.lifetime, self.temperatures = persistent, chains, lifetime, temperatures
        self.sparsity = None if sparsity is None else Sparsity.model_validate(sparsity)
        self._walk = Walk(self.pair, visible_draws)
        self._tempered = Tempered(self.pair, temperatures) if temperatures > 1 else None

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        own = []
        if isinstance(arguments.get("sparsity"), Mapping):
            own += _check_sparsity(arguments["sparsity"], f"{address}.sparsity")
        for name, without in (("temperatures", 1), ("lifetime", None)):
            value = arguments.get(name, without)
            if value != without and not arguments.get("persistent", False):
                hint = "add persistent: true"
                own.append(Fault(f"{address}.{name}", "needs persistent chains", value, hint=hint))
        return check_optimized(arguments, address, own)

    def expect(self, v_NV: Tensor) -> list[Tensor]:
        """The data, and the probabilities of the hidden units."""
        self._walk.refresh()
        return [v_NV, self._walk.hidden_mean(v_NV, "data")]

    def sample(
        self, data: Sequence[Tensor], context: LearningContext, generator: torch.Generator
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Samples from the data on, or those of the persistent chains."""
        walk, chains, turns = self._walk, self.streams.get(_CHAINS), turns_at(self.k, context)
        if not self.persistent:
            v_NV, h_NH, _ = walk.steps(walk.draw_hidden(data[1], generator), turns, generator)
            return [v_NV, h_NH], {}
        if chains is None:
            chains = walk.beginnings(self.count * self.temperatures, generator)
        elif self.lifetime is not None:
            chains = self._renewed(chains, self.lifetime, context.step, generator)
        if self._tempered is not None:
            v_CV, h_CH, ahead = self._tempered.steps(chains, turns, generator)
        else:
            v_CV, h_CH, ahead = walk.steps(chains, turns, generator, goes_on=True)
        return [v_CV, h_CH], {_CHAINS: ahead}

    def _renewed(self, h_CH: Tensor, lifetime: int, step: int, generator: torch.Generator) -> Tensor:
        """The chains, of which those whose time is over begin anew: one after the other, evenly over a lifetime."""
        count = len(h_CH)
        due = [number % count for number in range(step * count // lifetime, (step + 1) * count // lifetime)]
        if not due:
            return h_CH
        h_CH = h_CH.clone()
        h_CH[due] = self._walk.beginnings(len(due), generator)
        return h_CH

    def reconstruct(self, data: Sequence[Tensor]) -> Tensor | None:
        """What the first step made of the data, where samples begin there."""
        return None if self.persistent else self._walk.first_mean

    def compare(self, data: Sequence[Tensor], model: Sequence[Tensor]) -> None:
        """Puts the difference of the statistics of both where gradients are, and what draws hidden units to be on."""
        super().compare(data, model)
        if self.sparsity is not None:
            self.gradients[-1].add_(data[1].mean(0) - self.sparsity.target, alpha=self.sparsity.cost)


def _check_sparsity(given: Mapping[str, Any], address: str) -> list[Fault]:
    try:
        Sparsity.model_validate(given)
    except ValidationError as error:
        return [
            Fault(".".join([address, *map(str, found["loc"])]), found["msg"], found.get("input"))
            for found in error.errors()
        ]
    return []
