"""The parameters of a module, without the names that torch's own `parameters()` makes for each on the way."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def parameters_in(module: nn.Module) -> Iterator[nn.Parameter]:
    """All parameters of a module and of those in it; shared ones as often as they stand there.

    Example:
        >>> [tuple(parameter.shape) for parameter in parameters_in(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))]
        [(2, 3), (2,)]
    """
    for parameter in module._parameters.values():
        if parameter is not None:
            yield parameter
    for inner in module._modules.values():
        if inner is not None:
            yield from parameters_in(inner)


def tensors_in_module(module: nn.Module) -> Iterator[Tensor]:
    """All parameters and buffers of a module and of those in it; shared ones as often as they stand there."""
    for own in (module._parameters, module._buffers):
        for tensor in own.values():
            if tensor is not None:
                yield tensor
    for inner in module._modules.values():
        if inner is not None:
            yield from tensors_in_module(inner)


def has_parameters(module: nn.Module) -> bool:
    """Whether it, or a module in it, has any parameter."""
    return next(parameters_in(module), None) is not None
