"""Values of one net loaded into another by name, with a report of what fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Match:
    """What was loaded from a checkpoint into a net, and what was not, by address.

    Args:
        loaded: same name, same shape.
        mismatched: same name, another shape or kind of number: what the net has and what the checkpoint has.
        missing: in the net only; left as they were.
        unexpected: in the checkpoint only; ignored.

    Example:
        >>> print(Match(loaded=["net/conv1/weight"], missing=["net/logits/bias"]))
        1 of 2 tensors loaded
        missing in the checkpoint, left as they were:
          net/logits/bias
    """

    loaded: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every tensor of the net was loaded and none of the checkpoint was left over."""
        return not (self.mismatched or self.missing or self.unexpected)

    def __str__(self) -> str:
        total = len(self.loaded) + len(self.mismatched) + len(self.missing)
        lines = [f"{len(self.loaded)} of {total} tensors loaded"]
        if self.mismatched:
            lines.append("of another shape or kind, left as they were:")
            lines += [
                f"  {name}: is {own}, the checkpoint has {other}" for name, (own, other) in self.mismatched.items()
            ]
        if self.missing:
            lines += ["missing in the checkpoint, left as they were:", *(f"  {name}" for name in self.missing)]
        if self.unexpected:
            lines += ["in the checkpoint only, ignored:", *(f"  {name}" for name in self.unexpected)]
        return "\n".join(lines)


def load_matching(values: Mapping[str, Tensor], parameters: Mapping[str, Tensor]) -> Match:
    """Copies every value that has a parameter's name and shape into it, in place.

    Args:
        values: what is loaded, by address. Floating-point numbers of another precision are converted.
        parameters: what is loaded into, by address.

    Returns:
        The report.

    Example:
        >>> weight = torch.zeros(2)
        >>> load_matching({"net/a/weight": torch.ones(2)}, {"net/a/weight": weight}).complete, weight
        (True, tensor([1., 1.]))
    """
    match = Match(unexpected=[name for name in values if name not in parameters])
    with torch.no_grad():
        for name, parameter in parameters.items():
            value = values.get(name)
            if value is None:
                match.missing.append(name)
            elif _fits(value, parameter):
                parameter.copy_(value)
                match.loaded.append(name)
            else:
                match.mismatched[name] = (_described(parameter), _described(value))
    return match


def _fits(value: Tensor, parameter: Tensor) -> bool:
    same_kind = value.dtype == parameter.dtype or (value.is_floating_point() and parameter.is_floating_point())
    return same_kind and value.shape == parameter.shape


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
