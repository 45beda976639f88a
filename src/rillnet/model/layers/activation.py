"""Activations: those that torch.nn does not have, and all of them by name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from rillnet.errors import suggest

_SMALLEST = 1e-6
"""What logarithms take for smaller numbers."""


class Square(nn.Module):
    """The square: y = x^2.

    Example:
        >>> Square()(torch.tensor([-3.0]))
        tensor([9.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.square()


class NegativeSquare(nn.Module):
    """The square, downwards: y = -x^2.

    Example:
        >>> NegativeSquare()(torch.tensor([-3.0]))
        tensor([-9.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return -x.square()


class SquareRoot(nn.Module):
    """The square root of what is positive: y = sqrt(max(x, 0)).

    Example:
        >>> SquareRoot()(torch.tensor([-3.0, 9.0]))
        tensor([0., 3.])
    """

    def forward(self, x: Tensor) -> Tensor:
        # The root's slope is infinite at 0; where the result is 0 anyway, it is asked for at 1 and not used.
        positive = x > 0
        return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


class Exponential(nn.Module):
    """The exponential: y = e^x.

    Example:
        >>> Exponential()(torch.tensor([0.0]))
        tensor([1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


class NegativeExponential(nn.Module):
    """The exponential, downwards: y = -e^x.

    Example:
        >>> NegativeExponential()(torch.tensor([0.0]))
        tensor([-1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return -x.exp()


class Logarithm(nn.Module):
    """The natural logarithm, bounded below: y = log(max(x, 1e-6)).

    Example:
        >>> Logarithm()(torch.tensor([1.0]))
        tensor([0.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=_SMALLEST).log()


class NegativeLogarithm(nn.Module):
    """The natural logarithm, downwards and bounded above: y = -log(max(x, 1e-6)).

    Example:
        >>> NegativeLogarithm()(torch.tensor([0.5]))
        tensor([0.6931])
    """

    def forward(self, x: Tensor) -> Tensor:
        return -x.clamp(min=_SMALLEST).log()


class Gaussian(nn.Module):
    """The bell curve: y = exp(-x^2).

    Example:
        >>> Gaussian()(torch.tensor([0.0]))
        tensor([1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return (-x.square()).exp()


class Sign(nn.Module):
    """The sign: -1, 0 or 1; no gradient goes through it.

    Example:
        >>> Sign()(torch.tensor([-3.0, 0.0, 2.0]))
        tensor([-1.,  0.,  1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.sign()


class Step(nn.Module):
    """The step: y = 1 where x > 0 and 0 elsewhere; no gradient goes through it.

    Example:
        >>> Step()(torch.tensor([-3.0, 0.0, 2.0]))
        tensor([0., 0., 1.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.sign().clamp(min=0)


class ErrorFunction(nn.Module):
    r"""The error function: $y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$.

    Example:
        >>> ErrorFunction()(torch.tensor([1.0]))
        tensor([0.8427])
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(x)


class SoftRound(nn.Module):
    r"""Draws numbers in [0, 1] towards 0 and 1, which stay where they are.

    $y = \frac12 + \frac{\tanh(s (x - \frac12)) + (x - \frac12) / s}{2 \tanh(s / 2) + 1 / s}$

    Args:
        strength: s.

    Example:
        >>> SoftRound()(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, strength: float = 2.0) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        centred = x - 0.5
        largest = 2 * math.tanh(self.strength / 2) + 1 / self.strength
        return 0.5 + ((self.strength * centred).tanh() + centred / self.strength) / largest


class Spiky(nn.Module):
    """A spike for a pool that adds up its own last output: it grows to the threshold, fires, and falls to 0.

        y = 0                  where x <= 0
        y = x                  where 0 < x <= threshold
        y = x + saturation     where threshold < x < saturation
        y = 0                  where saturation <= x

    Args:
        threshold: where it fires.
        saturation: where it falls, and the height of the spike.

    Example:
        >>> Spiky()(torch.tensor([-1.0, 0.5, 1.5, 3.5]))
        tensor([0.0000, 0.5000, 3.5000, 0.0000])
    """

    def __init__(self, threshold: float = 1.0, saturation: float = 2.0) -> None:
        super().__init__()
        self.threshold, self.saturation = threshold, saturation

    def forward(self, x: Tensor) -> Tensor:
        fired = torch.where(x > self.threshold, x + self.saturation, x)
        return torch.where((x > 0) & (x < self.saturation), fired, 0)


class SwitchSign(nn.Module):
    """Turns what is above a threshold negative: y = -x where x > threshold, and x elsewhere.

    Args:
        threshold: above which the sign is switched.

    Example:
        >>> SwitchSign()(torch.tensor([-2.0, 0.5, 2.0]))
        tensor([-2.0000,  0.5000, -2.0000])
    """

    def __init__(self, threshold: float = 1.0) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > self.threshold, -x, x)


class ScaledTanh(nn.Module):
    r"""The scaled hyperbolic tangent: $y = 1.7159047 \tanh(\frac23 x)$, so that f(1) is nearly 1.

    Example:
        >>> ScaledTanh()(torch.tensor([0.0, 1.0]))
        tensor([0.0000, 1.0000])

    Source:
        Y. LeCun, L. Bottou, G. B. Orr, K.-R. Mueller: Efficient BackProp, 1998, with the digits of SINGA.
    """

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159047 * torch.tanh(x * (2 / 3))


class Maxout(nn.Module):
    r"""Keeps the largest of each group of neighbouring features: $y_c = \max_{j < k} x_{c k + j}$.

    Args:
        pieces: k, features in a group.
        over: `max`, or `mean` for the average of each group.

    Returns:
        A tensor with the k-th part of the features, [batch, features / k, ...].

    Raises:
        ValueError: the features cannot be divided so.

    Example:
        >>> Maxout(pieces=2)(torch.tensor([[1.0, 3.0, -2.0, -5.0]]))
        tensor([[ 3., -2.]])

    Source:
        I. J. Goodfellow et al.: Maxout networks, ICML 2013; the mean is akid's CollapseOut.
    """

    def __init__(self, pieces: Annotated[int, Field(ge=1)] = 2, over: Literal["max", "mean"] = "max") -> None:
        super().__init__()
        self.pieces, self.over = pieces, over

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.shape[1] % self.pieces:
            raise ValueError(f"needs a number of features that {self.pieces} divides, not {list(x.shape[1:2])}")
        grouped = x.reshape(x.shape[0], -1, self.pieces, *x.shape[2:])
        return grouped.amax(2) if self.over == "max" else grouped.mean(2)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}" + ("" if self.over == "max" else f", over={self.over}")


_SHORT: dict[str, Callable[[], nn.Module]] = {
    "Id": nn.Identity,
    "erf": ErrorFunction,
    "elu": nn.ELU,
    "exp": Exponential,
    "gaussian": Gaussian,
    "leakyrelu": functools.partial(nn.LeakyReLU, 0.1),
    "log": Logarithm,
    "mexp": NegativeExponential,
    "msquare": NegativeSquare,
    "neglog": NegativeLogarithm,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "sign": Sign,
    "softmax": functools.partial(nn.Softmax, 1),
    "softplus": nn.Softplus,
    "softround": SoftRound,
    "spiky": Spiky,
    "sqrt": SquareRoot,
    "square": Square,
    "stanh": ScaledTanh,
    "step": Step,
    "switchsign": SwitchSign,
    "tanh": nn.Tanh,
}
_OF_TORCH = (
    *("CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU"),
    *("LogSigmoid", "Mish", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign"),
    *("Tanh", "Tanhshrink"),
)
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    **_SHORT,
    **{name: getattr(nn, name) for name in _OF_TORCH},
    "Softmax": functools.partial(nn.Softmax, 1),
    "LogSoftmax": functools.partial(nn.LogSoftmax, 1),
}
"""Activations by name: statestream's names, and those of torch.nn that need no arguments; softmax is over features."""


def _is_known(name: str) -> str:
    if name not in ACTIVATIONS:
        hint = suggest(name, _SHORT) or suggest(name, ACTIVATIONS)
        raise ValueError("must be an activation such as relu, tanh or softmax" + (f"; {hint}" if hint else ""))
    return name


ActivationName = Annotated[str, AfterValidator(_is_known)]
"""The name of an activation, in arguments of blocks."""


def activation(names: str | Sequence[str]) -> nn.Module:
    """The activation of that name, or several one after another.

    Args:
        names: of `ACTIVATIONS`; none of them is the identity.

    Raises:
        ValueError: there is no such activation.

    Example:
        >>> activation("relu"), activation([])
        (ReLU(), Identity())
    """
    listed = [names] if isinstance(names, str) else [*names]
    found = [ACTIVATIONS[_is_known(name)]() for name in listed if name not in ("Id", "Identity")]
    if not found:
        return nn.Identity()
    return found[0] if len(found) == 1 else nn.Sequential(*found)
