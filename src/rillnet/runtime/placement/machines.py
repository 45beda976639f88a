"""Machines: how fast processes compute and send, measured here or published for machines that are absent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.frontends import yaml
from rillnet.spec import Record

Positive = Annotated[float, Field(gt=0)]

ATTAINED = 0.5
"""Share of a device's published arithmetic that convolutions and matrix products of nets attain."""

ATTAINED_LINK = 0.8
"""Share of a link's published bandwidth that large messages attain."""


class Machine(Record):
    """Equal processes, and the links between them.

    Args:
        name: in tables.
        flops: floating-point operations a second that a process attains, two for a multiply-add.
        bandwidth: bytes a second that a host sends, and receives at the same time.
        latency: seconds that a message takes besides.
        memory_bandwidth: bytes a second between a process and its memory; not counted if left out.
        memory: bytes that a process has; without limit if left out.
        per_host: processes on one host, which share its link.
        host_bandwidth: bytes a second between processes of one host; as between hosts if left out.
        host_latency: seconds of such a message.
        overhead: seconds that a block takes besides its arithmetic.
        small_sum: seconds of a sum of a few numbers over processes of one host, which all wait for; that of messages if
            left out.
        hidden: share of the sums of gradients that goes on beside computing; 0 where sending takes the same cores.

    Example:
        >>> machine = Machine(flops=1e12, bandwidth=1e9, latency=1e-5)
        >>> round(machine.all_reduce(1e6, 2) * 1e6)
        1020
    """

    name: str = "given"
    flops: Positive
    bandwidth: Positive
    latency: Annotated[float, Field(ge=0)]
    memory_bandwidth: Positive | None = None
    memory: Positive | None = None
    per_host: Annotated[int, Field(ge=1)] = 1
    host_bandwidth: Positive | None = None
    host_latency: Annotated[float, Field(ge=0)] | None = None
    overhead: Annotated[float, Field(ge=0)] = 0.0
    small_sum: Positive | None = None
    hidden: Annotated[float, Field(ge=0, le=1)] = 1.0

    def link(self, *, same_host: bool) -> tuple[float, float]:
        """Seconds of a message, and bytes a second, that one process can count on while all send."""
        if same_host:
            latency = self.latency if self.host_latency is None else self.host_latency
            return latency, self.host_bandwidth or self.bandwidth
        return self.latency, self.bandwidth / self.per_host

    def all_reduce(self, size: float, processes: int) -> float:
        """Seconds to add something up over processes that then all have the sum.

            t = 2 (k-1)/k n/B' + 2 (h-1)/h n/B + 2 a log2(h) + 2 a' log2(k)

        with k processes on each of h hosts: first within hosts, then each process its part between hosts, and back.

        Args:
            size: bytes.
            processes: how many.

        Reference:
            Thakur, Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH" (2005).
        """
        inside = min(self.per_host, processes)
        hosts = -(-processes // inside)
        latency, bandwidth = self.link(same_host=True)
        within = 2 * (inside - 1) / inside * size / bandwidth + 2 * latency * math.ceil(math.log2(inside))
        between = 2 * (hosts - 1) / hosts * size / self.bandwidth + 2 * self.latency * math.ceil(math.log2(hosts))
        return within + between


@dataclass(frozen=True)
class _Device:
    flops: float
    memory_bandwidth: float
    memory: float
    link: str


@dataclass(frozen=True)
class _Link:
    bandwidth: float
    latency: float


DEVICES = {
    "K40": _Device(4.29e12, 288e9, 12e9, "PCIe 3"),
    "V100": _Device(15.7e12, 900e9, 32e9, "NVLink 2"),
    "A100": _Device(156e12, 1555e9, 40e9, "NVLink 3"),
    "H100": _Device(494e12, 3350e9, 80e9, "NVLink 4"),
}
"""Published: single precision, on the last two TF32, which torch's convolutions use there."""

LINKS = {
    "PCIe 3": _Link(15.75e9, 10e-6),
    "NVLink 2": _Link(150e9, 5e-6),
    "NVLink 3": _Link(300e9, 5e-6),
    "NVLink 4": _Link(450e9, 5e-6),
    "10 GbE": _Link(10e9 / 8, 50e-6),
    "56 GbE": _Link(56e9 / 8, 30e-6),
    "100 GbE": _Link(100e9 / 8, 30e-6),
    "InfiniBand FDR": _Link(56e9 / 8 * 64 / 66, 10e-6),
    "InfiniBand HDR": _Link(200e9 / 8, 10e-6),
    "InfiniBand NDR": _Link(400e9 / 8, 10e-6),
}
"""Published bandwidth in one direction; the latencies are assumed, those of messages as nets send them."""


def named(device: str, link: str | None = None, per_host: int = 1) -> Machine:
    """A machine of published figures.

    Args:
        device: one of `DEVICES`.
        link: between hosts, one of `LINKS`; the device's own if None.
        per_host: devices on one host, joined by the device's own link.

    Raises:
        RequestError: there is no such device or link.

    Example:
        >>> named("K40", "InfiniBand FDR", per_host=4).name
        'K40, InfiniBand FDR, 4 per host'
    """
    found, own = _of(DEVICES, device, "device"), None
    own = LINKS[found.link]
    between = own if link is None else _of(LINKS, link, "link")
    parts = [device, link or found.link, *([f"{per_host} per host"] if per_host > 1 else [])]
    return Machine(
        name=", ".join(parts),
        flops=found.flops * ATTAINED,
        bandwidth=between.bandwidth * ATTAINED_LINK,
        latency=between.latency,
        memory_bandwidth=found.memory_bandwidth * ATTAINED_LINK,
        memory=found.memory,
        per_host=per_host,
        host_bandwidth=own.bandwidth * ATTAINED_LINK,
        host_latency=own.latency,
    )


def machine_of(text: str) -> Machine:
    """The machine that a user names.

    Args:
        text: `V100`, `K40, InfiniBand FDR, 4 per host`, or `{flops: 4e12, bandwidth: 7e9, latency: 1e-5}`.

    Raises:
        RequestError: it is none of these.

    Example:
        >>> machine_of("{flops: 4e12, bandwidth: 7e9, latency: 1e-5}").flops
        4000000000000.0
    """
    if text.lstrip().startswith("{"):
        return yaml.validated(Machine, {"name": "given", **_values(text)})
    words = [word.strip() for word in text.split(",")]
    per_host = 1
    if words[-1].endswith(" per host") and words[-1].split()[0].isdecimal():
        per_host = max(1, int(words.pop().split()[0]))
    if len(words) > 2 or not words:
        rule = "must be a device, a device and a link, or {flops: ..., bandwidth: ..., latency: ...}"
        raise RequestError(Fault("--machine", rule, text))
    return named(words[0], words[1] if len(words) > 1 else None, per_host)


def _values(text: str) -> dict[str, Any]:
    """A mapping in one line, numbers such as 4e12 included, which YAML reads as text where they have no point."""
    found: Any = yaml.read_text(f"placement: {text}", "--machine").values["placement"]
    return {key: float(value) if _is_number(value) else value for key, value in found.items()}


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _of(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        hint = suggest(name, list(known)) or "there are " + ", ".join(["here", *known] if what == "device" else known)
        raise RequestError(Fault("--machine", f"unknown {what}", name, hint=hint))
    return known[name]
