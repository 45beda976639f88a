"""Frames that come one after the other from an iterator of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind, for_net, kind_for_net, scaled_fields
from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.data.isolation import isolated
from rillnet.data.items import named, stacked
from rillnet.errors import DataError
from rillnet.random import derive
from rillnet.spec import Phase

Maker: TypeAlias = Callable[..., Iterable[Any]] | Iterable[Any]
"""What begins anew each time: a function that makes an iterator, or an iterable."""


@dataclass
class _Track:
    """One iterator: of all streams together, or of one of them."""

    words: dict[str, Any]
    iterator: Iterator[Any] | None = None
    passed: int = 0
    last: dict[str, Tensor] = field(default_factory=dict)
    has_ended: bool = False


class IteratedFrames:
    """Streams whose frames are taken from iterators.

    An iterator can only go on. Going to another frame than the next begins anew and takes all frames before it, so it
    takes longer the further that is. What is drawn from the global generators of Python, NumPy and torch is
    seeded frame by frame, so that a frame is the same whenever it is reached. Adds the field `begins`, truth values,
    whether a pass begins with this frame.

    Args:
        make: what is begun anew for each pass; a function is given those of `streams`, `stream`, `seed` and `phase`
            that it takes.
        phase: which phase, as the function is told.
        names: what the parts of a tuple are called.
        per_stream: the iterator gives the frames of one stream, and each stream has its own; otherwise frames of all
            streams, whose first dimension counts streams.
        at_end: what happens when an iterator ends: begin anew, hold its last frame, or stop the run.
        frames: how many frames count as an epoch.
        arguments: further arguments of the function.
        address: what it is called in messages.
    """

    def __init__(
        self,
        make: Maker,
        phase: Phase = "train",
        names: Sequence[str] = ("image", "label"),
        per_stream: bool = False,
        at_end: AtEnd = "stop",
        frames: int = 500,
        arguments: Mapping[str, Any] | None = None,
        address: str = "data.source",
    ) -> None:
        self.frames_per_epoch: int | None = frames
        self._make, self._phase, self._names, self._per_stream = make, phase, tuple(names), per_stream
        self._at_end, self._arguments, self._address = at_end, dict(arguments or {}), address
        self._tracks: list[_Track] = []
        self._next: tuple[int, int, int] | None = None
        self._kinds: dict[str, FieldKind] | None = None

    def fields(self) -> dict[str, FieldKind]:
        """Shape of one stream's frame and element type by field; the first frame is taken to know them.

        Raises:
            DataError: there is no frame.
        """
        if self._kinds is None:
            self._begin(1, 0)
            self._next = None
            try:
                self._kinds = _kinds(self._take(self._tracks[0], 0, 0), self._per_stream)
            except StopIteration:
                raise DataError(f"{self._address}: has no frames") from None
        return {**self._kinds, "begins": ((), torch.bool)}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field.

        Raises:
            SourceEnded: an iterator has ended, and is to stop there.
            DataError: it raises, or its frame is of another shape than the first, or not finite; names the frame.
        """
        own = derive(seed, "data", self._phase, "streams")
        self.fields()
        taken = self._next[2] if self._next is not None and self._next[:2] == (streams, own) else None
        if taken is None or taken > number:
            self._begin(streams, own)
            taken = 0
        self._next = None  # a fault leaves the iterators without a position
        for skipped in range(taken, number):
            self._advance(skipped, own)
        begins = self._advance(number, own)
        self._next = streams, own, number + 1
        return self._together(number, streams, begins)

    def close(self) -> None:
        """Lets go of the iterators."""
        self._tracks, self._next = [], None

    def _begin(self, streams: int, seed: int) -> None:
        common = {"streams": streams, "phase": self._phase}
        if self._per_stream:
            self._tracks = [
                _Track({**common, "stream": number, "seed": derive(seed, number)}) for number in range(streams)
            ]
        else:
            self._tracks = [_Track({**common, "seed": seed})]

    def _advance(self, number: int, seed: int) -> list[bool]:
        """Takes the next frame of every iterator; whether a pass begins with it."""
        return [self._step(track, number, derive(seed, index)) for index, track in enumerate(self._tracks)]

    def _step(self, track: _Track, number: int, seed: int) -> bool:
        if track.has_ended:
            return False
        begins = track.iterator is None
        try:
            track.last = self._take(track, number, seed)
        except StopIteration:
            if begins:
                raise DataError(f"{self._address}: has no frames") from None
            if self._at_end == "stop":
                raise SourceEnded(self._address, number) from None
            if self._at_end == "hold":
                track.has_ended = True
                return False
            track.iterator, track.passed = None, track.passed + 1
            return self._step(track, number, seed)
        return begins

    def _take(self, track: _Track, number: int, seed: int) -> dict[str, Tensor]:
        where = f"{self._address}: frame {number}"
        with isolated(derive(seed, "frame", number)):
            try:
                if track.iterator is None:
                    track.iterator = iter(self._made(track.words))
                item = next(track.iterator)
            except (StopIteration, DataError):
                raise
            except Exception as error:  # it is the user's own code, which may raise anything
                raise DataError(f"{where}: cannot be made: {type(error).__name__}: {error}") from error
        return named(item, self._names, where)

    def _made(self, words: Mapping[str, Any]) -> Iterable[Any]:
        if not callable(self._make):
            return self._make
        try:
            known = set(inspect.signature(self._make).parameters)
        except (TypeError, ValueError):  # a function that is not Python's and does not tell
            known = set()
        taken = {name: value for name, value in words.items() if name in known}
        return self._make(**{**taken, **self._arguments})

    def _together(self, number: int, streams: int, begins: Sequence[bool]) -> dict[str, Tensor]:
        """One frame of all streams as a net reads it, checked."""
        where = f"{self._address}: frame {number}"
        if self._per_stream:
            for stream, track in enumerate(self._tracks):
                self._check({name: value[None] for name, value in track.last.items()}, f"{where} of stream {stream}")
            frame = stacked([track.last for track in self._tracks], range(streams), where)
        else:
            frame = self._tracks[0].last
            for name, value in frame.items():
                if value.dim() == 0 or len(value) != streams:
                    got = "one number" if value.dim() == 0 else len(value)
                    rule = f"{name} must have a first dimension of {streams}, the number of streams (got {got})"
                    raise DataError(f"{where}: {rule}")
            self._check(frame, where)
        scaled = scaled_fields(frame)
        fields = {name: for_net(value, name in scaled) for name, value in frame.items()}
        # the iterator may write its next frame into the same memory
        fields = {name: value.clone() if value is frame[name] else value for name, value in fields.items()}
        return {**fields, "begins": torch.tensor(begins).expand(streams).clone()}

    def _check(self, frame: Mapping[str, Tensor], where: str) -> None:
        expected = self._kinds or {}
        if frame.keys() != expected.keys():
            raise DataError(f"{where}: must have the fields of frame 0, {', '.join(expected)} (got {', '.join(frame)})")
        scaled = scaled_fields(frame)
        for name, value in frame.items():
            kind = kind_for_net(value, name in scaled)
            if kind != expected[name]:
                (shape, dtype), (other, other_dtype) = expected[name], kind
                told = f"{list(shape)} of {_word(dtype)}, as in frame 0 (got {list(other)} of {_word(other_dtype)})"
                raise DataError(f"{where}: {name} must be {told}")
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                held = "NaN" if bool(value.isnan().any()) else "infinity"
                raise DataError(f"{where}: {name} must be finite, but holds {held}")


def _kinds(frame: Mapping[str, Tensor], per_stream: bool) -> dict[str, FieldKind]:
    whole = {name: value[None] if per_stream or value.dim() == 0 else value for name, value in frame.items()}
    scaled = scaled_fields(whole)
    return {name: kind_for_net(value, name in scaled) for name, value in whole.items()}


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
