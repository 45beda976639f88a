"""The processes of a run as one of them sees them, and what they agree on besides the tensors of frames."""

from __future__ import annotations

import json
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rillnet.errors import RunError
from rillnet.runtime.placement.joining import group_of


class Processes:
    """All processes of a run; every method is called by all of them, in the same order.

    Attributes:
        rank: which of them this one is.
        count: how many there are.
    """

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        # asked between frames while exchanges of the next may be under way, hence a group of its own
        self._group: Any = group_of()
        self._asked: tuple[Tensor, Any] | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def everyone(self, value: Any) -> list[Any]:
        """What every process says, in their order.

        Args:
            value: of this one; anything that JSON can say.
        """
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(lengths, torch.tensor([len(text)]), group=self._group)
        longest = int(max(lengths))
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(text)] = text
        found = [torch.empty(longest, dtype=torch.uint8) for _ in range(self.count)]
        dist.all_gather(found, padded, group=self._group)
        pairs = zip(found, lengths, strict=True)
        return [json.loads(bytes(one[: int(length)].tolist())) for one, length in pairs]

    def told(self, value: Any) -> Any:
        """What the first process says."""
        return self.everyone(value if self.is_first else None)[0]

    def check(self, error: BaseException | None) -> None:
        """Goes on only if all processes do.

        Args:
            error: what keeps this one from going on.

        Raises:
            RunError: another process cannot go on; this one's own error if it has one.
        """
        said = self.everyone(None if error is None else str(error) or type(error).__name__)
        if error is not None:
            raise error
        stopped = [rank for rank, text in enumerate(said) if text is not None]
        if stopped:
            raise RunError(f"process {stopped[0]} cannot go on: {said[stopped[0]]}")

    def most_asked(self, asked: int) -> int:
        """The most that any process had asked for when this was called before; nobody waits for an answer.

        Args:
            asked: by this one; 0 for nothing.
        """
        answer = 0
        if self._asked is not None:
            flag, work = self._asked
            work.wait()
            answer = int(flag)
        flag = torch.tensor(float(asked))
        self._asked = flag, dist.all_reduce(flag, dist.ReduceOp.MAX, group=self._group, async_op=True)
        return answer

    def settle(self) -> None:
        """Waits for what was asked and forgets it."""
        if self._asked is not None:
            self._asked[1].wait()
            self._asked = None
