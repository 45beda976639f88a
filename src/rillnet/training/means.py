"""Means of what steps report, over all examples since they were taken last, without waiting for the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_FOLD = 256  # scalars kept singly before they are added up


class Means:
    """Adds up scalars, each with the number of examples that it is the mean of.

    They stay on the device; it is waited for once in 256 steps, and when the means are taken.

    Example:
        >>> means = Means()
        >>> means.add({"loss": torch.tensor(1.0)}, examples=30)
        >>> means.add({"loss": torch.tensor(4.0)}, examples=10)
        >>> means.take(), means.take()
        ({'loss': 1.75}, {})
    """

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}  # by name: total, examples
        self._recent: dict[str, list[tuple[Tensor, int]]] = {}

    def add(self, scalars: Mapping[str, Tensor], examples: int) -> None:
        """Takes in the scalars of a step."""
        for name, value in scalars.items():
            recent = self._recent.setdefault(name, [])
            recent.append((value, examples))
            if len(recent) >= _FOLD:
                self._fold()

    def take(self) -> dict[str, float]:
        """The means by name, and begins anew; nothing where no step has been added."""
        self._fold()
        means = {name: total / examples for name, (total, examples) in self._sums.items() if examples}
        self._sums.clear()
        return means

    def _fold(self) -> None:
        for name, recent in self._recent.items():
            if not recent:
                continue
            sums = self._sums.setdefault(name, [0.0, 0])
            values = torch.stack([value for value, _ in recent]).flatten().tolist()
            # one after the other, so that the mean does not depend on when it was folded
            for value, (_, examples) in zip(values, recent, strict=True):
                sums[0] += value * examples
                sums[1] += examples
            recent.clear()

    def state(self) -> dict[str, Any]:
        """The sums so far."""
        self._fold()
        return {name: list(sums) for name, sums in self._sums.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on with sums."""
        self._recent.clear()
        self._sums = {name: list(sums) for name, sums in state.items()}
