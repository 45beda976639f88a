"""Snapshots: the whole state of a session in memory, every now and then, so that going back a few frames is quick."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from rillnet.errors import CheckpointError

MOST_BYTES = 512 * 2**20
"""So much memory the snapshots of a session may take."""

SHARE = 0.02
"""So much of the time may go into taking them."""


class Taken(Protocol):
    """A session of which snapshots are taken."""

    control: Any

    def whole_state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Everything that the next step depends on."""


class Snapshot:
    """The state of a session at one frame boundary; it is loaded as a checkpoint is.

    Args:
        tensors: in groups, by name; copied.
        values: all else; copied.
    """

    def __init__(self, tensors: Mapping[str, Mapping[str, Tensor]], values: Mapping[str, Any]) -> None:
        self._tensors = {
            group: {name: tensor.detach().clone() for name, tensor in members.items()}
            for group, members in tensors.items()
        }
        self._values = copy.deepcopy(dict(values))
        clock = self._values["clock"]
        self.step, self.frame = int(clock["step"]), int(clock["frame"])
        self.path = Path(f"snapshot of step {self.step}")

    @classmethod
    def of(cls, session: Taken) -> Snapshot:
        """The state of a session as it is now."""
        tensors, values = session.whole_state()
        return cls(tensors, {**values, "control": session.control.saved_state()})

    @property
    def values(self) -> dict[str, Any]:
        """Clock, feed position, rates and what else a checkpoint says; a copy."""
        return copy.deepcopy(self._values)

    @property
    def groups(self) -> list[str]:
        """The names of its groups of tensors."""
        return list(self._tensors)

    @property
    def size(self) -> int:
        """Bytes of all its tensors."""
        members = (tensor for group in self._tensors.values() for tensor in group.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in members)

    def tensors(self, group: str) -> dict[str, Tensor]:
        """The tensors of a group, by name; copies.

        Args:
            group: "parameters", "learning" ...

        Raises:
            CheckpointError: there is no such group.
        """
        if group not in self._tensors:
            raise CheckpointError(f"{self.path}: has no group of tensors {group!r}")
        return {name: tensor.clone() for name, tensor in self._tensors[group].items()}


class Snapshots:
    """The snapshots of a session, within a limit of memory: the longer ago, the fewer.

    Args:
        most: bytes that they may take together.
        share: how much of the time may go into taking them.
        now: the time in seconds.

    Example:
        >>> class Session:
        ...     frame = 0
        ...     control = type("Control", (), {"saved_state": lambda self: {}})()
        ...     def whole_state(self):
        ...         return {}, {"clock": {"step": self.frame, "frame": self.frame}}
        >>> session, snapshots = Session(), Snapshots()
        >>> snapshots.take(session)
        >>> snapshots.newest(frame=5).step
        0
    """

    def __init__(
        self, most: int = MOST_BYTES, share: float = SHARE, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self.most, self.share, self.now = most, share, now
        self._kept: list[Snapshot] = []
        self._due = float("-inf")
        self._is_too_large = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(one.size for one in self._kept)

    @property
    def is_due(self) -> bool:
        """Whether it is time to take one."""
        return not self._is_too_large and self.now() >= self._due

    @property
    def frames(self) -> list[int]:
        """The frames that are kept, in their order."""
        return [one.frame for one in self._kept]

    def keep(self, frames: Collection[int]) -> None:
        """Drops all but those of some frames, as other processes have no others.

        Args:
            frames: those that stay.
        """
        self._kept = [one for one in self._kept if one.frame in frames]

    def take(self, session: Taken) -> None:
        """Takes one now, in the place of one of the same frame.

        Args:
            session: between two frames.
        """
        if self._is_too_large:
            return
        begun = self.now()
        taken = Snapshot.of(session)
        self._is_too_large = taken.size > self.most
        if not self._is_too_large:
            self.forget_after(taken.frame - 1)
            self._kept.append(taken)
            self._thin_out()
        ended = self.now()
        self._due = ended + (ended - begun) / self.share

    def newest(self, frame: int, fits: Callable[[Snapshot], bool] = lambda one: True) -> Snapshot | None:
        """The newest at or before a frame.

        Args:
            frame: frames done.
            fits: what else is asked of it.
        """
        return next((one for one in reversed(self._kept) if one.frame <= frame and fits(one)), None)

    def forget_after(self, frame: int) -> None:
        """Drops those beyond a frame, as the run takes another way from there.

        Args:
            frame: the last that counts.
        """
        self._kept = [one for one in self._kept if one.frame <= frame]

    def _thin_out(self) -> None:
        """Drops, while they take too much memory, the one that leaves the smallest gap for its age; never the first."""
        while len(self._kept) > 1 and self.size > self.most:
            if len(self._kept) == 2:
                del self._kept[0]
                continue
            newest = self._kept[-1].frame
            gaps = [
                (after.frame - before.frame) / (newest - one.frame + 1)
                for before, one, after in zip(self._kept, self._kept[1:], self._kept[2:], strict=False)
            ]
            del self._kept[1 + gaps.index(min(gaps))]
