"""Which rule of partition a block has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from rillnet.model.layers import (
    Concat,
    ConvLSTMCell,
    ErrorFunction,
    Exponential,
    Gaussian,
    LocalResponseNorm,
    Logarithm,
    LSTMCell,
    Metric,
    NegativeExponential,
    NegativeLogarithm,
    NegativeSquare,
    Pool,
    Product,
    ScaledTanh,
    Sign,
    SimpleRNN,
    SoftRound,
    Spiky,
    Square,
    SquareRoot,
    Step,
    Sum,
    SwitchSign,
    Synapse,
)
from rillnet.runtime.placement.counted import Counted
from rillnet.runtime.placement.partition import (
    Along,
    Dense,
    EachChannel,
    Elementwise,
    Flattened,
    Grouped,
    Joined,
    Neighbouring,
    Normalized,
    Partition,
    PerChannel,
    Shape,
    Sloped,
    Table,
)
from rillnet.runtime.placement.sequences import Sequential
from rillnet.runtime.placement.sliding import Adaptive, Convolution, Repeated, Transposed, Windowed
from rillnet.runtime.placement.units import ConvolvedRecurrent, Factored, Recurrent, Summing

_EACH_NUMBER = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.LogSigmoid),
    *(nn.Tanh, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink),
    *(nn.Tanhshrink, nn.Threshold, nn.Identity, Sum, Product),
    *(ErrorFunction, Exponential, Gaussian, Logarithm, NegativeExponential, NegativeLogarithm, NegativeSquare, Sign),
    *(ScaledTanh, SoftRound, Spiky, Square, SquareRoot, Step, SwitchSign),
)
_EACH_CHANNEL = tuple(
    getattr(nn, f"{kind}{rank}d")
    for rank in (1, 2, 3)
    for kind in ("LPPool", "ConstantPad", "ReflectionPad", "ReplicationPad", "ZeroPad", "CircularPad")
)
_POOLS = tuple(getattr(nn, f"{kind}Pool{rank}d") for rank in (1, 2, 3) for kind in ("Max", "Avg"))
_ADAPTIVE = tuple(getattr(nn, f"Adaptive{kind}Pool{rank}d") for rank in (1, 2, 3) for kind in ("Max", "Avg"))
_UPSAMPLING = (nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)


def _is(*kinds: type[nn.Module]) -> Callable[[nn.Module], bool]:
    return lambda module: type(module) in kinds


_RULES: list[tuple[Callable[[nn.Module], bool], type[Partition]]] = [
    (lambda module: isinstance(module, Metric), Counted),
    (lambda module: isinstance(module, _ConvTransposeNd), Transposed),
    (lambda module: isinstance(module, _ConvNd), Convolution),
    (_is(nn.Linear), Dense),
    (_is(nn.Embedding), Table),
    (_is(*_POOLS), Windowed),
    (_is(*_ADAPTIVE), Adaptive),
    (_is(*_UPSAMPLING), Repeated),
    (_is(*_EACH_CHANNEL), EachChannel),
    (lambda module: isinstance(module, _BatchNorm), PerChannel),
    (lambda module: isinstance(module, _InstanceNorm) and not module.track_running_stats, Grouped),
    (_is(nn.GroupNorm), Grouped),
    (_is(nn.LayerNorm, nn.RMSNorm), Normalized),
    (lambda module: isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmin) and module.dim is not None, Along),
    (_is(nn.Softmax2d), Along),
    (_is(LocalResponseNorm, nn.LocalResponseNorm), Neighbouring),
    (_is(nn.PReLU), Sloped),
    (_is(nn.Flatten), Flattened),
    (_is(Concat), Joined),
    (_is(SimpleRNN, LSTMCell, nn.RNNCell, nn.GRUCell), Recurrent),
    (_is(ConvLSTMCell), ConvolvedRecurrent),
    (_is(nn.RNN, nn.GRU, nn.LSTM), Sequential),
    (_is(Pool), Summing),
    (_is(Synapse), Factored),
    (lambda module: isinstance(module, _DropoutNd), Elementwise),
    (_is(*_EACH_NUMBER), Elementwise),
]


def partition_of(module: nn.Module, reads: Sequence[Shape], sends: Shape) -> Partition:
    """The rule for a block; of a subclass of one's own only what its `per_example` says is known.

    Args:
        module: the block's module.
        reads: shapes of what it reads, for one example.
        sends: shape of what it sends, for one example.

    Example:
        >>> rule = partition_of(nn.Conv2d(3, 8, 3), [(3, 10, 10)], (8, 8, 8))
        >>> rule.splits(), rule.needs(((0, 4), (0, 8), (4, 8), (0, 8)))
        ({'batch': Split(dim=0, unit=1), 'feature': Split(dim=1, unit=1), 'space': Split(dim=2, unit=1)},
         [((0, 4), (0, 3), (4, 10), (0, 10))])
    """
    known = isinstance(module, Metric) or type(module).__module__.startswith(("torch.", "rillnet."))
    kind = next((rule for applies, rule in _RULES if known and applies(module)), Partition)
    return kind(module, reads, sends)
