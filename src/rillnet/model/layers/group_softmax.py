"""Softmax within groups of units, of which one or none is meant: as an activation and as a loss."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rillnet.errors import DataError
from rillnet.model.layers.loss import Loss

Count = Annotated[int, Field(ge=1)]


def grouped(x: Tensor, group_size: int, rest: float | None, dim: int = 1) -> Tensor:
    """Numbers in groups, [..., groups, units] with the units last, and behind them that of no unit, if there is one.

    Args:
        x: numbers.
        group_size: how many follow each other in a group along the dimension.
        rest: what stands for no unit of a group; None where one is always meant.
        dim: the dimension; it becomes the last two.

    Raises:
        ValueError: the dimension does not divide into groups.

    Example:
        >>> grouped(torch.zeros(1, 4), 2, 1.0).tolist()
        [[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]
    """
    size = x.shape[dim]
    if size % group_size:
        raise ValueError(f"the size {size} must be a multiple of group_size, {group_size}")
    last = x.movedim(dim, -1)
    groups = last.reshape(*last.shape[:-1], size // group_size, group_size)
    if rest is None:
        return groups
    return torch.cat([groups, groups.new_full((*groups.shape[:-1], 1), rest)], -1)


class GroupSoftmax(nn.Module):
    r"""Softmax within groups, whose units exclude each other: $y_{gi} = e^{x_{gi}} / (\sum_j e^{x_{gj}} + e^r)$.

    The rest $e^r$ is what is left for none of them; groups of one unit with a rest of 0 are sigmoids.

    Args:
        group_size: how many units follow each other in a group.
        rest: r; without it the units of each group add up to 1.
        dim: the dimension of the units; channels by default.

    Returns:
        A tensor like x.

    Example:
        >>> GroupSoftmax(2)(torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
        [[0.5, 0.5, 0.5, 0.5]]

    Source:
        The group softmax of akid, where r is 1, and SINGA's softmax of several in an instance, which has no rest.
    """

    def __init__(self, group_size: Count, rest: float | None = None, dim: int = 1) -> None:
        super().__init__()
        self.group_size, self.rest, self.dim = group_size, rest, dim

    def forward(self, x: Tensor) -> Tensor:
        sent = grouped(x, self.group_size, self.rest, self.dim).softmax(-1)[..., : self.group_size]
        return sent.flatten(-2).movedim(-1, self.dim)

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, rest={self.rest}, dim={self.dim}"


class GroupCrossEntropy(Loss):
    r"""Cross-entropy of a softmax within each group against one unit of each, averaged over groups and examples.

    $L = -\frac{1}{N G} \sum_{n,g} \log y_{ng,t_{ng}}$ with the $y$ of `GroupSoftmax`. Where classes fall into groups,
    as those of super-classes do, an example is of one class of one group, and of none in the others.

    Args:
        group_size: how many units follow each other in a group.
        rest: r, what stands for none of a group's units; None where one is always meant.

    Returns:
        A number. The target is either a class number of all units, with a rest, [batch], which means none of the units
        of other groups; or for each group the number of a unit within it, `group_size` being none, [batch, groups].

    Example:
        >>> scores = torch.zeros(1, 4)
        >>> GroupCrossEntropy(2)(scores, torch.tensor([[0, 1]]))
        tensor(0.6931)
        >>> GroupCrossEntropy(2, rest=0.0)(scores, torch.tensor([3]))
        tensor(1.0986)

    Source:
        The group softmax with loss of akid, with its labels of none made from class numbers.
    """

    def __init__(self, group_size: Count, rest: float | None = None) -> None:
        super().__init__()
        self.group_size, self.rest = group_size, rest

    def forward(self, scores_NC: Tensor, target: Tensor, mask_N: Tensor | None = None) -> Tensor:
        if mask_N is not None:
            return self.of_frames(1, self.terms(scores_NC, target), target, mask_N).sum()
        return self.terms(scores_NC, target).mean()

    def terms(self, scores_NC: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """The loss of each group, [batch, groups].

        Raises:
            DataError: a target is no unit.
        """
        scores_NGS = grouped(scores_NC, self.group_size, self.rest)
        unit_NG = self._units(target, scores_NGS.shape[1])
        try:
            return cross_entropy(scores_NGS.flatten(0, 1), unit_NG.flatten(), reduction="none").view_as(unit_NG)
        except IndexError as error:
            rule = f"targets must be classes of {scores_NC.shape[1]} units, or one of {self.group_size} for each group"
            raise DataError(f"{rule}: {error}") from error

    def _units(self, target: Tensor, groups: int) -> Tensor:
        """For each group the unit that is meant, [batch, groups]."""
        if target.dim() == 2:
            return target
        if self.rest is None:
            raise ValueError("class numbers need a rest: without one each group needs a target of its own")
        own_NG = target[:, None] - self.group_size * torch.arange(groups, device=target.device)
        return torch.where((own_NG >= 0) & (own_NG < self.group_size), own_NG, self.group_size)

    def total(self, scores_NC: Tensor, target: Tensor) -> Tensor:
        """The sum over groups and examples."""
        return self.terms(scores_NC, target).sum()

    def count(self, scores_NC: Tensor, target: Tensor) -> float:
        """The number of groups of all examples."""
        return scores_NC.numel() / self.group_size

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, rest={self.rest}"
