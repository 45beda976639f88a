"""Four processes that stay alive for a whole test module, so that a test with processes costs milliseconds."""

from __future__ import annotations

import datetime
import importlib
import os
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

MOST = 4
PATIENCE = datetime.timedelta(seconds=30)


class Team:
    """Processes that run a function together, the first few of them.

    Each is given its rank and as many arguments as the test says. The function and what it is given and returns
    are sent to them, so it stands at the top of a test module.
    """

    def __init__(self) -> None:
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=PATIENCE)
        context = mp.get_context("spawn")
        self._pipes: list[Connection] = []
        self._members: list[Any] = []
        for rank in range(MOST):
            ours, theirs = context.Pipe()
            member = context.Process(target=_live, args=(rank, self._store.port, theirs), daemon=True)
            member.start()
            theirs.close()
            self._pipes.append(ours)
            self._members.append(member)

    def run(self, world: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What the function returns in each process, called with the process' rank and these."""
        for pipe in self._pipes[:world]:
            pipe.send((world, function.__module__, function.__qualname__, arguments))
        answers = [self._answer(rank) for rank in range(world)]
        failures = [f"process {rank}: {said}" for rank, (is_well, said) in enumerate(answers) if not is_well]
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)
        return [said for _, said in answers]

    def _answer(self, rank: int) -> tuple[bool, Any]:
        pipe = self._pipes[rank]
        if not pipe.poll(2 * PATIENCE.total_seconds()):
            return False, "has not answered"
        try:
            answer: tuple[bool, Any] = pipe.recv()
        except EOFError:
            return False, "has died"
        return answer

    def end(self) -> None:
        """Ends all of them, whatever they are doing."""
        for member, pipe in zip(self._members, self._pipes, strict=True):
            member.kill()
            member.join(10)
            pipe.close()


@contextmanager
def assembled() -> Iterator[Team]:
    """A team, which is gone afterwards."""
    team = Team()
    try:
        yield team
    finally:
        team.end()


def _live(rank: int, port: int, pipe: Connection) -> None:
    """Runs what is asked for until nothing more is."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=PATIENCE)
    joined = 0
    while True:
        try:
            world, module, name, arguments = pipe.recv()
        except EOFError:
            return
        try:
            if joined != world:
                if joined:
                    dist.destroy_process_group()
                _join(dist.PrefixStore(f"{world}/{_joins(store, world, rank)}", store), rank, world)
                joined = world
            function: Any = importlib.import_module(module)
            for part in name.split("."):
                function = getattr(function, part)
            answer = True, function(rank, *arguments)
        except BaseException:
            answer = False, traceback.format_exc()
            if dist.is_initialized():
                dist.destroy_process_group()
            joined = 0
        pipe.send(answer)


def _joins(store: Any, world: int, rank: int) -> int:
    """How often this process has been one of so many; the others have been as often."""
    return int(store.add(f"joins/{world}/{rank}", 1))


def _join(store: Any, rank: int, world: int) -> None:
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=PATIENCE)
