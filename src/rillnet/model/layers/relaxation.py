"""Relaxation: layers that read each other until they rest, at a minimum of an energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

Size = Annotated[int, Field(ge=1)]


class Relaxation(nn.Module):
    r"""Layers joined both ways by one weight each, which settle at a minimum of an energy for what they read.

    $E = \frac{1}{2} \sum_k |s_k|^2 - \sum_k \rho(s_k)^T W_k \rho(s_{k-1}) - \sum_k b_k^T \rho(s_k)$, with
    $\rho(s) = \min(\max(s, 0), 1)$, of which s takes the values, and $s_0$ what is read. A step goes
    $s_k \leftarrow \rho(s_k - \epsilon \, \partial E / \partial s_k)$.

    Args:
        in_features: of what is read; left out in a net.
        sizes: of the layers, the last one being what is sent.
        steps: how many steps are taken from a state of zeros.
        step_size: epsilon.

    Returns:
        The last layer at rest, [batch, sizes[-1]].

    Example:
        >>> Relaxation(4, [3, 2])(torch.zeros(5, 4)).shape
        torch.Size([5, 2])

    Source:
        B. Scellier, Y. Bengio: Equilibrium propagation, Frontiers in Computational Neuroscience 11, 2017.
    """

    def __init__(
        self,
        in_features: Size,
        sizes: Sequence[Size],
        steps: Size = 20,
        step_size: Annotated[float, Field(gt=0, le=1)] = 0.5,
    ) -> None:
        super().__init__()
        self.in_features, self.sizes, self.steps, self.step_size = in_features, tuple(sizes), steps, step_size
        below = (in_features, *self.sizes[:-1])
        self.weights = nn.ParameterList(
            nn.Parameter(torch.empty(own, read)) for own, read in zip(self.sizes, below, strict=True)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(own)) for own in self.sizes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights evenly, after Glorot and Bengio; biases are 0."""
        for weight, bias in zip(self.weights, self.biases, strict=True):
            nn.init.xavier_uniform_(weight)
            nn.init.zeros_(bias)

    def forward(self, read_ND: Tensor) -> Tensor:
        return self.settle(read_ND)[-1]

    def settle(
        self,
        read_ND: Tensor,
        states: Sequence[Tensor] | None = None,
        steps: int | None = None,
        target: Tensor | None = None,
        nudge: float = 0.0,
        held: tuple[Tensor, Tensor] | None = None,
    ) -> list[Tensor]:
        """The layers after some steps.

        Args:
            read_ND: what is read.
            states: where they start; zeros if None.
            steps: how many; as many as it was made with if None.
            target: what the last layer is nudged towards, [batch, sizes[-1]].
            nudge: how strongly: the energy has |s - target|^2 / 2 times this number as well.
            held: which units of the last layer stay at a value in every step, and at which, [batch, sizes[-1]] each.
        """
        drive = nn.functional.linear(read_ND, self.weights[0], self.biases[0])
        found = [drive.new_zeros(len(drive), size) for size in self.sizes] if states is None else list(states)
        last = len(found) - 1
        for _ in range(self.steps if steps is None else steps):
            following = []
            for k, state in enumerate(found):
                pull = drive if k == 0 else nn.functional.linear(found[k - 1], self.weights[k], self.biases[k])
                if k < last:
                    pull = pull + found[k + 1] @ self.weights[k + 1]
                elif target is not None:
                    pull = pull + nudge * (target - state)
                following.append((state + self.step_size * (pull - state)).clamp(0, 1))
            if held is not None:
                following[last] = torch.where(held[0], held[1], following[last])
            found = following
        return found

    def extra_repr(self) -> str:
        return f"{self.in_features} <-> {' <-> '.join(map(str, self.sizes))}"
