"""L1 and L2 decay as a rule of its own, beside whatever else changes the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from rillnet.model.net import Net
from rillnet.training.learning_rules.changing import ChangingRule, Count, Rate, Start
from rillnet.types import LearningContext

Strength = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Decay(ChangingRule):
    r"""Makes parameters smaller: $\Delta w = -\lambda_1 \mathrm{sign}(w) - 2 \lambda_2 w$.

    That is minus the gradient of the penalty $\lambda_1 \sum |w| + \lambda_2 \sum w^2$.

    Args:
        net: the net whose parameters it changes.
        l1: lambda_1.
        l2: lambda_2.
        parameters: a glob of what it changes.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (1,)}).add("fit", rn.Linear(out_features=1, bias=False), source="x")
        >>> _ = net["fit"].weight.data.fill_(2.0)
        >>> Decay(net, l1=0.5, l2=0.25).changes({}, None)
        {'net/fit/weight': tensor([[-1.5000]])}

    Source:
        A. Krogh, J. A. Hertz: A simple weight decay can improve generalization, NIPS 1991; R. Tibshirani: Regression
        shrinkage and selection via the lasso, J. Royal Statistical Society B 58, 1996; statestream's L_regularizer.
    """

    def __init__(
        self,
        net: Net,
        *,
        l1: Strength = 0.0,
        l2: Strength = 0.0,
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
        self.l1, self.l2 = l1, l2

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Minus the penalty's gradient."""
        return {name: self._change(parameter.detach()) for name, parameter in self.parameters.items()}

    def _change(self, weight: Tensor) -> Tensor:
        change = weight * (-2 * self.l2)
        return change.sub_(weight.sign(), alpha=self.l1) if self.l1 else change
