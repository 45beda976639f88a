"""Forward-Forward: each layer learns by itself to tell real from fake examples, without a way back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.training.learning_rules.changing import ChangingRule, Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.types import LearningContext


class ForwardForward(ChangingRule):
    r"""Raises the goodness of real examples and lowers that of fakes, in every layer on its own.

    The goodness of a layer is $g = \frac{1}{D} \sum_d y_d^2$ of its rectified output $y = [Wx + b]_+$. Outputs hold a
    real and a fake version of each example, [batch, 2, D]. The loss of a `pair` is $\log(1 + e^{-\alpha (g_{real} -
    g_{fake})})$, that of a `threshold` $\log(1 + e^{-\alpha (g_{real} - \theta)}) + \log(1 + e^{\alpha (g_{fake} -
    \theta)})$. Its gradient is local, $\Delta w_{oi} = -\langle \frac{\partial L}{\partial g} \frac{2}{D} y_o x_i
    \rangle$, so that no error goes back through the net.

    Args:
        net: the net whose layers learn.
        layers: for each Linear or Conv2d block the block that rectifies it, `{layer1: act1}`. What a layer reads should
            be normalised, lest it reads the goodness of the layer before.
        loss: pair or threshold.
        alpha: how steep the loss is.
        threshold: theta.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        period: it acts in one of so many frames.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Returns:
        As scalars the loss of each layer.

    Source:
        G. Hinton: The Forward-Forward Algorithm, arXiv:2212.13345; the loss of pairs: H.-C. Lee, J. Song,
        arXiv:2303.08418.
    """

    live = (*ChangingRule.live, "alpha", "threshold")

    def __init__(
        self,
        net: Net,
        *,
        layers: dict[str, str],
        loss: Literal["pair", "threshold"] = "pair",
        alpha: Annotated[float, Field(gt=0)] = 4.0,
        threshold: float = 2.0,
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
            lr=lr,
            rate=rate,
            optimizer=None,
            start=start,
            period=period,
            every=every,
            address=address,
        )
        self.loss, self.alpha, self.threshold = loss, alpha, threshold
        for name in (*layers, *layers.values()):
            if name not in net.blocks:
                raise RequestError(Fault(f"{address}.layers", "unknown block", name, hint=suggest(name, net.blocks)))
        self.connections = [Connection(net, f"net/{a}/weight", None, b, address) for a, b in layers.items()]
        self.choose([name for name in self.parameters if name.rpartition("/")[0].removeprefix("net/") in layers])
        self.set_optimizer(optimizer)
        self._losses: dict[str, Tensor] = {}

    def attach(self, rollout: Rollout) -> None:
        """Takes from a rollout how late each layer reads."""
        for connection in self.connections:
            connection.attach(rollout)

    def cut(self, ports: Collection[tuple[str, int]]) -> None:
        """Has layers at ports that see zeros count as if nothing was sent to them."""
        for connection in self.connections:
            connection.cut(ports)

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """What its layers read and send."""
        return tuple(dict.fromkeys(name for one in self.connections for name in (one.pre, one.post)))

    def changes(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """The change of each layer's weight and bias."""
        found = {}
        for one in self.connections:
            post = outputs[one.post].detach()
            weighed, loss = self._weighed(post)
            self._losses[f"{one.path}_loss"] = loss
            found[one.address] = one.correlate(weighed, one.read(outputs))
            bias = one.address.removesuffix("weight") + "bias"
            if bias in self.parameters:
                found[bias] = one.samples(weighed).mean(0)
        return found

    def _weighed(self, post_NV: Tensor) -> tuple[Tensor, Tensor]:
        """What is sent times minus the loss's derivative, and the loss."""
        units = post_NV[0, 0].numel()
        goodness_NV = post_NV.flatten(2).square().mean(2)
        if self.loss == "pair":
            margin_N = self.alpha * (goodness_NV[:, 0] - goodness_NV[:, 1])
            steep_N = torch.sigmoid(-margin_N) * self.alpha
            slope_NV = torch.stack([steep_N, -steep_N], 1)
        else:
            sign_V = post_NV.new_tensor([1.0, -1.0])
            margin_N = self.alpha * sign_V * (goodness_NV[:, :2] - self.threshold)
            slope_NV = torch.sigmoid(-margin_N) * self.alpha * sign_V
        loss = torch.nn.functional.softplus(-margin_N).mean()
        # the mean is over both versions, the loss adds theirs
        scale_NV = (slope_NV * (4 / units)).reshape(*slope_NV.shape, *[1] * (post_NV.dim() - 2))
        return post_NV * scale_NV, loss

    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Applies the changes; tells the layers' losses."""
        return super().learn(outputs, context) | self._losses
