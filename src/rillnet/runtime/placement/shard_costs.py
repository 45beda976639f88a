"""What slices cost and spare: memory of processes, and what they send to add up gradients and to gather parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.slices import Unit, units_of


@dataclass(frozen=True)
class Spared:
    """Bytes that a process needs not keep, as others do; less what it has whole while it computes.

    Args:
        parameters: of parameters; the largest block's are whole at a time.
        gradients: of gradients; the largest unit's are whole at a time.
        optimizer: of the optimiser's state.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer: int = 0

    @property
    def all(self) -> int:
        """Of everything."""
        return self.parameters + self.gradients + self.optimizer


class ShardCosts:
    """The units of the processes that are followed.

    Args:
        plan: who computes what.
        ranks: these processes.
        names: the blocks that are computed.
    """

    def __init__(self, plan: PlacementPlan, ranks: Sequence[int], names: Sequence[str]) -> None:
        is_sharded = any(assigned.shard != "none" for assigned in plan.blocks.values())
        self.units: dict[int, list[Unit]] = {rank: units_of(plan, rank) if is_sharded else [] for rank in ranks}
        self._bytes: dict[tuple[int, str], int] = {}
        self._of_block: dict[tuple[int, str], list[Unit]] = {}
        self.uses: dict[tuple[int, Unit], int] = {}
        for rank, units in self.units.items():
            for unit in units:
                for member in unit.members:
                    key = rank, member.block
                    self._bytes[key] = self._bytes.get(key, 0) + member.size * unit.dtype.itemsize
                if unit.keeps_whole:
                    continue
                blocks = [name for name in unit.blocks(plan) if name in names]
                self.uses[rank, unit] = len(blocks)
                for name in blocks:
                    self._of_block.setdefault((rank, name), []).append(unit)

    def bytes_of(self, name: str, rank: int) -> int:
        """Bytes of a block's parameters that are in units."""
        return self._bytes.get((rank, name), 0)

    def gathered_for(self, name: str, rank: int) -> list[Unit]:
        """What is gathered before a block computes."""
        return self._of_block.get((rank, name), [])

    def gathered_bytes(self, rank: int) -> int:
        """Bytes that a process sends to gather parameters in a step, (n-1)/n of each unit every time.

        Where they stay whole that is once, after the optimiser's step; otherwise before every use, forward and back.
        """
        total = 0
        for unit in self.units[rank]:
            times = 1 if unit.keeps_whole else 2 * self.uses[rank, unit]
            total += times * unit.bytes * (len(unit.ranks) - 1) // len(unit.ranks)
        return total

    def spared(self, rank: int, copies: float) -> Spared:
        """What a process needs not keep.

        Args:
            rank: the process.
            copies: numbers that the optimiser keeps for each parameter.
        """
        units = self.units[rank]
        missing = {unit: unit.bytes - (unit.span(rank)[1] - unit.span(rank)[0]) * unit.dtype.itemsize for unit in units}
        blocks = [name for (r, name) in self._of_block if r == rank]
        at_once = max((sum(unit.bytes for unit in self.gathered_for(name, rank)) for name in blocks), default=0)
        parameters = sum(size for unit, size in missing.items() if not unit.keeps_whole)
        gradients = sum(missing.values()) - max((unit.bytes for unit in units), default=0)
        optimizer = round(sum(missing.values()) * copies)
        return Spared(max(parameters - at_once, 0), max(gradients, 0), optimizer)
