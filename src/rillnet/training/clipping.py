"""Limits on gradients before a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.registry import check_arguments, value_rule

_FOREACH_DEVICES = ("cpu", "cuda", "xpu")

Limit = Annotated[float, Field(strict=True, gt=0)]


class Clip:
    """Limits gradients, by the norm of all of them or value by value.

    By norm: g = g * min(1, norm / (||all g|| + 1e-6)). By value: g = min(max(g, -value), value).

    Args:
        norm: the largest norm.
        value: the largest absolute value.
        norm_type: which norm, 2 or another p; infinity is the largest absolute value.

    Raises:
        RequestError: not exactly one of norm and value is given, or one is out of range.

    Source: Pascanu et al. 2013, https://arxiv.org/abs/1211.5063.
    """

    def __init__(self, norm: Limit | None = None, value: Limit | None = None, norm_type: Limit = 2.0) -> None:
        faults = _check({"norm": norm, "value": value, "norm_type": norm_type}, "clip")
        if faults:
            raise RequestError(faults)
        self.norm = norm
        self.value = value
        self.norm_type = norm_type

    @property
    def record(self) -> float | dict[str, float]:
        """What a document says of it, in the shortest form.

        Example:
            >>> Clip(norm=1.0).record, Clip(value=0.5).record, Clip(norm=1.0, norm_type=1.0).record
            (1.0, {'value': 0.5}, {'norm': 1.0, 'norm_type': 1.0})
        """
        if self.norm is None:
            assert self.value is not None
            return {"value": self.value}
        return self.norm if self.norm_type == 2 else {"norm": self.norm, "norm_type": self.norm_type}

    def __call__(
        self, parameters: Iterable[Tensor], norm_of: Callable[[Iterable[Tensor], float], Tensor] | None = None
    ) -> Tensor | None:
        """Limits the gradients in place, without waiting for the device.

        Args:
            parameters: whose gradients.
            norm_of: their norm with those of other processes, of this type; None where there are no others.

        Returns:
            The norm before, a 0-d tensor, when clipped by norm.
        """
        clipped = [parameter for parameter in parameters if parameter.grad is not None]
        foreach = True if all(p.device.type in _FOREACH_DEVICES for p in clipped) else None
        if self.norm is not None and norm_of is not None:
            norm = norm_of(clipped, self.norm_type)
            torch.nn.utils.clip_grads_with_norm_(clipped, self.norm, norm, foreach=foreach)
            return norm
        if self.norm is not None:
            return torch.nn.utils.clip_grad_norm_(clipped, self.norm, self.norm_type, foreach=foreach)
        if self.value is not None and clipped:
            torch.nn.utils.clip_grad_value_(clipped, self.value, foreach=foreach)
        return None


def build_clip(spec: object, address: str = "clip") -> Clip | None:
    """The limit that a document describes.

    Args:
        spec: a number, the largest norm; a mapping of `norm` (and `norm_type`) or `value`; None, no limit.
        address: where it stands, for messages.

    Returns:
        The limit, or None.

    Raises:
        RequestError: it is none of these.
    """
    faults = check_clip(spec, address)
    if faults:
        raise RequestError(faults)
    if spec is None or isinstance(spec, Clip):
        return spec
    return Clip(**spec) if isinstance(spec, Mapping) else Clip(norm=spec)  # type: ignore[arg-type]


def check_clip(spec: object, address: str) -> list[Fault]:
    """Every fault of what `build_clip` takes."""
    if spec is None or isinstance(spec, Clip):
        return []
    if isinstance(spec, Mapping):
        return _check(spec, address)
    broken = value_rule(Limit, spec)
    return [Fault(address, broken, spec, hint="say the largest norm, or {value: ...}")] if broken else []


def _check(arguments: Mapping[str, object], address: str) -> list[Fault]:
    faults = check_arguments(Clip, arguments, address)
    given = [name for name in ("norm", "value") if arguments.get(name) is not None]
    if len(given) != 1 and not faults:
        faults.append(Fault(address, "must have one of norm and value", dict(arguments)))
    return faults
