"""Equilibrium propagation: the difference of two states at rest, with and without a nudge, is the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import flatten
from rillnet.model.layers.relaxation import Relaxation
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.interventions.changes import BlockChange
from rillnet.training.learning_rules.changing import ChangingRule, Count, Rate, Start
from rillnet.types import LearningContext


class EquilibriumPropagation(ChangingRule):
    r"""Nudges what a relaxation sends towards a target, and learns what that changes.

    $\Delta W_k = \frac{1}{2 \beta} \langle s_k^{\beta} s_{k-1}^{\beta T} - s_k^{-\beta} s_{k-1}^{-\beta T} \rangle$,
    where $s^{\beta}$ is the state at rest of the energy with $\frac{\beta}{2} |s - y|^2$ added. That is minus the
    gradient of the squared error as beta goes to 0; one nudge each way makes its error of second order.

    Args:
        net: the net.
        of: the `Relaxation` block that learns.
        target: what it should send, by name: class numbers, or numbers of its own shape.
        nudge: beta.
        steps: steps towards each of the nudged states, from the free one.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Source:
        B. Scellier, Y. Bengio, Frontiers in Computational Neuroscience 11, 2017; both nudges: A. Laborieux et al.,
        Frontiers in Neuroscience 15, 2021.
    """

    live = (*ChangingRule.live, "nudge", "steps")

    def __init__(
        self,
        net: Net,
        *,
        of: str,
        target: str,
        nudge: Annotated[float, Field(gt=0)] = 0.5,
        steps: Count = 8,
        lr: Rate = 0.1,
        rate: Any = None,
        optimizer: Any = None,
        start: Start = 0,
        period: Count = 1,
        every: Count = 1,
        address: str = "learning/main",
    ) -> None:
        flat = flatten(net)
        if of not in flat.blocks or not isinstance(flat.module(of), Relaxation):
            known = [name for name in flat.blocks if isinstance(flat.module(name), Relaxation)]
            raise RequestError(Fault(f"{address}.of", "must be a Relaxation block", of, hint=suggest(of, known)))
        super().__init__(
            net,
            parameters=of,
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            period=period,
            every=every,
            address=address,
        )
        self.net, self.of, self.target, self.nudge, self.steps = net, of, target, nudge, steps
        self.reads = (flat.blocks[of].sources[0].name, of, target)
        self.computes = (of,)
        self._change: BlockChange | None = None

    def attach(self, rollout: Rollout) -> None:
        """Takes from a rollout how late the block reads."""
        source = rollout.sources(self.of)[0]
        self.reads = (source.name + (f"@-{source.delay}" if source.delay else ""), self.of, self.target)

    def intervene(self, changes: Mapping[str, BlockChange]) -> None:
        """Takes what is done to the block: units that are clamped or lesioned stay so while it relaxes.

        Args:
            changes: by path of the block.
        """
        self._change = changes.get(self.of)

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """What the nudges change."""
        module = self.net.get_submodule(self.of.replace("/", "."))
        assert isinstance(module, Relaxation)
        like = module.weights[0].detach()
        read, held = self._seen(outputs, like)
        target = outputs[self.target]
        if not target.is_floating_point():
            target = functional.one_hot(target, module.sizes[-1])
        target = target.to(like.dtype)
        free = module.settle(read, held=held)
        up = [read, *module.settle(read, free, self.steps, target, self.nudge, held)]
        down = [read, *module.settle(read, free, self.steps, target, -self.nudge, held)]
        scale, found = 1 / (2 * self.nudge * len(read)), {}
        for k in range(len(module.sizes)):
            weight = up[k + 1].t() @ up[k] - down[k + 1].t() @ down[k]
            found[f"net/{self.of}/weights/{k}"] = weight * scale
            found[f"net/{self.of}/biases/{k}"] = (up[k + 1] - down[k + 1]).sum(0) * scale
        return found

    def _seen(self, outputs: Mapping[str, Any], like: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """What the block reads, and which of the units that it sends stay at what is sent in the frame."""
        read, change = outputs[self.reads[0]].detach().to(like.dtype), self._change
        if change is None:
            return read, None
        if 0 in change.silent:
            read = torch.zeros_like(read)
        if change.module is None:
            return read, None
        return read, (change.module.get_buffer("mask_0"), outputs[self.of].detach().to(like.dtype))
