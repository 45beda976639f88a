"""The rule of Bienenstock, Cooper and Munro: a threshold that slides parts strengthening from weakening."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.model.net import Net
from rillnet.training.learning_rules.changing import Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.training.learning_rules.plasticity.local import LocalRule
from rillnet.types import LearningContext


class BCM(LocalRule):
    r"""Units become selective: $\Delta w_{oi} = \langle y_o (y_o - \theta_o) x_i \rangle - \epsilon w_{oi}$.

    The threshold follows the mean square of what is sent: $\theta_o \leftarrow \theta_o + (\langle y_o^2 \rangle -
    \theta_o) / \tau$, after the change.

    Args:
        net: the net whose weights it changes.
        tau: how many frames the threshold takes.
        threshold: what it is at first.
        decay: epsilon.
        parameters: a glob of the weights it changes.
        pre: what counts as read; see `LocalRule`.
        post: what counts as sent.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Source:
        E. L. Bienenstock, L. N. Cooper, P. W. Munro, J. Neuroscience 2, 1982; the threshold of N. Intrator and
        L. N. Cooper, Neural Networks 5, 1992.
    """

    live = (*LocalRule.live, "tau", "decay")

    def __init__(
        self,
        net: Net,
        *,
        tau: Annotated[float, Field(ge=1)] = 100.0,
        threshold: Annotated[float, Field(ge=0)] = 1.0,
        decay: Annotated[float, Field(ge=0)] = 0.0,
        parameters: str = "*",
        pre: str | None = None,
        post: str | None = None,
        lr: Rate = 0.01,
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
            post=post,
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            period=period,
            every=every,
            address=address,
        )
        self.tau, self.threshold, self.decay = tau, threshold, decay

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """Strengthens above the threshold, weakens below it, and moves the threshold."""
        post, key = outputs[connection.post], f"{connection.address}#threshold"
        samples_SO = connection.samples(post)
        theta_O = self.memory.get(key)
        if theta_O is None:
            theta_O = torch.full_like(samples_SO[0], self.threshold)
        self.memory[key] = theta_O + (samples_SO.square().mean(0) - theta_O) / self.tau
        shaped = connection.unsample(samples_SO * (samples_SO - theta_O), post)
        return connection.correlate(shaped, connection.read(outputs)) - self.decay * connection.weight
