"""Hebbian learning and its kin: what is active together is joined, or separated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.net import Net
from rillnet.training.learning_rules.changing import Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.training.learning_rules.plasticity.local import LocalRule, before
from rillnet.types import LearningContext

Mode = Literal["hebbian", "anti", "dt", "dt anti"]


class Hebbian(LocalRule):
    r"""Joins what is active together: $\Delta w_{oi} = \langle y_o x_i \rangle$, the mean over streams and places.

    `anti` separates it, $\Delta w_{oi} = -\langle y_o x_i \rangle$; the temporal-difference forms `dt` and `dt anti`
    take $y_o(t) - y_o(t-1)$ in the place of $y_o$.

    Args:
        net: the net whose weights it changes.
        mode: hebbian, anti, dt or dt anti.
        parameters: a glob of the weights it changes.
        pre: what counts as read, by name, `image` or `image@-1` for the frame before; if left out what the block of
            the weight reads, as late as the rollout has it.
        post: what counts as sent; if left out what the block itself sends. An error here makes the delta rule.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (2,)}).add("fit", rn.Linear(out_features=1), source="x")
        >>> Hebbian(net, parameters="fit.weight", pre="x@-1").reads
        ('x@-1', 'fit')

    Source:
        D. O. Hebb: The Organization of Behavior, 1949; the modes are those of statestream.
    """

    live = (*LocalRule.live, "mode")

    def __init__(
        self,
        net: Net,
        *,
        mode: Mode = "hebbian",
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
        self.mode = mode
        self.looks_back = mode.startswith("dt")

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether an argument can be set to a value; what frames send to the rule stays the same."""
        super().check_setting(name, value, address)
        if name == "mode" and value.startswith("dt") != self.looks_back:
            rule = "cannot be set while it runs to a mode that reads other frames"
            hint = "dt and dt anti stand for each other, and so do hebbian and anti"
            raise RequestError(Fault(address, rule, value, hint=hint))

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """The correlation, or its negative."""
        post = outputs[connection.post]
        if self.looks_back:
            post = post - outputs[before(connection.post)]
        change = connection.correlate(post, connection.read(outputs))
        return change.neg_() if self.mode.endswith("anti") else change
