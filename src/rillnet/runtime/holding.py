"""Parameters that are held: whatever rules do to them in a frame is put back at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


class Held:
    """Parameters that keep their values; true if there are any.

    Example:
        >>> weight, held = torch.zeros(2), Held()
        >>> held.hold("net/a/weight", weight)
        >>> _ = weight.add_(1)
        >>> held.put_back()
        >>> weight, list(held)
        (tensor([0., 0.]), ['net/a/weight'])
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, address: object) -> bool:
        return address in self._kept

    def hold(self, address: str, parameter: Tensor) -> None:
        """Holds a parameter at what it is now.

        Args:
            address: its address.
            parameter: it.
        """
        self._kept[address] = parameter, parameter.detach().clone()

    def release(self, addresses: Iterable[str]) -> None:
        """Lets parameters change again; those that are not held are left alone.

        Args:
            addresses: of the parameters.
        """
        for address in addresses:
            self._kept.pop(address, None)

    def renew(self) -> None:
        """Takes what the parameters are now for what they are held at, as a command has changed them."""
        for parameter, kept in self._kept.values():
            kept.copy_(parameter.detach())

    @torch.no_grad()
    def put_back(self) -> None:
        """Gives the parameters the values that they are held at."""
        for parameter, kept in self._kept.values():
            parameter.copy_(kept)
