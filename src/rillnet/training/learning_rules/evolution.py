"""Evolution strategies: parameters follow what random changes of them do to a loss, without gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.random import derive
from rillnet.training.learning_rules.changing import ChangingRule, Count, Rate, Start
from rillnet.types import LearningContext


class Evolution(ChangingRule):
    r"""Follows what random changes in pairs do to a loss, without gradients.

    $\Delta w = -\frac{1}{2 n \sigma} \sum_{k=1}^{n} (L(w + \sigma \epsilon_k) - L(w - \sigma \epsilon_k)) \epsilon_k$
    with normal $\epsilon_k$.

    Every trial computes the same frame again, from the same inputs, state and draws; blocks need no gradients.

    Args:
        net: the net whose parameters it changes.
        loss: the block whose value falls.
        pairs: n, in each frame.
        sigma: how far a trial goes.
        is_ranked: whether losses are replaced by their ranks, evenly from -1/2 to 1/2, so that none outweighs others.
        seed: of the trials, which also depend on the frame.
        parameters: a glob of what it changes.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        address: where it stands in a document, for messages.

    Source:
        T. Salimans, J. Ho, X. Chen, S. Sidor, I. Sutskever: Evolution strategies as a scalable alternative to
        reinforcement learning, arXiv:1703.03864.
    """

    live = (*ChangingRule.live, "pairs", "sigma", "is_ranked")

    def __init__(
        self,
        net: Net,
        *,
        loss: str = "loss",
        pairs: Count = 16,
        sigma: Annotated[float, Field(gt=0)] = 0.05,
        is_ranked: bool = False,
        seed: int = 0,
        parameters: str = "*",
        lr: Rate = 0.01,
        rate: Any = None,
        optimizer: Any = None,
        start: Start = 0,
        period: Count = 1,
        address: str = "learning/main",
    ) -> None:
        super().__init__(
            net,
            parameters=parameters,
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            period=period,
            address=address,
        )
        if loss not in net.blocks:
            raise RequestError(Fault(f"{address}.loss", "unknown block", loss, hint=suggest(loss, net.blocks)))
        self.loss, self.pairs, self.sigma, self.is_ranked, self.seed = loss, pairs, sigma, is_ranked, seed
        self.reads = (loss,)
        self._tried: dict[str, Tensor] = {}

    @torch.no_grad()
    def attempt(self, again: Callable[[], Mapping[str, Any]], context: LearningContext) -> None:
        """Tries its pairs; the parameters are then what they were, bit for bit."""
        if not self.acts_in(context.step):
            return
        kept = {name: parameter.clone() for name, parameter in self.parameters.items()}
        losses = torch.stack([self._pair(again, kept, context.step, pair) for pair in range(self.pairs)])
        for name, parameter in self.parameters.items():
            parameter.copy_(kept[name])
        # with ranks the size of a loss does not count, nor how far a trial went
        scale = 1 / self.pairs if self.is_ranked else 1 / (2 * self.pairs * self.sigma)
        values = _ranks(losses) if self.is_ranked else losses
        gain = (values[:, 1] - values[:, 0]) * scale
        self._tried = {name: torch.zeros_like(value) for name, value in kept.items()}
        for pair in range(self.pairs):
            for name, noise in self._noise(kept, context.step, pair).items():
                self._tried[name] += gain[pair].to(noise.dtype) * noise

    def _pair(self, again: Callable[[], Mapping[str, Any]], kept: Mapping[str, Tensor], step: int, pair: int) -> Tensor:
        """The losses of both trials, [2]."""
        noise, losses = self._noise(kept, step, pair), []
        for sign in (self.sigma, -self.sigma):
            for name, parameter in self.parameters.items():
                parameter.copy_(torch.add(kept[name], noise[name], alpha=sign))
            losses.append(again()[self.loss].mean())
        return torch.stack(losses)

    def _noise(self, like: Mapping[str, Tensor], step: int, pair: int) -> dict[str, Tensor]:
        """What a trial adds, by address; drawn again rather than kept."""
        found = {}
        for name, value in like.items():
            generator = torch.Generator(value.device).manual_seed(derive(self.seed, "trial", step, pair, name))
            found[name] = torch.randn(value.shape, generator=generator, device=value.device, dtype=value.dtype)
        return found

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """What the trials of this frame told."""
        tried, self._tried = self._tried, {}
        return tried


def _ranks(losses: Tensor) -> Tensor:
    """The rank of each number, evenly from -1/2 to 1/2.

    Example:
        >>> _ranks(torch.tensor([[3.0, 9.0], [1.0, 5.0]])).tolist()
        [[-0.1666666567325592, 0.5], [-0.5, 0.1666666865348816]]
    """
    flat = losses.flatten()
    places = torch.empty_like(flat)
    places[flat.argsort()] = torch.arange(len(flat), dtype=flat.dtype, device=flat.device)
    return (places / max(len(flat) - 1, 1) - 0.5).reshape(losses.shape)
