"""Processes know how they were started, and what must be the same in all of them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from rillnet.errors import RequestError
from rillnet.runtime.placement.joining import (
    check_alike,
    code_digest,
    first_says,
    group_of,
    is_launched,
    is_lost_contact,
    joined_count,
    joining,
    report_run,
)
from tests.placed import in_processes


def test_a_process_is_launched_if_all_is_said_of_it() -> None:
    said = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    assert is_launched(said)
    assert not is_launched({**said, "RANK": ""})


def test_alone() -> None:
    assert (joined_count(), first_says(True), first_says(False)) == (1, True, False)
    assert len(code_digest()) == 64
    assert code_digest() == code_digest()


def test_what_says_that_another_process_is_gone() -> None:
    assert is_lost_contact(RuntimeError("Connection closed by peer [127.0.0.1]:1"))
    assert not is_lost_contact(ValueError("Connection closed by peer"))
    assert not is_lost_contact(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_the_supervisor_is_told_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    monkeypatch.setenv("RILLNET_REPORT", str(write))
    report_run(Path("runs/line/1"))
    assert os.read(read, 100) == b"runs/line/1\n"
    os.close(read)
    os.close(write)


def test_a_port_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = {"RANK": 0, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for name, value in said.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
        with pytest.raises(RequestError) as error, joining():
            pass
    assert str(error.value) == (
        f"placement: another program listens at 127.0.0.1:{port}; choose another: --master-port of torchrun,"
        " or MASTER_PORT"
    )
    assert joined_count() == 1


def compared() -> str:
    with pytest.raises(RequestError) as error:
        check_alike({"document": "a", "code of rillnet": f"version {dist.get_rank()}"})
    return str(error.value)


def test_other_code_is_refused_in_all_processes(tmp_path: Path) -> None:
    first, second = in_processes(2, tmp_path, compared)
    assert first.startswith("placement: the code of rillnet is another in process 1 on ")
    assert first.endswith("(got 'version 1'); install the same rillnet on every machine")
    assert first == second


def patience() -> list[float]:
    """How many seconds groups wait for one of their processes."""
    groups = [dist.group.WORLD, group_of(), group_of([0, 1])]
    return [group._get_backend(torch.device("cpu")).options._timeout.total_seconds() for group in groups]


def test_a_group_waits_as_long_as_all_do(tmp_path: Path) -> None:
    assert in_processes(2, tmp_path, patience) == [[60.0] * 3] * 2
