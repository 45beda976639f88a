"""What stands at watched addresses: asked for before a frame, read after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from rillnet.errors import RequestError
from rillnet.model.flat import FlatSource
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.clock import Clock
from rillnet.runtime.executor import Executor
from rillnet.runtime.grouping.state import GroupedState
from rillnet.runtime.observers.heaps import Heap, Heaps
from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.subjects import Subject, Subjects, as_tensor
from rillnet.runtime.observers.taps import Frame, Taps

Value = Tensor | str | None
"""What stands at an address; None if it is not there yet, and why if it never will be."""


class Addressed(Protocol):
    """What is watched: a session."""

    net: Net
    rollout: Rollout
    clock: Clock
    scalars: dict[str, Tensor]
    control: Any

    def look_ahead(self, wanted: Iterable[FlatSource]) -> Mapping[FlatSource, Tensor]:
        """What blocks will send in the next training frame."""

    @property
    def executor(self) -> Executor:
        """What runs its frames."""

    def __getitem__(self, address: str) -> Any:
        """What stands at an address."""


class Values:
    """What stands at the addresses of a session.

    Args:
        session: whose.

    Attributes:
        taps: what keeps values of a frame.
    """

    def __init__(self, session: Addressed) -> None:
        self._session = session
        self.taps = Taps()
        self._subjects: Subjects | None = None
        self._found: tuple[object, Subjects, dict[str, Subject | None]] | None = None
        self._heaps: tuple[object, Subjects, Heaps] | None = None

    @property
    def subjects(self) -> Subjects:
        """Finds what stands behind addresses of the net as it is now."""
        if self._subjects is None or self._subjects.rollout is not self._session.rollout:
            self._subjects = Subjects(self._session.rollout)
        return self._subjects

    def found_subjects(self, addresses: Iterable[str]) -> dict[str, Subject | None]:
        """What stands behind some addresses; None if the net has changed and nothing does any more.

        Args:
            addresses: which; an object that was given last is not gone through again, so it must not change.
        """
        subjects, known = self.subjects, self._found
        if known is not None and known[0] is addresses and known[1] is subjects:
            return known[2]
        found: dict[str, Subject | None] = {}
        for address in addresses:
            try:
                found[address] = subjects.find(address)
            except RequestError:
                found[address] = None
        self._found = addresses, subjects, found
        return found

    def heaps(
        self, queries: Mapping[Query, object], addresses: Sequence[str], state: Mapping[str, Tensor] | None = None
    ) -> tuple[Sequence[Heap], Iterable[Query]]:
        """Of what is asked, what can be taken out of the state many blocks at once; and what is left to be read.

        Args:
            queries: what is asked; an object that was given last is not gone through again, so it must not change.
            addresses: theirs.
            state: after the frame; that of the executor if None.
        """
        state = self._session.executor.state if state is None else state
        if not isinstance(state, GroupedState):
            return (), queries
        known = self._heaps
        is_known = known is not None and known[0] is queries and known[1] is self.subjects
        if known is None or not is_known or known[2].layout is not state.layout:
            known = self._heaps = queries, self.subjects, Heaps(queries, self.found_subjects(addresses), state)
        return known[2](state, self.taps.values)

    def ask(self, addresses: Iterable[str], state: Mapping[str, Tensor] | None = None) -> list[FlatSource]:
        """Has what stands at some addresses kept in the next frame.

        Args:
            addresses: which.
            state: after that frame, if it is known already; what it has needs not be kept.

        Returns:
            What is kept of what blocks send.
        """
        executor = self._session.executor
        state = executor.state if state is None else state
        sources: dict[FlatSource, None] = {}
        gradients: list[str] = []
        for subject in self.found_subjects(addresses).values():
            if subject is None:
                continue
            if subject.kind == "gradient":
                gradients.append(subject.parameter)
            elif subject.source is not None and (state is None or subject.key not in state):
                sources[subject.source] = None
        self.taps.ask(sources, gradients, self.subjects.flat)
        if gradients:
            for optimizer in _optimizers(executor):
                optimizer.watched = self.taps.see_gradients
        return list(sources)

    def look(self, addresses: Iterable[str]) -> dict[str, Value]:
        """What stands at some addresses between two frames, from the last frame and with the parameters of now.

        Args:
            addresses: which.
        """
        wanted, frame = list(addresses), self._last_frame()
        sources = self.ask(wanted)
        if sources and frame is not None:
            self.taps.values.update(self._session.executor.look_again(sources, frame))
        elif sources and self._session.control.state == "paused":  # the last frame is not known any more
            self.taps.values.update(self._session.look_ahead(sources))
        found = self.read(wanted)
        self.let_go()
        return found

    def _last_frame(self) -> Frame | None:
        """What the newest frame was computed from; nothing where the session has gone back since."""
        frame, window = self.taps.frame, self._session.executor.window
        longest = 1 if window is None else window.frames + window.every
        age = None if frame is None else self._session.clock.step - frame.step
        return frame if age is not None and 0 < age <= longest else None

    def let_go(self) -> None:
        """Lets go of what was asked for and kept."""
        if self.taps.wants_gradients:
            for optimizer in _optimizers(self._session.executor):
                optimizer.watched = None
        self.taps.forget()

    def read(self, addresses: Iterable[str], state: Mapping[str, Tensor] | None = None) -> dict[str, Value]:
        """What stands at some addresses after a frame, of all streams.

        Args:
            addresses: which.
            state: after the frame; that of the executor if None.
        """
        state = self._session.executor.state if state is None else state
        found: dict[str, Value] = {}
        for address, subject in self.found_subjects(addresses).items():
            found[address] = "is not there any more" if subject is None else self._value(subject, state)
        return found

    def _value(self, subject: Subject, state: Mapping[str, Tensor] | None) -> Value:
        if subject.kind == "tensor":
            found = subject.tensor(self._session.net)
            return "is not there any more" if found is None else found.detach()
        if subject.kind == "gradient":
            return self.taps.gradients.get(subject.parameter)
        if subject.kind == "number":
            return self._number(subject.address)
        assert subject.source is not None
        if self.taps.values and subject.source in self.taps.values:
            return self.taps.values[subject.source]
        return None if state is None else state.get(subject.key)

    def _number(self, address: str) -> Value:
        head, _, name = address.partition("/")
        if head == "scalars":
            scalar = self._session.scalars.get(name)
            return None if scalar is None else scalar.detach()
        try:
            value = self._session[address]
        except RequestError:
            return None
        found = as_tensor(value)
        return "is no number; get reads it" if found is None else found

    def found(
        self, queries: Iterable[Query], values: Mapping[str, Value]
    ) -> tuple[dict[Query, list[Tensor]], dict[Query, str]]:
        """For each question the tensors that it is about, or why there are none; neither where they come later.

        Args:
            queries: the questions.
            values: what stands at their addresses.
        """
        found: dict[Query, list[Tensor]] = {}
        faults: dict[Query, str] = {}
        find = self.subjects.find
        for query in queries:
            tensors: list[Tensor] = []
            for address in query.addresses:
                value = values.get(address)
                if isinstance(value, Tensor):
                    looked_at = find(address).looked_at(value, query.stream)
                    value = "there are not so many streams" if looked_at is None else looked_at
                if isinstance(value, str):
                    faults[query] = f"{address}: {value}"
                elif value is not None:
                    tensors.append(value)
            if len(tensors) == len(query.addresses):
                found[query] = tensors
        return found, faults


def _optimizers(executor: Executor) -> list[Any]:
    """What changes parameters by gradients, and can show them."""
    found = [getattr(rule, "optimizer", None) for rule in executor.rules.values()]
    return [optimizer for optimizer in found if hasattr(optimizer, "watched")]
