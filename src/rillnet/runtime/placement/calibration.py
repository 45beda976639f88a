"""Calibration: the rates of this machine, measured once and kept, and the time that blocks take here."""

from __future__ import annotations

import copy
import json
import mmap
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rillnet.model.layers.metrics import Metric
from rillnet.runtime.placement.boxes import Box, sizes
from rillnet.runtime.placement.machines import Machine
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.sums import HostSums, is_possible
from rillnet.runtime.placement.work import Rates, Share

_TURNS = 4
_SMALL, _LARGE = 1 << 8, 1 << 20  # numbers
_MOST_MULTIPLY_ADDS = 3e8
"""A block is timed on so many examples that it takes a tenth of a second at most, and the time is scaled."""


def this_machine(folder: Path | None = None) -> Machine:
    """The rates of this machine for processes of one thread; measured the first time, in about two seconds.

    Args:
        folder: where they are kept; the user's cache directory if None.
    """
    path = (folder or _cache_folder()) / "machine.json"
    key = f"2 {platform.node()} {platform.machine()} {os.cpu_count()} {torch.__version__}"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return Machine.model_validate(kept["machine"])
    except (OSError, ValueError, KeyError):
        pass  # never measured, or kept by another version
    machine = measured_machine()
    text = json.dumps({"key": key, "machine": machine.model_dump()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError:
        pass  # it is measured again next time
    return machine


def measured_machine() -> Machine:
    """Measures this machine: a matrix product, a copy, a small block, and messages between two groups of gloo."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one, other = torch.randn(512, 512), torch.randn(512, 512)
        product = _seconds(lambda: torch.mm(one, other))
        large = torch.zeros(1 << 22)
        target = torch.empty_like(large)
        copied = _seconds(lambda: target.copy_(large))
        little = torch.zeros(8)
        called = _seconds(lambda: torch.relu(little), calls=200)
    finally:
        torch.set_num_threads(threads)
    small, big = _gloo_seconds(_SMALL), _gloo_seconds(_LARGE)
    return Machine(
        name="here",
        flops=2 * 512**3 / product,
        bandwidth=4 * (_LARGE - _SMALL) / max(big - small, 1e-6),
        latency=small / 2,
        memory_bandwidth=2 * 4 * (1 << 22) / copied,
        memory=float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) / (os.cpu_count() or 1),
        overhead=4 * called,
        small_sum=_small_sum_seconds(),
        hidden=0.0,
    )


def _seconds(call: Callable[[], object], calls: int = 5) -> float:
    """The fastest of some turns: what the machine can do when nobody else has it."""
    call()
    turns = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        turns.append((time.perf_counter() - begin) / calls)
    return min(turns)


def _gloo_seconds(numbers: int, calls: int = 10) -> float:
    """Seconds of one sum over two processes, here two threads with a connection of their own."""
    gloo: Any = dist  # its classes are there, but not all in its types
    store, times = gloo.HashStore(), [0.0, 0.0]

    def take_part(rank: int) -> None:
        group = gloo.ProcessGroupGloo(store, rank, 2, timedelta(seconds=60))
        value = [torch.zeros(numbers)]
        group.allreduce(value).wait()
        turns = []
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(calls):
                group.allreduce(value).wait()
            turns.append((time.perf_counter() - begin) / calls)
        times[rank] = statistics.median(turns)

    both = [threading.Thread(target=take_part, args=(rank,)) for rank in (0, 1)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    return max(times)


_ANSWERS = """
import mmap, os, sys
memory = mmap.mmap(int(sys.argv[1]), int(sys.argv[2]))
counters = memoryview(memory).cast("q")
for count in range(1, int(sys.argv[3]) + 1):
    while counters[0] < count:
        os.sched_yield()
    counters[8] = count
"""
"""The other process of a sum, which has nothing to add."""


def _small_sum_seconds(calls: int = 300) -> float | None:
    """Seconds of a sum of a few numbers through shared memory, with another process that answers at once."""
    if not is_possible():
        return None
    memory_fd, size = os.memfd_create("rillnet-sums"), HostSums.size(2)
    try:
        os.ftruncate(memory_fd, size)
        words = [sys.executable, "-S", "-c", _ANSWERS, str(memory_fd), str(size), str(2 * calls)]
        other = subprocess.Popen(words, pass_fds=(memory_fd,))
        sums, value = HostSums(mmap.mmap(memory_fd, size), 0, [0, other.pid], 10.0), torch.zeros(2, 64)
        turns = []
        for _ in range(2 * calls):
            begin = time.perf_counter()
            sums.add(value)
            turns.append(time.perf_counter() - begin)
        other.wait()
        return statistics.median(turns[calls:])
    except (OSError, RuntimeError):
        return None
    finally:
        os.close(memory_fd)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rillnet"


@dataclass
class Timed:
    """Time by running blocks here: each kind of block with each size of its part once, on one thread.

    Args:
        machine: whose rates stand in where a block cannot be run alone.
    """

    machine: Machine
    _known: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, plan: PlacementPlan, name: str, rank: int, batch: int, share: Share) -> tuple[float, float]:
        """Seconds forward and backward."""
        box = plan.work(name, rank, batch)
        module = plan.flat.module(name)
        ports = range(len(plan.rollout.sources(name)))
        needed = tuple(plan.needed(name, port, rank, batch) for port in ports)
        shapes = tuple(None if box is None else sizes(box) for box in (box, *needed))
        key = (type(module), repr(module), shapes, share.learns_inputs)
        if key not in self._known:
            found = _timed(plan, name, rank, batch, share)
            self._known[key] = Rates(self.machine)(plan, name, rank, batch, share) if found is None else found
        return self._known[key]


def _timed(plan: PlacementPlan, name: str, rank: int, batch: int, share: Share) -> tuple[float, float] | None:
    """Seconds of a part forward and backward; None where the block does not run alone."""
    examples = (plan.work(name, rank, batch) or ((0, 1),))[0]
    there = max(examples[1] - examples[0], 1)
    part = max(1, min(there, round(there * _MOST_MULTIPLY_ADDS / max(share.multiply_adds, 1))))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        module = _own_part(plan, name, rank)
        inputs = [
            _input(plan, name, port, rank, batch, part / there) for port in range(len(plan.rollout.sources(name)))
        ]
        found = _both(module, inputs, share.learns_inputs)
    except Exception:  # a block may need what stands around it: then it is not timed
        return None
    finally:
        torch.set_num_threads(threads)
    return found[0] * there / part, found[1] * there / part


@torch.no_grad()
def _own_part(plan: PlacementPlan, name: str, rank: int) -> nn.Module:
    """A copy of a block with parameters of this process' sizes."""
    module, parts = plan.flat.module(name), plan.parameters(name, rank)
    tensors = {id(t): nn.Parameter(t.to("meta")) if isinstance(t, nn.Parameter) else t.to("meta")
               for t in (*module.parameters(), *module.buffers())}  # fmt: skip
    made = copy.deepcopy(module, tensors)
    made.to_empty(device="cpu")
    for path, tensor in (*made.named_parameters(), *made.named_buffers()):
        tensor.data = torch.full(_joined_shape(parts[path]), 0.01 if tensor.is_floating_point() else 0).to(tensor.dtype)
    return made.train()


def _joined_shape(boxes: Sequence[Box]) -> tuple[int, ...]:
    """The shape of some boxes of a tensor along its first dimension."""
    first = sizes(boxes[0])
    return (sum(sizes(box)[0] for box in boxes), *first[1:]) if first else ()


def _input(plan: PlacementPlan, name: str, port: int, rank: int, batch: int, share: float) -> Tensor:
    needed = plan.needed(name, port, rank, batch)
    signature = plan.signature(plan.rollout.sources(name)[port])
    shape = () if needed is None else sizes(needed)
    if signature.batched:
        shape = (max(1, round(shape[0] * share)), *shape[1:])
    return torch.rand(shape) if signature.dtype.is_floating_point else torch.zeros(shape, dtype=signature.dtype)


def _both(module: nn.Module, inputs: list[Tensor], learns_inputs: bool) -> tuple[float, float]:
    """Seconds forward and backward in the middle of some turns.

    A step keeps what its blocks send until gradients have come back, and the next one finds the memory that it has let
    go of. So it is here: all turns go forward, and then back one by one; what is timed is the second time that they do.
    """
    for value in inputs:
        value.requires_grad_(learns_inputs and value.is_floating_point())
    for _ in range(2):
        forward, backward, kept = [], [], list[Any]()
        for _ in range(_TURNS):
            begin = time.perf_counter()
            sent = module(*inputs)
            forward.append(time.perf_counter() - begin)
            kept.append(sent[0] if isinstance(sent, tuple) else sent)
            del sent
        while kept:
            backward.append(_back(module, kept.pop()))
            for value in (*inputs, *module.parameters()):
                value.grad = None
    return statistics.median(forward), statistics.median(backward)


def _back(module: nn.Module, tensor: Tensor) -> float:
    """Seconds backward."""
    if isinstance(module, Metric) and tensor.dim():
        tensor = tensor.sum()
    if not tensor.requires_grad:
        return 0.0
    gradient = torch.full_like(tensor, 0.01)
    begin = time.perf_counter()
    torch.autograd.backward(tensor, gradient)
    return time.perf_counter() - begin
