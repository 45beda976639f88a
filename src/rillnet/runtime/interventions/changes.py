"""What a plan of a frame is told of interventions: which blocks' turns are changed, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rillnet.model.flat import FlatSource
from rillnet.runtime.interventions.intervening import Intervening


@dataclass(frozen=True, eq=False)
class BlockChange:
    """What is done to what a block reads and sends.

    Args:
        silent: the ports at which it reads zeros.
        module: follows it; None if what it sends is left alone.
        drawn: names of what the module is given besides, in order.
    """

    silent: frozenset[int] = frozenset()
    module: Intervening | None = None
    drawn: tuple[str, ...] = ()


class Changes(Protocol):
    """What is done to the blocks of a net."""

    @property
    def key(self) -> int:
        """Another number whenever other blocks, ports or tensors are changed; 0 if none is."""

    @property
    def blocks(self) -> Mapping[str, BlockChange]:
        """By path of the block."""

    @property
    def drawn(self) -> Mapping[str, FlatSource]:
        """What frames are given besides inputs, by name, and for which tensor."""
