"""Changes that hold NaN or infinity are found before they are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rillnet.errors import UpdateError

_LOOK_EVERY = 64
"""In how many frames an accelerator is asked once, as asking waits for it."""

_NEVER = 2**62
_SMALL = 4096
"""Gradients of at most so many numbers are read together, larger ones one by one by the fastest kernel."""


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
        self._gradients: tuple[Sequence[str], Tensor] | None = None
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
            here = torch.where(is_finite, _NEVER, step)
            self._first[name] = torch.minimum(self._first.get(name, here), here)
            passed[name] = torch.where(is_finite, change, torch.zeros_like(change))
        self._look_now_and_then(step)
        return passed

    def check_gradients(self, parameters: Mapping[str, Tensor], step: int) -> Tensor | None:
        """Looks at the gradients of parameters, all of them in every step.

        Args:
            parameters: by address.
            step: frames learned from before this one.

        Returns:
            On an accelerator, which is not waited for, 1 where a gradient holds NaN or infinity, so that the step is to
            be left out, and 0 elsewhere. None on a CPU, where all are finite.

        Raises:
            UpdateError: one holds NaN or infinity.
        """
        gradients = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        if not gradients:
            return None
        if next(iter(gradients.values())).device.type != "cpu":
            return self._note_gradients(gradients, step)
        if not _are_surely_finite(list(gradients.values())):
            for name, gradient in gradients.items():
                if not torch.isfinite(gradient).all():
                    raise self._error(name, step)
        return None

    def _note_gradients(self, gradients: Mapping[str, Tensor], step: int) -> Tensor:
        """Notes on the device which gradients are not finite; a few kernels for all of them."""
        largest_P = torch.stack(torch._foreach_norm(list(gradients.values()), float("inf")))
        is_finite_P = torch.isfinite(largest_P)
        here_P = torch.where(is_finite_P, _NEVER, step)
        names = list(gradients)
        if self._gradients is not None and self._gradients[0] == names:
            here_P = torch.minimum(self._gradients[1], here_P)
        elif self._gradients is not None:
            self.look()
        self._gradients = names, here_P
        self._look_now_and_then(step)
        return (~is_finite_P.all()).to(torch.float32)

    def _look_now_and_then(self, step: int) -> None:
        if (self._first or self._gradients is not None) and step - self._looked >= _LOOK_EVERY:
            self._looked = step
            self.look()

    def look(self) -> None:
        """Asks an accelerator whether a change was not finite.

        Raises:
            UpdateError: one was; it is told once.
        """
        noted = {name: int(first) for name, first in self._first.items()}
        if self._gradients is not None:
            names, first_P = self._gradients
            noted |= dict(zip(names, first_P.tolist(), strict=True))
        bad = {name: step for name, step in noted.items() if step < _NEVER}
        if bad:
            self._first, self._gradients = {}, None
            name = min(bad, key=bad.__getitem__)
            raise self._error(name, bad[name])

    def _error(self, parameter: str, step: int) -> UpdateError:
        return UpdateError(self.address, parameter, step)


def _are_surely_finite(gradients: Sequence[Tensor]) -> bool:
    """Whether sums say that gradients on a CPU are finite; large finite numbers may add up to infinity too."""
    # read once, as fast as memory can be: norms for the many small ones in one call, sums for the few large ones
    small = [gradient for gradient in gradients if gradient.numel() <= _SMALL or gradient.is_complex()]
    parts = [gradient.sum() for gradient in gradients if gradient.numel() > _SMALL and not gradient.is_complex()]
    if small:
        parts += torch._foreach_norm(small)
    total = torch.stack([part.to(torch.float32) for part in parts]).sum()
    return bool(torch.isfinite(total))
