from __future__ import annotations

import re

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.placement.machines import ATTAINED, Machine, machine_of, named


def test_a_sum_over_two_processes() -> None:
    machine = Machine(flops=1e12, bandwidth=1e9, latency=1e-3)

    assert machine.all_reduce(1e6, 2) == pytest.approx(1e6 / 1e9 + 2e-3)
    assert machine.all_reduce(1e6, 1) == 0


def test_a_sum_over_hosts_goes_within_each_first() -> None:
    machine = Machine(flops=1, bandwidth=1e9, latency=0, per_host=4, host_bandwidth=1e10, host_latency=0)
    within, between = 2 * 3 / 4 * 1e6 / 1e10, 2 * 7 / 8 * 1e6 / 1e9

    assert machine.all_reduce(1e6, 32) == pytest.approx(within + between)


def test_processes_of_one_host_share_its_link() -> None:
    machine = named("K40", "InfiniBand FDR", per_host=4)

    assert machine.link(same_host=False)[1] == pytest.approx(machine.bandwidth / 4)
    assert machine.link(same_host=True)[1] == machine.host_bandwidth


def test_a_named_machine_attains_a_share_of_what_is_published() -> None:
    assert machine_of("K40").flops == pytest.approx(4.29e12 * ATTAINED)
    assert machine_of("K40, 10 GbE").bandwidth == pytest.approx(1e9)
    assert machine_of("K40, InfiniBand FDR, 4 per host") == named("K40", "InfiniBand FDR", 4)


def test_a_given_machine() -> None:
    machine = machine_of("{flops: 4e12, bandwidth: 7e9, latency: 1e-5, memory: 12e9}")

    assert machine == Machine(flops=4e12, bandwidth=7e9, latency=1e-5, memory=12e9)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("K4", "--machine: unknown device (got 'K4'); did you mean 'K40'?"),
        (
            "Cray",
            "--machine: unknown device (got 'Cray'); there are here, K40, V100, A100, H100",
        ),
        ("K40, 10 GB", "--machine: unknown link (got '10 GB'); did you mean '10 GbE'?"),
        (
            "K40, PCIe 3, 10 GbE",
            "--machine: must be a device, a device and a link, or {flops: ..., bandwidth: ..., latency: ...} "
            "(got 'K40, PCIe 3, 10 GbE')",
        ),
    ],
)
def test_machines_that_nobody_knows(text: str, told: str) -> None:
    with pytest.raises(RequestError, match=f"^{re.escape(told)}$"):
        machine_of(text)


def test_a_machine_must_be_given_all_of_its_figures() -> None:
    with pytest.raises(RequestError, match="latency"):
        machine_of("{flops: 4e12, bandwidth: 7e9}")
