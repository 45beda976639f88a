"""What is asked of a running net: addresses, and what is to be made of them. Equal questions are answered once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from rillnet.errors import AddressError, Fault, RequestError, near_or_known
from rillnet.registry import check_arguments
from rillnet.runtime.observers.reduction import Reduction
from rillnet.runtime.observers.reductions import REDUCTIONS
from rillnet.runtime.observers.subjects import Subject, Subjects

MOST_ADDRESSES = 100_000
"""Of so many addresses at most one watch may be."""


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked. Equal questions are equal, and often looked up: their hash is worked out once.

    Args:
        addresses: one, or several whose answers are put together in one.
        reduction: what is made of what stands there.
        stream: which one of the batch is looked at, where there is one; all if None.
        is_list: whether the answer has a row for each address.
    """

    addresses: tuple[str, ...]
    reduction: Reduction
    stream: int | None = 0
    is_list: bool = False

    @functools.cached_property
    def _key(self) -> tuple[Any, ...]:
        return self.addresses, type(self.reduction), self.reduction, self.stream, self.is_list

    @functools.cached_property
    def _hash(self) -> int:
        return hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Query) and self._key == other._key)


def make_query(
    address: str | Sequence[str],
    reduction: str,
    stream: int | None,
    settings: Mapping[str, Any],
    subjects: Subjects,
    net: nn.Module,
    whole: Callable[[str], tuple[int, ...] | None] = lambda address: None,
) -> Query:
    """A question that can be answered.

    Args:
        address: one, or several.
        reduction: its name.
        stream: which one of the batch; all if None.
        settings: of the reduction.
        subjects: finds what stands behind addresses.
        net: the net.
        whole: the shape of a parameter of which this process has a part, or nothing; None where it has all of it.

    Raises:
        RequestError: an address, the reduction or a setting is unknown, or they do not go together; with all faults.
    """
    is_list = not isinstance(address, str)
    addresses = (address,) if isinstance(address, str) else tuple(address)
    if not addresses or len(addresses) > MOST_ADDRESSES:
        raise RequestError(Fault("address", f"must be one address, or at most {MOST_ADDRESSES:,}", len(addresses)))
    if stream is not None and (not isinstance(stream, int) or isinstance(stream, bool) or stream < 0):
        raise RequestError(Fault("stream", "must be a whole number, at least 0, or null for all", stream))
    made = make_reduction(reduction, settings)
    faults: list[Fault] = []
    found: list[Subject] = []
    for one in addresses:
        try:
            found.append(subjects.find(one))
        except RequestError as error:
            faults += error.faults
    if stream is None and any(subject.signature is not None and subject.signature.batched for subject in found):
        made = made.of_streams()
    for subject in found:
        shared = whole(subject.parameter) if subject.kind in ("tensor", "gradient") else None
        shape = shared or subject.shape(net, stream)
        rule = made.rule(shape) if shape is not None else ""
        faults += [Fault(subject.address, rule)] if rule else []
    if is_list and not made.mixes_shapes:
        faults.append(Fault("reduction", "takes one address at a time", reduction, hint="scalar takes several"))
    if faults:
        raise (AddressError if len(found) < len(addresses) else RequestError)(faults)
    return Query(addresses, made, stream, is_list)


def make_reduction(name: str, settings: Mapping[str, Any]) -> Reduction:
    """A reduction by its name.

    Args:
        name: one of `REDUCTIONS`; import paths are not followed, as anybody with a socket may ask.
        settings: its own.

    Raises:
        RequestError: there is none of that name, or it does not take these settings.
    """
    if name not in REDUCTIONS:
        raise RequestError(Fault("reduction", "unknown reduction", name, hint=near_or_known(str(name), REDUCTIONS)))
    faults = check_arguments(REDUCTIONS.find(name), settings, name)
    if faults:
        raise RequestError(faults)
    return _made(name, tuple((key, _plain(value)) for key, value in sorted(settings.items())))


@functools.lru_cache(maxsize=4096)
def _made(name: str, settings: tuple[tuple[str, Any], ...]) -> Reduction:
    """Equal reductions are one object."""
    return REDUCTIONS.find(name)(**dict(settings))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
