"""Changes that hold NaN or infinity are found before they are applied."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rillnet.errors import UpdateError

_LOOK_EVERY = 64
"""In how many frames an accelerator is asked once, as asking waits for it; and large gradients are read once."""

_SMALL = 4096
"""Gradients of at most so many numbers are read in every frame: biases, which tell of what flows back to a layer."""


class Guard:
    """Lets finite changes through and stops others.

    On a CPU one that is not finite stops the run in its frame. An accelerator replaces it by zeros and notes the
    frame, which is looked at now and then, and whenever a run is saved.

    Args:
        address: of the rule whose changes they are.

    Example:
        >>> Guard("learning/local")({"net/fc/weight": torch.tensor([1.0, float("nan")])}, 7)
        Traceback (most recent call last):
        ...
        rillnet.errors.UpdateError: learning/local: its change of net/fc/weight holds NaN or infinity in frame 8
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._first: dict[str, Tensor] = {}
        self._looked = 0

    def __call__(self, changes: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        """The changes.

        Args:
            changes: by address of the parameter.
            step: frames learned from before this one.

        Raises:
            UpdateError: one holds NaN or infinity.
        """
        passed = {}
        for name, change in changes.items():
            # finite numbers may add up to infinity, so that a sum only tells where a closer look is needed
            total = change.sum()
            if total.device.type == "cpu":
                if not torch.isfinite(total) and not torch.isfinite(change).all():
                    raise self._error(name, step)
                passed[name] = change
                continue
            is_finite = torch.isfinite(total) | torch.isfinite(change).all()
            here = torch.where(is_finite, 2**62, step)
            self._first[name] = torch.minimum(self._first.get(name, here), here)
            passed[name] = torch.where(is_finite, change, torch.zeros_like(change))
        if self._first and step - self._looked >= _LOOK_EVERY:
            self._looked = step
            self.look()
        return passed

    def check_gradients(self, parameters: Mapping[str, Tensor], step: int) -> None:
        """Looks at the gradients of parameters on a CPU: at small ones always, at all of them now and then.

        Reading every gradient in every step would cost a net with large matrices a tenth of its time.

        Args:
            parameters: by address.
            step: frames learned from before this one.

        Raises:
            UpdateError: one holds NaN or infinity.
        """
        looks_at_all = step % _LOOK_EVERY == 0
        gradients = [
            p.grad
            for p in parameters.values()
            if p.grad is not None and p.grad.device.type == "cpu" and (looks_at_all or p.grad.numel() <= _SMALL)
        ]
        if not gradients or torch.isfinite(torch.stack(torch._foreach_norm(gradients)).sum()):
            return
        for name, parameter in parameters.items():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                raise self._error(name, step)

    def look(self) -> None:
        """Asks an accelerator whether a change was not finite.

        Raises:
            UpdateError: one was.
        """
        for name, first in self._first.items():
            step = int(first)
            if step < 2**62:
                raise self._error(name, step)

    def _error(self, parameter: str, step: int) -> UpdateError:
        return UpdateError(self.address, parameter, step)
