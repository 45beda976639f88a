"""Reading examples ahead in worker processes, in the order in which they are asked for."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rillnet.data.examples import Request, Stream
from rillnet.errors import DataError, RunError


class Reader(Protocol):
    """Reads the examples of a request; goes to worker processes, so it must be possible to pickle it."""

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        """The examples at these positions, stacked, by field; raises `DataError` where there are none."""


class WorkerStream:
    """Reads batches ahead in worker processes of torch's `DataLoader`, which live until the stream is closed.

    Batches come in the order asked for, whatever the number of workers. Workers leave the interrupt
    signal to the main process and end by themselves within seconds if it dies.

    Args:
        reader: reads the examples of one request.
        workers: processes; 0 reads in this one, when a batch is asked for.
        prefetch: batches that each worker reads ahead.
    """

    def __init__(self, reader: Reader, workers: int, prefetch: int = 2) -> None:
        self._reader, self._workers, self._prefetch = reader, workers, prefetch
        self._requests = _Requests()
        self._loader: DataLoader[Any] | None = None
        self._iterator: Any = None
        self._passes = 0

    def batches(self, requests: Iterable[Request]) -> Iterator[dict[str, Tensor]]:
        """The examples of each request; a further call drops what an earlier one still had to read."""
        self._passes += 1
        if self._workers == 0:
            return (self._reader.read(indices, seed) for indices, seed in requests)
        return self._from_workers(requests, self._passes)

    def _from_workers(self, requests: Iterable[Request], number: int) -> Iterator[dict[str, Tensor]]:
        self._requests.current = requests
        if self._loader is None:
            self._loader = self._start()
        self._iterator = iter(self._loader)
        _leave_signals_alone(self._iterator)
        while True:
            if number != self._passes:
                raise RunError("data: this pass over the examples ended when its feed was closed or began another one")
            try:
                batch = next(self._iterator)
            except StopIteration:
                return
            except (RuntimeError, OSError, EOFError) as error:  # what torch raises for a worker that is gone
                self.close()
                raise RunError(f"data: a process that reads examples ended: {error}") from error
            if isinstance(batch, DataError):
                self.close()
                raise batch
            yield batch

    def _start(self) -> DataLoader[Any]:
        return DataLoader(
            _Batches(self._reader),
            batch_size=None,
            sampler=self._requests,
            num_workers=self._workers,
            prefetch_factor=self._prefetch,
            persistent_workers=True,
            collate_fn=_unchanged,
            worker_init_fn=_ignore_interrupt,
            generator=torch.Generator(),  # its own: the default would draw from the global one, which is the user's
        )

    def close(self) -> None:
        """Ends the worker processes, and waits until they have ended."""
        self._passes += 1
        iterator, self._iterator, self._loader = self._iterator, None, None
        if iterator is not None:
            # Dropping the last reference does the same, but not where a traceback holds one: collected later, as
            # part of a cycle, torch waits 5 s for each worker.
            iterator._shutdown_workers()


class _Requests:
    """The sampler of the loader, which asks for an iterator at every new pass."""

    current: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        return iter(self.current)


class _Batches(Dataset[Any]):
    """What a worker holds: reads whole batches, and sends faults back as values, so that they keep their text."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __getitem__(self, request: Request) -> dict[str, Tensor] | DataError:
        try:
            return self.reader.read(*request)
        except DataError as error:
            return error


def _unchanged(batch: Any) -> Any:
    return batch


def _leave_signals_alone(iterator: Any) -> None:
    """Keeps torch from raising where a worker's death happens to interrupt the main process.

    That may be in the midst of saving. Without its entry in torch's table of workers, a dead one is found when
    its batch is waited for, within 5 s.
    """
    if getattr(iterator, "_worker_pids_set", False):
        torch._C._remove_worker_pids(id(iterator))
        iterator._worker_pids_set = False


def _ignore_interrupt(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Ahead:
    """Reads batch after batch of an endless sequence of requests, and goes elsewhere in it on demand.

    Args:
        stream: reads ahead.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._asked: deque[Tensor] = deque()
        self._read: Iterator[dict[str, Tensor]] | None = None

    def restart(self, requests: Iterable[Request]) -> None:
        """Drops what was read ahead and reads these instead."""
        self._asked = deque()
        self._read = self.stream.batches(_noting(requests, self._asked))

    def next(self) -> tuple[Tensor, dict[str, Tensor]]:
        """The next request's positions and what was read for it."""
        assert self._read is not None
        fields = next(self._read)
        return self._asked.popleft(), fields

    def close(self) -> None:
        """Drops what was read ahead and ends the stream's processes."""
        self._read = None
        self._asked = deque()
        self.stream.close()


def _noting(requests: Iterable[Request], asked: deque[Tensor]) -> Iterator[Request]:
    """The same requests; the positions of those already taken are noted."""
    for request in requests:
        asked.append(request[0])
        yield request
