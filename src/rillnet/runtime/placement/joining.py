"""Joining the processes of a run, and leaving them: under torchrun, or under `rillnet run --processes`."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from rillnet.errors import Fault, RequestError, RunError

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_GET_ADDRESS = 0x8915  # SIOCGIFADDR of Linux
_LOCAL = ("127.0.0.1", "localhost", "::1")
_TAKEN = "EADDRINUSE"  # of a port, in torch's words


_ALIKE = {
    "document": "start all of them with the same document and the same --set",
    "code of rillnet": "install the same rillnet on every machine",
    "version of torch": "install the same torch on every machine",
}
"""What must be the same in all processes, and what to do where it is not."""


class LostContactError(RunError):
    """Another process of the run has gone, or has not come in time."""

    exit_code = 75  # a supervisor starts such a run again


def is_launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process was started as one of several: torchrun and `rillnet run --processes` say so."""
    return all(environment.get(name) for name in _NEEDED)


def joined_count() -> int:
    """How many processes have joined; 1 where this one is alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first_says(answer: bool) -> bool:
    """What the first process answers; this one, where it is alone."""
    if joined_count() == 1:
        return answer
    said = torch.tensor(answer)
    dist.broadcast(said, 0)
    return bool(said)


@contextlib.contextmanager
def joining(timeout: float = 60.0, digest: str = "") -> Iterator[None]:
    """Joins the other processes, and leaves them afterwards.

    Args:
        timeout: seconds after which a process that waits for another gives up.
        digest: of what must be the same in all of them, as the document.

    Raises:
        RequestError: another process has another document or another version of the code, or the port is taken.
        LostContactError: the others cannot be reached.
    """
    if sys.platform == "linux" and "GLOO_SOCKET_IFNAME" not in os.environ:
        interface = interface_to(os.environ["MASTER_ADDR"])
        if interface is not None:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=timeout))
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        if _TAKEN in str(error):
            hint = "choose another: --master-port of torchrun, or MASTER_PORT"
            raise RequestError(Fault("placement", f"another program listens at {where}", hint=hint)) from error
        first = str(error).splitlines()[0]
        raise LostContactError(f"process {os.environ['RANK']} cannot join the others at {where}: {first}") from error
    try:
        check_alike({"document": digest, "code of rillnet": code_digest(), "version of torch": torch.__version__})
        yield
    finally:
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


def group_of(ranks: Sequence[int] | None = None) -> Any:
    """A group of processes that waits no longer for one of them than all do; torch would wait for half an hour.

    Args:
        ranks: which processes; None is all. Every process must ask for it, in the same order.
    """
    everyone: Any = dist.group.WORLD
    options = getattr(everyone._get_backend(torch.device("cpu")), "options", None)
    return dist.new_group(None if ranks is None else list(ranks), timeout=getattr(options, "_timeout", None))


def interface_to(host: str) -> str | None:
    """The network interface over which a host is reached; gloo would take that of this machine's own name.

    Args:
        host: its name or address.

    Returns:
        The name, as `ip link` shows it; None where it cannot be told.

    Example:
        >>> interface_to("127.0.0.1")
        'lo'
    """
    if host in _LOCAL:
        return "lo"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((host, 9))  # sends nothing: the system chooses the way, and the address to go from
            own = socket.inet_aton(asking.getsockname()[0])
            for _, name in socket.if_nameindex():
                request = struct.pack("256s", name.encode()[:15])
                with contextlib.suppress(OSError):  # one without an address
                    if fcntl.ioctl(asking.fileno(), _GET_ADDRESS, request)[20:24] == own:
                        return name
    except OSError:
        return None
    return None


def check_alike(own: Mapping[str, str]) -> None:
    """Compares what must be the same in all processes.

    Args:
        own: what it is called, and what it is here.

    Raises:
        RequestError: it is not; names the processes and their machines.
    """
    store: Any = dist.distributed_c10d._get_default_store()
    rank = dist.get_rank()
    store.set(f"alike/{rank}", json.dumps({"host": socket.gethostname(), **own}))
    said = [json.loads(store.get(f"alike/{other}")) for other in range(dist.get_world_size())]
    faults = []
    for name in own:
        for other, one in enumerate(said):
            if one[name] != said[0][name]:
                rule = f"the {name} is another in process {other} on {one['host']} than in process 0 on"
                where = f"{rule} {said[0]['host']}"
                faults.append(Fault("placement", where, str(one[name])[:12], hint=_ALIKE.get(name, "")))
                break
    if faults:
        raise RequestError(faults)


def code_digest() -> str:
    """Of all source files of this package: two machines with the same digest run the same code."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(str(path.relative_to(root)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def is_lost_contact(error: BaseException) -> bool:
    """Whether an error says that another process has gone, or has not come."""
    text = str(error).lower()
    told = ("connection closed by peer", "connection reset", "timed out", "gloo", "broken pipe")
    return isinstance(error, dist.DistBackendError | dist.DistNetworkError | dist.DistStoreError) or (
        isinstance(error, RuntimeError) and any(word in text for word in told)
    )


# --- under a supervisor ---------------------------------------------------------------------------

LIFELINE = "RILLNET_LIFELINE"
"""Number of a pipe that a supervisor holds open as long as it lives."""

REPORT = "RILLNET_REPORT"
"""Number of a pipe in which the first process tells its supervisor of the run directory."""


def end_with_supervisor() -> None:
    """Ends this process when the one that supervises it is gone, whatever it is doing then."""
    number = os.environ.get(LIFELINE)
    if number is None:
        return

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(int(number), 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def is_supervised() -> bool:
    """Whether another process looks after this one."""
    return LIFELINE in os.environ


def report_run(path: Path) -> None:
    """Tells the supervisor, if there is one, where the run is."""
    number = os.environ.get(REPORT)
    if number is not None:
        with contextlib.suppress(OSError):
            os.write(int(number), f"{path}\n".encode())
