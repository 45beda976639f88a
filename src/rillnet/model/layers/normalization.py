"""Normalisations: local response normalisation, as a banded convolution."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

_HALF = (torch.float16, torch.bfloat16)


class LocalResponseNorm(nn.LocalResponseNorm):
    r"""Divides each channel by a power of what the channels around it hold.

    $y_c = x_c \left(k + \frac{\alpha}{n} \sum_{j = c - \lfloor n / 2 \rfloor}^{c + \lfloor (n - 1) / 2 \rfloor}
    x_j^2\right)^{-\beta}$

    What torch computes with a pooling over channels is a convolution with a banded matrix here: on CPUs a
    quarter of its time, forward and backward, and the same to the last digits of the element type.

    Args:
        size: channels in the sum, n.
        alpha: weight of the sum.
        beta: the power.
        k: added to the sum.
        over: `mean` takes alpha times the mean of the squares, as the equation does, and torch and Caffe;
            `sum` takes alpha times their sum, as the paper does.

    Returns:
        A tensor of the shape of what it reads, [batch, channels, *].

    Example:
        >>> x = torch.ones(1, 3, 1, 1)
        >>> LocalResponseNorm(size=3, alpha=3.0, beta=1.0)(x).flatten().tolist()
        [0.3333333432674408, 0.25, 0.3333333432674408]

    Source:
        A. Krizhevsky, I. Sutskever, G. E. Hinton, ImageNet classification with deep convolutional neural
        networks, NeurIPS 2012, section 3.3.
    """

    def __init__(
        self,
        size: Annotated[int, Field(ge=1)],
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        over: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__(size, alpha, beta, k)
        self.over = over
        self._bands: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() < 3:
            raise ValueError(f"expects [batch, channels, *], at least 3 dimensions, not {list(input.shape)}")
        whole = input.float() if input.dtype in _HALF else input
        # four dimensions stay as they are, and so in their memory format
        x_NCXY = whole if whole.dim() == 4 else whole.flatten(2).unsqueeze(-1)
        with _full_precision(input.device.type):
            y_NCXY = _Normalized.apply(x_NCXY, self._band(x_NCXY), self.k, self.beta)[0]  # type: ignore[no-untyped-call]
        found: Tensor = y_NCXY.reshape(input.shape) if input.dim() != 4 else y_NCXY
        return found.to(input.dtype)

    def _band(self, x_NCXY: Tensor) -> Tensor:
        """The weight [channels, channels, 1, 1] that adds up the neighbours of each channel."""
        channels = x_NCXY.shape[1]
        key = channels, x_NCXY.dtype, x_NCXY.device
        if torch.compiler.is_compiling() or key not in self._bands:
            at = torch.arange(channels, device=x_NCXY.device)
            distance = at[None, :] - at[:, None]
            inside = (distance >= -(self.size // 2)) & (distance <= (self.size - 1) // 2)
            weight = self.alpha / self.size if self.over == "mean" else self.alpha
            band = (inside.to(x_NCXY.dtype) * weight)[:, :, None, None]
            if torch.compiler.is_compiling() or type(band) is not Tensor:  # one of a tracer is of no use later
                return band
            self._bands[key] = band
        return self._bands[key]

    def extra_repr(self) -> str:
        whole: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return whole if self.over == "mean" else f"{whole}, over={self.over}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bands": {}}


def _full_precision(device: str) -> contextlib.AbstractContextManager[Any]:
    """Keeps autocast from computing the sum of squares with few digits."""
    available = torch.amp.is_autocast_available(device)
    return torch.autocast(device, enabled=False) if available else contextlib.nullcontext()


class _Normalized(torch.autograd.Function):
    """The normalisation with a backward pass that reuses what the forward pass computed."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, band: Tensor, k: float, beta: float) -> tuple[Tensor, Tensor, Tensor]:
        return _forward(x, band, k, beta)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        x, band, ctx.k, ctx.beta = inputs
        ctx.save_for_backward(x, band, *output[1:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, band, inverse, power = ctx.saved_tensors
        gradient = gradients[0]
        if torch.is_grad_enabled():  # a gradient of the gradient is asked for, so it must see how these came about
            _, inverse, power = _forward(x, band, ctx.k, ctx.beta)
        scaled = gradient * power
        through = functional.conv2d(scaled * x * inverse, band.transpose(0, 1))
        return scaled - 2 * ctx.beta * x * through, None, None, None


def _forward(x: Tensor, band: Tensor, k: float, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    """The normalised tensor, the inverse of what is raised to the power, and its power -beta."""
    bias = torch.full((x.shape[1],), k, dtype=x.dtype, device=x.device)
    total = functional.conv2d(x * x, band, bias)
    if beta == 0.75:  # roots are much cheaper than a power
        root = total.rsqrt()
        return x * (power := root * root.sqrt()), root * root, power
    return x * (power := total.pow(-beta)), total.reciprocal(), power
