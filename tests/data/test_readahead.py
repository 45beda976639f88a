"""Reading ahead in worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from rillnet.data.examples import Request
from rillnet.data.readahead import Ahead, WorkerStream
from rillnet.errors import DataError, RunError

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


class Process:
    """Reads the positions, the seed, and the process that read them."""

    def read(self, indices: Tensor, seed: int) -> dict[str, Tensor]:
        if 13 in indices:
            raise DataError("photos/13.jpg: is damaged")
        if 99 in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"x": indices, "seed": torch.tensor(seed), "process": torch.tensor(os.getpid())}


def requests(start: int = 0, size: int = 1) -> Iterator[Request]:
    while True:
        yield torch.arange(start, start + size), start * 10
        start += size


@pytest.fixture(params=[0, 1, 2])
def stream(request: pytest.FixtureRequest) -> Iterator[WorkerStream]:
    opened = WorkerStream(Process(), request.param)
    yield opened
    opened.close()


def test_batches_come_in_the_order_asked_for(stream: WorkerStream) -> None:
    read = list(islice(stream.batches(requests(0, 2)), 6))

    assert [batch["x"].tolist() for batch in read] == [[i, i + 1] for i in range(0, 12, 2)]
    assert [int(batch["seed"]) for batch in read] == [i * 10 for i in range(0, 12, 2)]


def test_a_pass_can_be_ended_and_another_begun(stream: WorkerStream) -> None:
    next(stream.batches(requests(0)))

    assert [int(b["x"]) for b in stream.batches(islice(requests(5), 3))] == [5, 6, 7]
    assert [int(b["x"]) for b in islice(stream.batches(requests(2)), 3)] == [2, 3, 4]


def test_a_closed_stream_can_be_opened_again(stream: WorkerStream) -> None:
    next(stream.batches(requests(0)))
    stream.close()
    stream.close()

    assert int(next(stream.batches(requests(4)))["x"]) == 4


def test_a_fault_keeps_its_text(stream: WorkerStream) -> None:
    read = stream.batches(requests(12))
    next(read)

    with pytest.raises(DataError) as raised:
        next(read)

    assert str(raised.value) == "photos/13.jpg: is damaged"


def test_workers_read_in_processes_of_their_own_that_stay() -> None:
    stream = WorkerStream(Process(), 2)
    passes = [{int(b["process"]) for b in stream.batches(islice(requests(), 8))} for _ in range(2)]

    assert passes[0] == passes[1]
    assert len(passes[0]) == 2
    assert os.getpid() not in passes[0]
    stream.close()
    assert not any(psutil.pid_exists(process) for process in passes[0])


def test_a_pass_ends_when_another_begins() -> None:
    stream = WorkerStream(Process(), 1)
    first = stream.batches(requests())
    next(first)
    next(stream.batches(requests()))

    with pytest.raises(RunError) as raised:
        next(first)

    stream.close()
    assert str(raised.value) == "data: this pass over the examples ended when its feed was closed or began another one"


@pytest.mark.slow
def test_a_killed_worker_is_told_when_its_batch_is_waited_for() -> None:
    stream = WorkerStream(Process(), 1)
    read = stream.batches(requests(97))
    next(read)
    time.sleep(0.5)  # a signal of the death would come now

    with pytest.raises(RunError, match=r"^data: a process that reads examples ended: DataLoader worker \(pid"):
        next(read)


def test_the_interrupt_signal_is_left_to_the_main_process() -> None:
    stream = WorkerStream(Process(), 1)
    read = stream.batches(requests())
    os.kill(int(next(read)["process"]), signal.SIGINT)

    assert [int(next(read)["x"]) for _ in range(5)] == [1, 2, 3, 4, 5]
    stream.close()


ABANDONED = """
import sys, time, torch
sys.path.insert(0, sys.argv[1])
from test_readahead import Process, requests
from rillnet.data.readahead import WorkerStream
read = WorkerStream(Process(), 2).batches(requests())
print(*{int(next(read)["process"]) for _ in range(6)}, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_workers_end_within_ten_seconds_of_the_main_process() -> None:
    command = [sys.executable, "-c", ABANDONED, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        workers = [int(word) for word in main.stdout.readline().split()]
        main.kill()
    deadline = time.monotonic() + 10
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert len(workers) == 2
    assert not any(map(_runs, workers))


def _runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_endless_sequence_is_read_with_its_positions(stream: WorkerStream) -> None:
    ahead = Ahead(stream)
    ahead.restart(requests(0, 2))
    ahead.next()
    indices, fields = ahead.next()
    assert indices.tolist() == fields["x"].tolist() == [2, 3]

    ahead.restart(requests(40, 2))
    assert ahead.next()[0].tolist() == [40, 41]
    ahead.close()
