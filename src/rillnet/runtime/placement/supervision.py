"""Supervision: one process starts the others, sees when one is gone or all stand still, and ends or restarts them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

import torch.distributed as dist

from rillnet.errors import RunError
from rillnet.runtime.placement.heartbeat import FOLDER, read_beats, stalled, stand_apart
from rillnet.runtime.placement.joining import LIFELINE, REPORT, LostContactError

_POLL_S = 0.05
_STALL_S = 10.0  # without a note of any process
_PATIENCE_S = 5.0  # for the others to tell their own errors when one has ended
_INTERRUPTED = 130
_TAIL = 4000  # characters of what a process has said last


@dataclass
class _Worker:
    rank: int
    process: subprocess.Popen[bytes]
    errors: IO[bytes] | None = None

    @property
    def code(self) -> int | None:
        return self.process.poll()

    def kill(self) -> None:
        """Ends it and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        """What it has written last on standard error."""
        if self.errors is None:
            return ""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-_TAIL:].strip()


@dataclass
class Supervisor:
    """Starts the processes of a run and looks after them until it ends.

    Args:
        command: the command line of a process, given how often they were started before.
        count: how many processes.
        say: told what happens, line by line.
        max_restarts: how often they are started again after one was lost.
        fewer: with how many processes the run goes on when one of so many is lost; None is with as many again.
    """

    command: Callable[[int], Sequence[str]]
    count: int
    say: Callable[[str], None]
    max_restarts: int = 3
    fewer: Callable[[int], int | None] = lambda count: None
    asked: int = field(default=0, init=False)
    run: Path | None = field(default=None, init=False)

    def supervise(self) -> int:
        """Runs until the end.

        Returns:
            The exit code of the run.

        Raises:
            RunError: a process was lost once too often, or one failed of which the first could not tell.
        """
        with self._signals():
            for attempt in range(self.max_restarts + 1):
                code, lost = self._attempt(attempt)
                if lost is None or self.asked:
                    return _INTERRUPTED if lost is not None else code
                if attempt == self.max_restarts:
                    break
                self.count = self.fewer(self.count) or self.count
                several = "processes" if self.count > 1 else "process"
                self.say(f"{lost}; going on from the newest checkpoint with {self.count} {several}")
        times = f"{self.max_restarts + 1} times" if self.max_restarts else "once"
        raise RunError(f"{lost}, for the {times} that the processes were started; the same command goes on")

    def _attempt(self, attempt: int) -> tuple[int, str | None]:
        """One start: the exit code; and what was lost, if the processes can be started again."""
        # a store of its own for every start, as one keeps the addresses of processes that are gone
        store = dist.TCPStore(  # type: ignore[attr-defined]
            "127.0.0.1", 0, is_master=True, wait_for_workers=False
        )
        self.run = None
        lifeline = os.pipe()
        report = os.pipe()
        os.set_blocking(report[0], False)
        workers: list[_Worker] = []
        try:
            for rank in range(self.count):
                workers.append(self._start(rank, attempt, store.port, lifeline[0], report[1]))
            return self._watch(workers, report[0])
        finally:
            for worker in workers:
                worker.kill()
                if worker.errors is not None:
                    worker.errors.close()
            for number in (*lifeline, *report):
                os.close(number)

    def _start(self, rank: int, attempt: int, port: int, lifeline: int, report: int) -> _Worker:
        threads = max(1, len(os.sched_getaffinity(0)) // self.count)
        environment = {
            "OMP_NUM_THREADS": str(threads),
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(self.count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": str(attempt),
            LIFELINE: str(lifeline),
            REPORT: str(report),
        }
        errors = tempfile.TemporaryFile() if rank else None  # noqa: SIM115, closed when the process has ended
        process = subprocess.Popen(
            list(self.command(attempt)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if rank else None,
            stderr=errors,
            pass_fds=(lifeline, report),
            start_new_session=True,
        )
        return _Worker(rank, process, errors)

    def _watch(self, workers: Sequence[_Worker], report: int) -> tuple[int, str | None]:
        told_at, told_stall = 0.0, ""
        asked = 0
        while True:
            time.sleep(_POLL_S)
            self._read(report)
            if self.asked > asked:
                asked = self.asked
                for worker in workers:
                    _signal(worker, signal.SIGTERM if asked == 1 else signal.SIGKILL)
            ended = [worker for worker in workers if worker.code is not None]
            if ended and (len(ended) == len(workers) or any(worker.code for worker in ended)):
                return self._judge(workers)
            now = time.monotonic()
            if self.run is not None and now - told_at > 1.0:
                told_at = now
                beats = read_beats(self.run / FOLDER)
                apart = stand_apart(beats)
                if apart:  # they would wait until their connections give up, and do the same again
                    raise RunError(apart)
                stall = stalled(beats, _STALL_S)
                if stall and not told_stall:
                    self.say(stall)
                told_stall = stall

    def _judge(self, workers: Sequence[_Worker]) -> tuple[int, str | None]:
        """What the end of one or more of them means, once the others had time to tell theirs."""
        first = [worker for worker in workers if worker.code]
        deadline = time.monotonic() + (_PATIENCE_S if not any((w.code or 0) < 0 for w in first) else 0.0)
        if self.asked or all(worker.code == _INTERRUPTED for worker in first):
            deadline += 60.0
        while any(worker.code is None for worker in workers) and time.monotonic() < deadline and self.asked < 2:
            time.sleep(_POLL_S)
        codes = {worker.rank: worker.code for worker in workers}
        if all(code == 0 for code in codes.values()):
            return 0, None
        for worker in workers:
            code = codes[worker.rank]
            if code in (2, 3, 4, 1):
                if worker.rank:
                    self.say(worker.said())
                return code, None
        killed = [worker for worker in workers if (codes[worker.rank] or 0) < 0]
        if not killed and any(code == _INTERRUPTED for code in codes.values()):
            return _INTERRUPTED, None
        if killed:
            number = -(codes[killed[0].rank] or 0)
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            return 4, f"process {killed[0].rank} was ended by {name}"
        lost = next((w for w in workers if codes[w.rank] == LostContactError.exit_code), None)
        what = f"process {lost.rank} lost contact with the others" if lost else "a process was lost"
        return 4, what

    def _read(self, report: int) -> None:
        with contextlib.suppress(BlockingIOError):
            text = os.read(report, 65536).decode()
            if text.strip():
                self.run = Path(text.strip().splitlines()[-1])

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """What asks this process to end asks the others to finish their step, save and end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            self.asked += 1

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _signal(worker: _Worker, number: int) -> None:
    if worker.code is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.process.pid, number)
