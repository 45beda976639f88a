"""A value of a session, looked at once."""

from __future__ import annotations

from rillnet.errors import Fault, RequestError
from rillnet.serving.rest.faults import shown
from rillnet.serving.rest.local import PATIENCE_S, LocalSession
from rillnet.serving.rest.records import ValueRecord

LARGEST_VALUE = 1_000_000
"""So many numbers of a value are told as JSON; of more, a reduction of it."""


def read_once(local: LocalSession, address: str, reduction: str, stream: int | None = 0) -> ValueRecord:
    """What stands at an address, reduced.

    Args:
        local: the session.
        address: where.
        reduction: what is made of it.
        stream: which one of the batch; None is all.

    Raises:
        RequestError: there is no such address or reduction, it is too large, or nothing stands there yet.
    """
    local.await_ready()
    reading = local.views.read(address, reduction, stream=stream, timeout=PATIENCE_S)
    if reading.data.size > LARGEST_VALUE:
        rule = f"has {reading.data.size:,} numbers; at most {LARGEST_VALUE:,} are told at once"
        raise RequestError(Fault(address, rule, hint="ask for a reduction: thumbnail, histogram, percentiles"))
    return ValueRecord(
        address=address,
        reduction=reduction,
        frame=reading.frame,
        shape=list(reading.data.shape),
        low=shown(float(reading.low)),
        high=shown(float(reading.high)),
        value=shown(reading.data.tolist()),
    )
