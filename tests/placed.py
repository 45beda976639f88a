"""Runs functions of tests in several processes that have joined each other, and brings back what they return."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def in_processes(count: int, folder: Path, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function returns in each of several processes.

    Args:
        count: how many.
        folder: an empty one, for their store and their results.
        function: of a module that can be imported.
        arguments: its arguments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # a server that has imported what the processes need, so that each of them starts at once
    multiprocessing.set_forkserver_preload(["rillnet", "rillnet.training.loading", "torch.distributed", __name__])
    mp.start_processes(  # type: ignore[no-untyped-call]
        _joined, (count, str(folder), function, arguments), nprocs=count, start_method="forkserver"
    )
    return [pickle.loads((folder / f"result-{rank}").read_bytes()) for rank in range(count)]


def _joined(rank: int, count: int, folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store", count)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=count, timeout=datetime.timedelta(seconds=60))
    try:
        found = function(*arguments)
    finally:
        dist.destroy_process_group()
    Path(f"{folder}/result-{rank}").write_bytes(pickle.dumps(found))
