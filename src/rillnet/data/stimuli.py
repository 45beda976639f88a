"""When the streams of a batch switch their stimulus, each at its own frame; any frame can be asked for at once.

A stream's time is cut into cycles. The durations of the stimuli of a cycle are drawn together, from the
seed and the cycle's number alone, so that what is shown in a frame follows from its number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.data.ordering import generator, shuffled
from rillnet.errors import Fault, RequestError

_STIMULI_PER_CYCLE = 64


@dataclass(frozen=True, slots=True)
class Showing:
    """What the streams of a batch see in one frame.

    Args:
        drawn_N: a number in [0, 1) drawn for the stimulus of each stream, float64; the same while it is shown.
        before_N: the number of the stimulus that was shown before, float64.
        onset_N: frames since the stimulus appeared, int64; 0 in its first frame.
        duration_N: frames for which it is shown in all, int64.
    """

    drawn_N: Tensor
    before_N: Tensor
    onset_N: Tensor
    duration_N: Tensor


class Stimuli:
    """The stimuli of a number of streams.

    Args:
        streams: how many streams.
        shortest: frames for which a stimulus is shown at least.
        longest: frames for which it is shown at most; where a cycle ends, up to `shortest - 1` more.
        seed: draws durations, stimuli and where each stream begins.

    Raises:
        RequestError: the durations are not 1 or more, in order.

    Example:
        >>> stimuli = Stimuli(streams=2, shortest=3, longest=3, seed=1)
        >>> torch.stack([stimuli.at(frame).onset_N for frame in range(4)], dim=1)
        tensor([[1, 2, 0, 1],
                [1, 2, 0, 1]])
    """

    def __init__(self, streams: int, shortest: int, longest: int, seed: int) -> None:
        if not 1 <= shortest <= longest:
            rule = "must be the fewest and the most frames of a stimulus, 1 or more"
            raise RequestError(Fault("duration", rule, [shortest, longest]))
        self.streams, self.shortest, self.longest, self.seed = streams, shortest, longest, seed
        self.cycle = _STIMULI_PER_CYCLE * longest
        drawn = torch.randint(self.cycle, (streams,), generator=generator(seed, "stimuli", "begin"))
        self._begin_N = drawn
        self._tables: dict[int, tuple[Tensor, Tensor]] = {}

    def at(self, frame: int) -> Showing:
        """What is seen in a frame, counted from 0."""
        time_N = self._begin_N + frame
        cycle_N, within_N = time_N // self.cycle, time_N % self.cycle
        first = int(cycle_N.min())
        starts_NK, drawn_NK = self._table(first)
        later_N = cycle_N > first
        if bool(later_N.any()):
            next_starts, next_drawn = self._table(first + 1)
            starts_NK = torch.where(later_N[:, None], next_starts, starts_NK)
            drawn_NK = torch.where(later_N[:, None], next_drawn, drawn_NK)
        index_N1 = torch.searchsorted(starts_NK, within_N[:, None], right=True) - 1
        start_N = starts_NK.gather(1, index_N1)[:, 0]
        return Showing(
            drawn_N=drawn_NK.gather(1, index_N1 + 1)[:, 0],
            before_N=drawn_NK.gather(1, index_N1)[:, 0],
            onset_N=within_N - start_N,
            duration_N=starts_NK.gather(1, index_N1 + 1)[:, 0] - start_N,
        )

    def _table(self, cycle: int) -> tuple[Tensor, Tensor]:
        """Where the stimuli of a cycle begin and, last, where it ends; what was drawn for the one before and each."""
        if cycle not in self._tables:
            starts, drawn = self._draw(cycle)
            earlier_starts, earlier_drawn = self._draw(cycle - 1)
            end_N1 = torch.full((self.streams, 1), self.cycle - 1)
            before_N1 = earlier_drawn.gather(1, torch.searchsorted(earlier_starts, end_N1, right=True) - 1)
            self._tables = {key: table for key, table in self._tables.items() if key >= cycle - 1}
            self._tables[cycle] = starts, torch.cat([before_N1, drawn], dim=1)
        return self._tables[cycle]

    def _draw(self, cycle: int) -> tuple[Tensor, Tensor]:
        random = generator(self.seed, "stimuli", cycle)
        shape = (self.streams, -(-self.cycle // self.shortest))
        durations = torch.randint(self.shortest, self.longest + 1, shape, generator=random)
        starts = torch.cat([torch.zeros(self.streams, 1, dtype=torch.int64), durations.cumsum(1)], dim=1)
        # a stimulus that would end with the cycle before its time belongs to the one before it
        starts = torch.where(starts > self.cycle - self.shortest, self.cycle, starts)
        # from a generator of its own, so that a stream draws the same however many there are
        return starts, torch.rand(shape, generator=generator(self.seed, "shown", cycle), dtype=torch.float64)


class InStep:
    """The stimuli of streams that all go on to the next one in the same frame.

    The stimuli are gone through in passes: stream n of a sequence shows the n-th of those that come next.

    Args:
        streams: how many streams.
        duration: frames for which a stimulus is shown.
        count: how many stimuli there are.
        seed: draws their order.
        shuffle: draw an order for each pass; otherwise they come as they are numbered.

    Example:
        >>> stimuli = InStep(streams=2, duration=2, count=3, seed=1, shuffle=False)
        >>> torch.stack([(3 * stimuli.at(frame).drawn_N).long() for frame in range(6)], dim=1)
        tensor([[0, 0, 2, 2, 1, 1],
                [1, 1, 0, 0, 2, 2]])
    """

    def __init__(self, streams: int, duration: int, count: int, seed: int, shuffle: bool = True) -> None:
        self.streams, self.duration, self.count, self.seed, self.shuffle = streams, duration, count, seed, shuffle
        self._orders: dict[int, Tensor] = {}

    def at(self, frame: int) -> Showing:
        """What is seen in a frame, counted from 0."""
        sequence, onset = divmod(frame, self.duration)
        return Showing(
            drawn_N=self._drawn(sequence),
            before_N=self._drawn(max(0, sequence - 1)),
            onset_N=torch.full((self.streams,), onset),
            duration_N=torch.full((self.streams,), self.duration),
        )

    def _drawn(self, sequence: int) -> Tensor:
        position_N = torch.arange(sequence * self.streams, (sequence + 1) * self.streams)
        passing_N, within_N = position_N // self.count, position_N % self.count
        index_N = within_N
        if self.shuffle:
            passes = range(int(passing_N[0]), int(passing_N[-1]) + 1)
            orders = torch.stack([self._order(number) for number in passes])
            index_N = orders[passing_N - passing_N[0], within_N]
        # the middle of the stretch that stands for the stimulus, so that no rounding leads to another
        return (index_N.to(torch.float64) + 0.5) / self.count

    def _order(self, number: int) -> Tensor:
        if number not in self._orders:
            self._orders = {kept: order for kept, order in self._orders.items() if kept >= number - 1}
            self._orders[number] = shuffled(self.count, self.seed, "stimuli", number)
        return self._orders[number]
