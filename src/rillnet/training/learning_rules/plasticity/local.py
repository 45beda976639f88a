"""Base of local rules: what changes a weight is what it reads and what comes of it, nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.training.learning_rules.changing import ChangingRule, Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.types import LearningContext


class LocalRule(ChangingRule):
    """Base of rules that change a weight by what it reads (pre) and what comes of it (post).

    A rule of one's own defines `change` for one connection.

    Args:
        net: the net whose weights it changes.
        parameters: a glob of the weights it changes.
        pre: what counts as read, by name, `image` or `image@-1` for the frame before; if left out what the block of
            the weight reads, as late as the rollout has it.
        post: what counts as sent; if left out what the block itself sends.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.
    """

    looks_back = False
    """Whether it reads what was sent one frame before, too."""

    def __init__(
        self,
        net: Net,
        *,
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
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            period=period,
            every=every,
            address=address,
        )
        weights = [name for name in self.parameters if parameters != "*" or self.parameters[name].dim() > 1]
        self.connections = [Connection(net, name, pre, post, address) for name in weights]
        if len(self.connections) > 1 and (pre or post):
            rule = f"must match one weight where pre or post is given, not {len(self.connections)}"
            raise RequestError(Fault(f"{address}.parameters", rule, parameters))

    def attach(self, rollout: Rollout) -> None:
        """Takes from a rollout how late each block reads."""
        for connection in self.connections:
            connection.attach(rollout)

    def cut(self, ports: Collection[tuple[str, int]]) -> None:
        """Has connections at ports that see zeros count as if nothing was sent.

        Args:
            ports: each a block, and which of the things that it reads.
        """
        for connection in self.connections:
            connection.cut(ports)

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """What its connections read and send."""
        names = [name for one in self.connections for name in (one.pre, one.post)]
        if self.looks_back:
            names += [before(one.post) for one in self.connections]
        return tuple(dict.fromkeys(names))

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """The change of each connection."""
        return {one.address: self.change(one, outputs, context) for one in self.connections}

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """By how much a weight should change, before the rate.

        Args:
            connection: the weight; its `pre` and `post` are names in `outputs`.
            outputs: what the blocks sent.
            context: where the run is.
        """
        raise TypeError(f"{type(self).__name__} must define change")


def before(name: str) -> str:
    """The name of what was sent one frame earlier.

    Example:
        >>> before("hidden"), before("hidden@-2")
        ('hidden@-1', 'hidden@-3')
    """
    block, _, delay = name.partition("@-")
    return f"{block}@-{int(delay or 0) + 1}"
