"""Which blocks treat every example of a batch alone, so that several batches may be computed as one."""

from __future__ import annotations

import inspect

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from rillnet.model.layers import activation
from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.layers.merge import Concat, Product, Sum
from rillnet.model.layers.one_hot import OneHot
from rillnet.model.layers.pool import Pool
from rillnet.model.layers.synapse import Synapse

_OF_TORCH = [
    "Identity",
    "Linear",
    "Bilinear",
    "Embedding",
    "Flatten",
    "Unflatten",
    "PixelShuffle",
    "PixelUnshuffle",
    "ChannelShuffle",
    "Fold",
    "Unfold",
    "Upsample",
    "UpsamplingNearest2d",
    "UpsamplingBilinear2d",
    "CosineSimilarity",
    "PairwiseDistance",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "LayerNorm",
    "GroupNorm",
    "RMSNorm",
    "LocalResponseNorm",
    "ReLU",
    "ReLU6",
    "LeakyReLU",
    "ELU",
    "SELU",
    "CELU",
    "GELU",
    "GLU",
    "SiLU",
    "Mish",
    "Sigmoid",
    "LogSigmoid",
    "Tanh",
    "Softplus",
    "Softsign",
    "Softshrink",
    "Softmin",
    "Hardtanh",
    "Hardsigmoid",
    "Hardswish",
    "Hardshrink",
    "Tanhshrink",
    "Threshold",
    "PReLU",
    "Softmax",
    "Softmax2d",
    "LogSoftmax",
    "RNNCell",
    "GRUCell",
]

_ALWAYS: frozenset[type[nn.Module]] = frozenset(
    [
        *(getattr(nn, name) for name in _OF_TORCH),
        *(found for found in vars(activation).values() if inspect.isclass(found) and issubclass(found, nn.Module)),
        *(Sum, Product, Concat, SimpleRNN, LSTMCell, ConvLSTMCell, OneHot),
    ]
)


def is_per_example(module: nn.Module) -> bool:
    """Whether a block computes each example of a batch by itself, and draws nothing at random, as it is set now.

    Of a block of one's own this is known only if it says `per_example = True`.

    Args:
        module: the block; normalisation over the batch and dropout count only outside training.

    Example:
        >>> [is_per_example(module) for module in (nn.Linear(1, 2), nn.BatchNorm1d(3), nn.BatchNorm1d(3).eval())]
        [True, False, True]
    """
    if any((module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)):
        return False  # a hook is shown every frame
    told = getattr(module, "per_example", None)
    if told is not None:
        return bool(told)
    if type(module) is nn.Sequential:
        return all(is_per_example(inner) for inner in module)
    kind = type(module)
    if isinstance(module, _BatchNorm | _InstanceNorm):
        return not module.training and module.track_running_stats
    if isinstance(module, _DropoutNd | nn.RReLU):
        return not module.training
    if kind is Synapse:
        return module.streams is None
    if kind is Pool:
        return _pool_is(module)
    return kind in _ALWAYS and _keeps_the_batch(module)


def _pool_is(pool: nn.Module) -> bool:
    assert isinstance(pool, Pool)
    of_batch = pool.batchnorm_mean or pool.batchnorm_std
    return not (pool.stochastic or of_batch or pool.streams is not None)


def _keeps_the_batch(module: nn.Module) -> bool:
    """Whether no argument makes a layer reach across the batch, which is the first dimension."""
    if isinstance(module, nn.Embedding):
        return module.max_norm is None and not module.scale_grad_by_freq
    if isinstance(module, nn.Flatten):
        return module.start_dim >= 1
    dim = getattr(module, "dim", 1)  # a softmax without one takes it from the rank, and may take the first
    return isinstance(dim, int) and (dim >= 1 or dim == -1)
