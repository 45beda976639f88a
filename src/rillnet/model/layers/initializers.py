"""Initialisers that torch.nn.init does not have: scaled draws and identities, local inhibition, bilinear kernels.

Weights are [target features, source features, x, y], or have any other number of spatial dimensions.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

Initializer = Callable[..., Tensor]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


def xavier(weight: Tensor, gain: float = 1.0) -> Tensor:
    r"""Draws evenly from $\pm k \sqrt{6 / (\mathrm{fan}_{in} + \mathrm{fan}_{out})}$.

    Args:
        weight: changed.
        gain: k.

    Raises:
        ValueError: the weight has fewer than 2 dimensions.

    Source:
        X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    if weight.dim() < 2:
        raise ValueError("xavier needs a weight of at least 2 dimensions")
    fan = (weight.shape[0] + weight.shape[1]) * math.prod(weight.shape[2:])
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / fan))
    weight.detach().uniform_(-bound, bound)
    return weight


def scaled(weight: Tensor, scale: float = 1.0, *, gain: float = 1.0, fan: str = "in", drawn: str = "normal") -> Tensor:
    r"""Draws with the deviation $s \sqrt{g / \mathrm{fan}}$, so that what is sent is as large as what is read.

    Args:
        weight: changed.
        scale: s.
        gain: g.
        fan: `in`, what a unit reads; `both`, the mean of that and of what reads it.
        drawn: `normal`, or `uniform` between the bounds that have this deviation.

    Source:
        Y. LeCun et al., Efficient BackProp, 1998 (g = 1); K. He et al., ICCV 2015 (g = 2); X. Glorot, Y. Bengio,
        AISTATS 2010 (g = 1, both).
    """
    targets, sources = _features(weight)
    places = math.prod(weight.shape[2:])
    count = sources * places if fan == "in" else (sources + targets) * places / 2
    deviation = scale * math.sqrt(gain / count)
    if drawn == "normal":
        weight.detach().normal_(0, deviation)
    else:
        bound = math.sqrt(3) * deviation
        weight.detach().uniform_(-bound, bound)
    return weight


def identity(weight: Tensor, scale: float = 1.0, order: str = "repeat") -> Tensor:
    """Sends features on as they are: a number at the centre of the kernel, elsewhere 0.

    Where the numbers of features differ, one must divide the other. More targets than sources: `repeat` sends each
    feature on in adjacent copies (0 0 1 1 2 2), `tile` all of them again and again (0 1 2 0 1 2). Fewer: `repeat`
    adds up adjacent features, `tile` those that are the number of targets apart.

    Args:
        weight: changed.
        scale: the number.
        order: `repeat` or `tile`.

    Raises:
        ValueError: neither number of features divides the other.

    Example:
        >>> identity(torch.empty(4, 2))
        tensor([[1., 0.],
                [1., 0.],
                [0., 1.],
                [0., 1.]])
        >>> identity(torch.empty(2, 4), order="tile")
        tensor([[1., 0., 1., 0.],
                [0., 1., 0., 1.]])
    """
    targets, sources = _features(weight)
    if targets % sources and sources % targets:
        raise ValueError(f"an identity needs {targets} and {sources} features to divide one another")
    few, copies = min(targets, sources), max(targets, sources) // min(targets, sources)
    many = torch.arange(few * copies)
    of_few = many // copies if order == "repeat" else many % few
    with torch.no_grad():
        weight.zero_()
        _at_centre(weight)[(of_few, many) if sources > targets else (many, of_few)] = scale
    return weight


def local_inhibition(weight: Tensor) -> Tensor:
    """0.5 from a feature's own pixel, and -1 / fan-in from everything else.

    Args:
        weight: changed; as many targets as sources.
    """
    features = _equal_features(weight, "local inhibition")
    with torch.no_grad():
        weight.fill_(-1 / math.prod(weight.shape[1:]))
        _at_centre(weight)[features, features] = 0.5
    return weight


def bilinear(weight: Tensor) -> Tensor:
    """Spreads each feature over its neighbourhood: 1 at the centre, 1 / 2d at d pixels from it (city blocks).

    Args:
        weight: changed; as many targets as sources.
    """
    features = _equal_features(weight, "bilin")
    centre = _centre(weight)
    away = [(torch.arange(size) - middle).abs() for size, middle in zip(weight.shape[2:], centre, strict=True)]
    distance = torch.zeros(())
    for axis in away:
        distance = distance.unsqueeze(-1) + axis
    with torch.no_grad():
        weight.zero_()
        weight[features, features] = torch.where(distance > 0, 1 / (2 * distance.clamp(min=1)), 1.0).to(weight.dtype)
    return weight


def _features(weight: Tensor) -> tuple[int, int]:
    if weight.dim() < 2:
        raise ValueError("it needs a weight of at least 2 dimensions")
    return weight.shape[0], weight.shape[1]


def _equal_features(weight: Tensor, name: str) -> Tensor:
    targets, sources = _features(weight)
    if targets != sources:
        raise ValueError(f"{name} needs as many targets as sources, not {targets} and {sources}")
    return torch.arange(targets)


def _at_centre(weight: Tensor) -> Tensor:
    """The coefficients at the centre of the kernel, [targets, sources]; changing them changes the weight."""
    for middle in _centre(weight):
        weight = weight.select(2, middle)
    return weight


def _centre(weight: Tensor) -> tuple[int, ...]:
    return tuple(size // 2 for size in weight.shape[2:])


_SCALED: dict[str, Initializer] = {
    f"{name}_{drawn}": functools.partial(scaled, gain=gain, fan=fan, drawn=drawn)
    for name, gain, fan in (("lecun", 1.0, "in"), ("he", 2.0, "in"), ("glorot", 1.0, "both"))
    for drawn in ("normal", "uniform")
}
_NAMED: dict[str, Initializer] = {
    **_SCALED,
    "xavier": xavier,
    "id": identity,
    "Id": functools.partial(identity, order="tile"),
    "-id": functools.partial(identity, scale=-1.0),
    "-Id": functools.partial(identity, scale=-1.0, order="tile"),
    "bilin": bilinear,
    "loc_inh": local_inhibition,
}
_WITH_NUMBERS: dict[str, tuple[Initializer, int]] = {
    "xavier": (xavier, 1),
    "id": (identity, 1),
    "Id": (lambda weight, scale: identity(weight, scale, "tile"), 1),
    "normal": (nn.init.normal_, 2),
    "uniform": (nn.init.uniform_, 2),
}


def find_initializer(name: str) -> Initializer | None:
    """The initialiser of that name; None if there is none.

    Args:
        name: `xavier`, `id`, `Id`, `-id`, `-Id`, `bilin`, `loc_inh`, `lecun_normal`, `he_normal`, `glorot_normal`, the
            same with `uniform`, with numbers `xavier_gain`, `id_scale`, `he_normal_scale`, `normal_mean_std`,
            `uniform_min_max`, or one of torch.nn.init.

    Example:
        >>> find_initializer("id_0.5")(torch.empty(2, 2))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])
    """
    if name in _NAMED:
        return _NAMED[name]
    kind, _, factor = name.rpartition("_")
    if kind in _SCALED and re.fullmatch(_NUMBER, factor):
        return functools.partial(_SCALED[kind], scale=float(factor))
    word, *numbers = name.split("_")
    known, count = _WITH_NUMBERS.get(word, (None, 0))
    if known is not None and len(numbers) == count and all(re.fullmatch(_NUMBER, number) for number in numbers):
        values = [float(number) for number in numbers]
        return lambda weight: known(weight, *values)
    if name.startswith("_"):
        return None
    found = getattr(nn.init, name.removesuffix("_") + "_", None)
    return found if callable(found) else None
