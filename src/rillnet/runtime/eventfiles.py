"""TensorBoard's event files, written through tensorboardX, each record before the call returns."""

from __future__ import annotations

import itertools
import os
import struct
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

from rillnet.errors import MissingExtraError
from rillnet.runtime.durable import failures_named, write_atomically

_HEADER = struct.Struct("<QI")  # length of the record, checksum of the length
_CHECKSUM_BYTES = 4
_counter = itertools.count()


class EventFiles:
    """The event files in one folder; the first value written makes a new one.

    tensorboardX's own SummaryWriter hands rows to a thread through a queue that a kill empties; its record
    writer, used here, is synchronous and starts nothing.

    Args:
        folder: created with the first value.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event
            from tensorboardX.proto.summary_pb2 import Summary
        except ImportError as error:
            raise MissingExtraError("tensorboardX", "observe", "writing TensorBoard event files") from error
        self.folder = folder
        self._make_writer, self._event, self._summary = EventsWriter, Event, Summary
        self._writer: EventsWriter | None = None
        self._finish: weakref.finalize[[], EventFiles] | None = None

    def write(self, step: int, time: float, values: Mapping[str, float]) -> None:
        """Adds one record.

        Args:
            step: learning steps done.
            time: seconds since 1970.
            values: numbers by tag; `loss/train` and `loss/val` are drawn side by side.

        Raises:
            RunError: the file cannot be written.
        """
        summary = self._summary(value=[self._summary.Value(tag=tag, simple_value=x) for tag, x in values.items()])
        with failures_named(self.folder, "be written"):
            if self._writer is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                suffix = f".{os.getpid()}.{next(_counter)}"  # two files of one second must not be one
                self._writer = self._make_writer(str(self.folder / "events"), suffix)
                self._finish = weakref.finalize(self, self._writer.close)
            self._writer.write_event(self._event(step=step, wall_time=time, summary=summary))
            self._writer.flush()

    def truncate_after(self, step: int) -> None:
        """Drops all records beyond a step that is returned to, each file in one step.

        Raises:
            RunError: a file cannot be written; it is as it was.
        """
        self.close()
        for path in sorted(self.folder.glob("events.out.tfevents.*")):
            content = path.read_bytes()
            kept = [record for record, event in _records(content) if self._event.FromString(event).step <= step]
            if sum(map(len, kept)) < len(content):
                with failures_named(path, "be written"):
                    write_atomically(path, b"".join(kept))

    def close(self) -> None:
        """Closes the file; the next value makes a new one."""
        self._writer = None
        if self._finish is not None:
            self._finish()


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each complete record of an event file, framed and bare."""
    start = 0
    while start + _HEADER.size <= len(content):
        length, _ = _HEADER.unpack_from(content, start)
        end = start + _HEADER.size + length + _CHECKSUM_BYTES
        if end > len(content):
            return  # torn by a kill
        yield content[start:end], content[start + _HEADER.size : end - _CHECKSUM_BYTES]
        start = end
