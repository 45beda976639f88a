"""Parameters in one memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime.placement import shared_memory
from rillnet.runtime.placement.processes import Processes
from rillnet.runtime.placement.shared_memory import SharedParameters
from tests.runtime.placement.team import Team


def changed(rank: int) -> list[list[float]]:
    """What a process sees of two parameters that the other one changes."""
    first, second = torch.nn.Parameter(torch.full((3,), 1.0 + rank)), torch.nn.Parameter(torch.zeros(2, 2))
    processes = Processes()
    shared = SharedParameters(processes, [first, second, first])
    with torch.no_grad():
        (first if rank else second).add_(1)
    processes.everyone(None)
    assert shared.is_of([first, second])
    second.data = second.detach().clone()
    shared.move()
    assert "/memfd:rillnet (deleted)" in Path("/proc/self/maps").read_text()
    return [first.tolist(), second.flatten().tolist()]


def test_what_one_process_changes_all_see_and_nothing_has_a_name(team: Team) -> None:
    assert team.run(2, changed) == [[[2.0] * 3, [1.0] * 4]] * 2


def elsewhere(rank: int) -> str:
    """What a process is told where the other is on another host."""
    host = shared_memory._host
    shared_memory._host = lambda: f"host {rank}"
    try:
        SharedParameters(Processes(), [torch.zeros(1)])
    except RequestError as error:
        return str(error)
    finally:
        shared_memory._host = host
    return "nothing"


def test_all_processes_must_be_on_one_host(team: Team) -> None:
    rule = "placement.hogwild: shares the memory of one host, and process 1 is on another"
    assert team.run(2, elsewhere) == [rule] * 2


def test_parameters_must_be_in_the_memory_of_a_cpu(team: Team) -> None:
    found = team.run(2, on_meta)
    assert found == ["placement.hogwild: shares parameters in the memory of a CPU, and they are on meta"] * 2


def on_meta(rank: int) -> str:
    with pytest.raises(RequestError) as caught:
        SharedParameters(Processes(), [torch.zeros(1, device="meta")])
    return str(caught.value)
