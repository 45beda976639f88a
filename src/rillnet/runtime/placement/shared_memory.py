"""Parameters in one memory of a host, which all of its processes change without locks (Hogwild).

Source:
    Niu et al., "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent", 2011, arXiv 1106.5730.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.placement.processes import Processes

_ALIGNED = 64
"""Every parameter begins at a multiple of so many bytes."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SharedParameters:
    """The parameters of a net in a memory that all processes of a run have in common.

    The memory has no name and belongs to the processes: it is gone with the last of them, however they end.

    Args:
        processes: all of them, on one host.
        parameters: of the net, alike in all processes; they are moved there.

    Raises:
        RequestError: there can be no such memory.
    """

    def __init__(self, processes: Processes, parameters: Iterable[Tensor]) -> None:
        self.processes = processes
        self.parameters = list({id(parameter): parameter for parameter in parameters}.values())
        sizes = [-(-p.numel() * p.element_size() // _ALIGNED) * _ALIGNED for p in self.parameters]
        self._memory = _in_common(processes, max(sum(sizes), _ALIGNED), self._fault())
        every_byte = torch.frombuffer(self._memory, dtype=torch.uint8)
        offsets = [sum(sizes[:number]) for number in range(len(sizes))]
        self.places = [
            every_byte[offset : offset + p.numel() * p.element_size()].view(p.dtype).view(p.shape)
            for p, offset in zip(self.parameters, offsets, strict=True)
        ]
        self.move()

    def is_of(self, parameters: Iterable[Tensor]) -> bool:
        """Whether these are the parameters that stand there."""
        return {id(parameter) for parameter in parameters} == {id(parameter) for parameter in self.parameters}

    def _fault(self) -> str:
        """Why this process cannot share its parameters."""
        elsewhere = next((p.device.type for p in self.parameters if p.device.type != "cpu"), None)
        if elsewhere is not None:
            return f"shares parameters in the memory of a CPU, and they are on {elsewhere}"
        return "" if hasattr(os, "memfd_create") else "needs a memory that Linux alone can give"

    @torch.no_grad()
    def move(self) -> None:
        """Has the parameters stand there, with the values of the first process; nothing where they do already."""
        moved = [p.data_ptr() != place.data_ptr() for p, place in zip(self.parameters, self.places, strict=True)]
        if not any(moved):
            return
        self.processes.everyone(None)
        for parameter, place in zip(self.parameters, self.places, strict=True):
            if self.processes.is_first:
                place.copy_(parameter)
            parameter.data = place
        self.processes.everyone(None)


def _in_common(processes: Processes, size: int, fault: str) -> mmap.mmap:
    """A memory that all processes have, made by the first; it has no name that could outlive them."""
    hosts = processes.everyone(None if fault else _host())
    if not fault and len(set(hosts)) > 1:
        fault = f"shares the memory of one host, and process {hosts.index(_other(hosts))} is on another"
    with contextlib.ExitStack() as opened:
        error: RequestError | None = RequestError(Fault("placement.hogwild", fault)) if fault else None
        number = -1
        if error is None and processes.is_first:
            number = os.memfd_create("rillnet")
            opened.callback(os.close, number)
            os.ftruncate(number, size)
        pid, theirs = processes.told([os.getpid(), number])
        if error is None and not processes.is_first:
            try:
                number = os.open(f"/proc/{pid}/fd/{theirs}", os.O_RDWR)
                opened.callback(os.close, number)
            except OSError as failure:
                text = f"cannot share the memory of process 0: {failure.strerror}"
                error = RequestError(Fault("placement.hogwild", text))
        processes.check(error)  # all have opened it, or none goes on
        return mmap.mmap(number, size)


def _host() -> str:
    """Tells hosts apart: network namespaces of one host are one."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return socket.gethostname()


def _other(hosts: list[str | None]) -> str | None:
    return next(host for host in hosts if host != hosts[0])
