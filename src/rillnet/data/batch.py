"""The one record that crosses from the data to the running net."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Some examples, stacked, and where in the data they stand.

    Args:
        fields: tensors by the name of the net's input ("image", "label"); the first dimension counts examples.
        size: how many examples.
        epoch: which pass over the data it belongs to, counted from 0.
        index: which batch of that pass it is, counted from 0.
        indices: positions of the examples in the phase's examples, int64 [size]; None where there is no such order.

    Example:
        >>> batch = Batch({"image": torch.zeros(2, 1, 8, 8), "label": torch.tensor([3, 5])}, 2, epoch=0, index=0)
        >>> batch.cast(torch.bfloat16)["image"].dtype, batch["label"].dtype
        (torch.bfloat16, torch.int64)
    """

    fields: dict[str, Tensor]
    size: int
    epoch: int = 0
    index: int = 0
    indices: Tensor | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self.fields[name]

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Batch:
        """The same batch with its fields on a device; `indices` stay where they are."""
        fields = {name: value.to(device, non_blocking=non_blocking) for name, value in self.fields.items()}
        return replace(self, fields=fields)

    def cast(self, dtype: torch.dtype) -> Batch:
        """The same batch with its floating fields in another floating type; labels and other integers are kept."""
        fields = {n: value.to(dtype) if value.is_floating_point() else value for n, value in self.fields.items()}
        return replace(self, fields=fields)
