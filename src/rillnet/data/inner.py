"""Sources that are made of other sources: records of these, checked with the outer one and opened when needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rillnet.data.source import Source
from rillnet.errors import Fault, RequestError
from rillnet.registry import Family, signature_of
from rillnet.spec import TypedSpec


class InnerSource:
    """A source that another one is made of.

    Args:
        given: its name, a record as a document writes it, or a source itself.
        address: where it stands within the outer source, `of`.
        sources: the family that it is a member of; None where it is not known yet.
        base: the folder that relative paths are relative to.
        workers: processes that decode files.

    Raises:
        RequestError: holding every fault of the record; its address begins with the one given.
    """

    def __init__(
        self, given: Any, address: str, sources: Family[Source] | None, base: Path | None = None, workers: int = 0
    ) -> None:
        self._address, self._sources = address, sources
        self._supplied = {"base": base, "workers": workers, "sources": sources}
        self._source: Source | None = None
        self._record: TypedSpec | None = None
        if not isinstance(given, str | Mapping):
            self._source = given
            return
        if isinstance(given, Mapping) and not isinstance(given.get("type"), str):
            raise RequestError(Fault(f"{address}.type", "is required"))
        self._record = TypedSpec.model_validate(given)
        if sources is not None:
            faults = sources.check(self._record, address, omit=tuple(self._supplied))
            if faults:
                raise RequestError(faults)
            self._source = self._build(sources, self._record)

    def open(self) -> Source:
        """The source.

        Raises:
            RequestError: the family of sources was not given.
        """
        if self._source is None:
            if self._sources is None or self._record is None:
                rule = "needs the family of sources: open it through open_data"
                raise RequestError(Fault(f"data.source.{self._address}", rule))
            self._source = self._build(self._sources, self._record)
        return self._source

    def _build(self, sources: Family[Source], record: TypedSpec) -> Source:
        taken = signature_of(sources.find(record.type))
        supplied = {name: value for name, value in self._supplied.items() if name in taken}
        try:
            return sources.build(record, **supplied)
        except RequestError as error:
            raise RequestError([_below(self._address, fault) for fault in error.faults]) from error


def _below(address: str, fault: Fault) -> Fault:
    return replace(fault, address=f"{address}.{fault.address}" if fault.address else address)
