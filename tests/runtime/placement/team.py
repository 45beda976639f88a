"""Processes that stay alive for a whole test module, so that a test with processes costs milliseconds."""

from __future__ import annotations

import datetime
import importlib
import itertools
import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

PATIENCE = datetime.timedelta(seconds=30)


class Team:
    """Processes that run a function together.

    Each is given its rank and the arguments of the test. The function and what it is given and returns are
    sent to them, so it stands at the top of a test module. They are made when a test first asks for so
    many, and made anew after a failure, which may leave some of them waiting.
    """

    def __init__(self) -> None:
        self._context = mp.get_context("forkserver")  # it imports once what all need, and has no threads of its own
        self._context.set_forkserver_preload([__name__, "tests.runtime.placement.training"])
        self._members: list[tuple[Any, Connection]] = []

    def run(self, world: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What the function returns in each of so many processes, called with the process' rank and these."""
        if len(self._members) != world:
            self._start(world)
        for _, pipe in self._members:
            pipe.send((function.__module__, function.__qualname__, arguments))
        until = time.monotonic() + 2 * PATIENCE.total_seconds()
        answers = [_answer(pipe, until) for _, pipe in self._members]
        failures = [f"process {rank}: {said}" for rank, (is_well, said) in enumerate(answers) if not is_well]
        if failures:
            self.end()
            pytest.fail("\n".join(failures), pytrace=False)
        return [said for _, said in answers]

    def _start(self, world: int) -> None:
        self.end()
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
        self._store = store  # it serves as long as it is there
        for rank in range(world):
            ours, theirs = self._context.Pipe()
            member = self._context.Process(target=_live, args=(rank, world, store.port, theirs), daemon=True)
            member.start()
            theirs.close()
            self._members.append((member, ours))

    def end(self) -> None:
        """Ends all of them, whatever they are doing."""
        for member, pipe in self._members:
            member.kill()
            member.join(10)
            pipe.close()
        self._members = []


def _answer(pipe: Connection, until: float) -> tuple[bool, Any]:
    if not pipe.poll(max(0.0, until - time.monotonic())):
        return False, "has not answered"
    try:
        answer: tuple[bool, Any] = pipe.recv()
    except EOFError:
        return False, "has died"
    return answer


@contextmanager
def assembled() -> Iterator[Team]:
    """A team, which is gone afterwards."""
    team = Team()
    try:
        yield team
    finally:
        team.end()


def _live(rank: int, world: int, port: int, pipe: Connection) -> None:
    """Runs what is asked for until nothing more is."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=PATIENCE)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=PATIENCE)
    for _ in itertools.count():
        try:
            module, name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, getattr(importlib.import_module(module), name)(rank, *arguments)
        except BaseException:
            answer = False, traceback.format_exc()
        pipe.send(answer)
