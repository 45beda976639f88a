"""What a document has recorded of a run besides metrics, each when its trigger is due."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.runtime.control import addresses
from rillnet.runtime.jsonlines import JsonLines
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.view import View
from rillnet.runtime.session import Session
from rillnet.training.extensions import Extension

FILE = "observed.jsonl"
"""What is written into the run directory: a row for each address each time."""

_MOST = 100_000
_NOT_IN_NAMES = re.compile(r"[^\w.\[\]-]+")


class Observer(Extension):
    """Base of observers: records what is made of what stands at some addresses.

    What blocks send is that of the newest frame, computed once more with the parameters of now; a gradient is that of
    the frame after. Observing changes nothing.

    Args:
        of: an address, or a glob: `net/*/weight`, `net/**/output`, `net/conv1/weight/gradient`.
        every: how often.
        stream: which one of the batch is looked at, where there is one; all if None.
    """

    reduction: ClassVar[str]
    """What is made of each, by name."""

    def __init__(self, of: str, every: str, stream: int | None = None) -> None:
        super().__init__(f"{type(self).__name__} of {of}", every)
        self.of, self.stream = of, stream
        self._queries: dict[Query, str] = {}
        self._awaited: list[str] = []
        self._view: View | None = None
        self._lines: JsonLines | None = None

    def settings(self) -> dict[str, Any]:
        """Of the reduction."""
        return {}

    @abstractmethod
    def told(self, data: NDArray[Any], low: float, high: float, picture: Path) -> Mapping[str, Any]:
        """What is recorded of one address.

        Args:
            data: what the reduction made.
            low: what the least of the data stands for.
            high: what the largest stands for.
            picture: where a picture of the address may be written.
        """

    def begin(self, session: Session) -> None:
        """Finds what is observed; drops what was recorded after the step that a run goes on from.

        Raises:
            RequestError: nothing stands at such an address, or none of it can be observed.
        """
        found = addresses.names(session, self.of, _MOST)
        if not found:
            hint = suggest(self.of, addresses.names(session, "net/**", _MOST))
            raise RequestError(Fault("observe", "matches no address", self.of, hint=hint))
        self._queries, self._awaited = {}, [address for address in found if address.endswith("/gradient")]
        faults: list[Fault] = []
        for address in found:
            try:
                query = session.views.query(address, self.reduction, self.stream, self.settings())
            except RequestError as error:
                faults += error.faults
            else:
                self._queries[query] = address
        if not self._queries:
            raise RequestError([Fault(f"observe: {one.address}", one.rule) for one in faults])
        session.views.holds_frames |= any(address.rpartition("/")[2].startswith("output") for address in found)
        if self._awaited:
            self._view = session.views.view(queue=2)
        if session.record is not None:
            self._lines = JsonLines(session.record.directory.path / FILE)
            self._lines.keep(lambda row: row.get("step", 0) <= session.clock.step)

    def __call__(self, session: Session) -> None:
        """Records what stands there now, and asks for what comes with the next frame."""
        for query, (data, low, high) in session.views.now(self._queries).items():
            self._record(session, self._queries[query], data, low, high)
        if self._view is not None:
            for number, address in enumerate(self._awaited):
                self._view.watch(address, self.reduction, rate=0, stream=self.stream, id=number, **self.settings())

    def observe(self, session: Session, scalars: Mapping[str, Tensor]) -> None:
        """Records what had to wait for a frame."""
        if self._view is not None and self._view.watches:
            for reading in self._view.read():
                self._view.unwatch(reading.watch)
                self._record(session, self._awaited[reading.watch], reading.data, reading.low, reading.high)

    def _record(self, session: Session, address: str, data: NDArray[Any], low: float, high: float) -> None:
        if self._lines is None or session.record is None:
            return
        clock = session.clock
        where = {"step": clock.step, "epoch": clock.epoch, "frame": clock.frame}
        name = _NOT_IN_NAMES.sub("-", address.removeprefix("net/"))
        told = self.told(data, low, high, session.record.directory.path / f"{name}.png")
        self._lines.append({**where, "observer": type(self).__name__, "address": address, **told})

    def finish(self, session: Session) -> None:
        """Acts at the end of the run, where its trigger says so, and lets go of the session."""
        super().finish(session)
        if self._view is not None:
            self._view.close()
            self._view = None
