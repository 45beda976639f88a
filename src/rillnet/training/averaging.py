"""Moving averages of parameters, to evaluate with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from rillnet.errors import CheckpointError

_SUFFIX = "#average"


class MovingAverage:
    """An exponential moving average of every parameter.

    average = d * average + (1 - d) * parameter, where d = min(decay, (1 + step) / (10 + step)), so that the
    average follows quickly while it is young. Buffers, such as running statistics, are not averaged.

    Args:
        parameters: by address; the averages start as copies of them.
        decay: what the averages keep of themselves in a step, between 0 and 1.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(1))
        >>> average = MovingAverage({"net/a/weight": weight}, decay=0.9)
        >>> _ = weight.data.fill_(1.0)
        >>> average.update(step=1)
        >>> with average.applied():
        ...     print(round(weight.item(), 4))
        0.8182

    Source: TensorFlow's ExponentialMovingAverage with num_updates; Polyak and Juditsky 1992.
    """

    def __init__(self, parameters: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self._parameters = dict(parameters)
        self._averages = {address: parameter.detach().clone() for address, parameter in parameters.items()}

    def decay_at(self, step: int) -> float:
        """The decay d after so many steps."""
        return min(self.decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the parameters.

        Args:
            step: how many steps have been done, this one included.
        """
        if self._averages:
            torch._foreach_lerp_(
                list(self._averages.values()), list(self._parameters.values()), 1 - self.decay_at(step)
            )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the parameters hold the averages; after it what they held before, also after an error."""
        kept = [parameter.detach().clone() for parameter in self._parameters.values()]
        try:
            self._set(list(self._averages.values()))
            yield
        finally:
            self._set(kept)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        # copied, not exchanged: parameters may be views of storage that others hold
        for parameter, value in zip(self._parameters.values(), values, strict=True):
            parameter.copy_(value)

    def state_tensors(self) -> dict[str, Tensor]:
        """The averages by address, `net/conv1/weight#average`; these are the tensors themselves, not copies."""
        return {address + _SUFFIX: average for address, average in self._averages.items()}

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on from what `state_tensors` gave.

        Raises:
            CheckpointError: averages are missing, unknown or of another shape; none is loaded then.
        """
        own = self.state_tensors()
        problems = [f"missing {name}" for name in own if name not in tensors]
        problems += [f"unknown {name}" for name in tensors if name not in own]
        problems += [
            f"{name} has shape {list(tensors[name].shape)}, not {list(average.shape)}"
            for name, average in own.items()
            if name in tensors and tensors[name].shape != average.shape
        ]
        if problems:
            raise CheckpointError("the saved moving averages do not fit the net: " + "; ".join(problems))
        for name, average in own.items():
            average.copy_(tensors[name])
