"""Hub: what all viewers of a session watch, answered together in the frames in which it is due."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatSource
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.clock import Clock
from rillnet.runtime.control.command import Command
from rillnet.runtime.executor import Executor
from rillnet.runtime.observers.answers import Answers
from rillnet.runtime.observers.heaps import Heap
from rillnet.runtime.observers.kept import Histories
from rillnet.runtime.observers.lines import Lines
from rillnet.runtime.observers.query import Query, make_query
from rillnet.runtime.observers.reading import NOTHING, Reading
from rillnet.runtime.observers.reduction import Row
from rillnet.runtime.observers.schedule import Due, Schedule, Viewer, Watch
from rillnet.runtime.observers.together import gathered
from rillnet.runtime.observers.values import Value, Values
from rillnet.runtime.observers.view import View
from rillnet.runtime.placement.placed import Placement


class Running(Protocol):
    """What is watched: a session."""

    net: Net
    rollout: Rollout
    clock: Clock
    scalars: dict[str, Tensor]
    placement: Placement | None
    control: Any

    def look_ahead(self, wanted: Iterable[FlatSource]) -> Mapping[FlatSource, Tensor]:
        """What blocks will send in the next training frame."""

    @property
    def executor(self) -> Executor:
        """What runs its frames."""

    def __getitem__(self, address: str) -> Any:
        """What stands at an address."""


class Hub:
    """What all viewers of a session watch.

    In a frame in which something is due, what blocks send is kept while it is computed, or else computed once more;
    after the frame all of it is reduced together and told to the viewers. A session without viewers has no hub, and
    one whose viewers have gone is let alone by it.

    Args:
        session: what is watched.
        now: the time in seconds.

    Attributes:
        taps: what keeps values of a frame.
        lines: what the commands `watch` and `unwatch` show, as text.
        holds_frames: whether what the last frame was computed from is kept even if nobody watches.
    """

    def __init__(self, session: Running, now: Callable[[], float] = time.monotonic) -> None:
        self._session, self._now = session, now
        self._values = Values(session)
        self.taps = self._values.taps
        self._lock = threading.RLock()
        self._schedule = Schedule()
        self._views: list[View] = []
        self._histories = Histories()
        self._due: Due = {}
        self._asking: tuple[Due, list[str]] | None = None
        self._under_way: deque[tuple[Answers, Due, int]] = deque()
        self._is_called = False
        self._listens = False
        self._asked: Due | None = None  # of several processes, what all of them have been told to look at
        self._expected: list[str] | None = None
        self.holds_frames = False
        self.lines = Lines(self)

    # --- of viewers, from any thread ----------------------------------------------------------

    def view(self, queue: int = 8, on_ready: Callable[[], None] | None = None) -> View:
        """A view for one more viewer.

        Args:
            queue: so many answers are kept until they are read, each with all that was due in one frame.
            on_ready: called when there is something to read, in the thread that runs frames: it must be quick.
        """
        view = View(self, queue, on_ready)
        with self._lock:
            self._views.append(view)
            if not self._listens:
                self._listens = True
                self._session.control.listeners.append(self._on_event)
        return view

    def read(
        self,
        address: str | Sequence[str],
        reduction: str = "whole",
        *,
        stream: int | None = 0,
        timeout: float | None = 10.0,
        **settings: Any,
    ) -> Reading:
        """What stands at an address now, reduced; while frames run, after the next one.

        Args:
            address: where, or several.
            reduction: what is made of it.
            stream: which one of the batch; None for all.
            timeout: seconds to wait for it.
            **settings: of the reduction.

        Raises:
            RequestError: there is no such address, or nothing stands there yet.
        """
        with self.view() as view:
            view.watch(address, reduction, rate=0, stream=stream, **settings)
            if self._session.control.state == "idle":
                timeout = 0.0
            found = view.read(timeout)
        told = address if isinstance(address, str) else ", ".join(list(address)[:3])
        if not found:
            hint = "what blocks send, and gradients, are seen while frames run, or after the first that was watched"
            raise RequestError(Fault(told, "there is nothing to be read yet", hint=hint))
        if found[0].fault:
            raise RequestError(Fault(told, found[0].fault))
        return found[0]

    def query(
        self, address: str | Sequence[str], reduction: str, stream: int | None, settings: Mapping[str, Any]
    ) -> Query:
        """A question that can be answered.

        Raises:
            RequestError: an address, the reduction or a setting is unknown, or they do not go together.
        """
        with self._lock:
            subjects, net = self._values.subjects, self._session.net
            return make_query(address, reduction, stream, settings, subjects, net, self._whole_shape)

    def _whole_shape(self, address: str) -> tuple[int, ...] | None:
        """The shape of a parameter that several processes share, each of which may have nothing of it."""
        placement = self._session.placement
        held = None if placement is None else placement.holdings.get(address)
        return None if held is None else tuple(held.shape)

    def add(self, watch: Watch) -> None:
        """Takes in a watch; it is answered in the next frame, or at once where none runs."""
        with self._lock:
            self._schedule.add(watch, self._now())
        self._wake()

    def remove(self, watch: Watch) -> None:
        """Lets go of a watch."""
        with self._lock:
            self._schedule.remove(watch)

    def leave(self, view: View) -> None:
        """Lets go of a view."""
        with self._lock:
            if view in self._views:
                self._views.remove(view)

    @property
    def counts(self) -> dict[str, int]:
        """How many views and watches there are, and how many answers were dropped for slow viewers."""
        with self._lock:
            dropped = sum(view.dropped for view in self._views)
            return {"views": len(self._views), "watches": self._schedule.count, "dropped": dropped}

    def _wake(self) -> None:
        """Where no frame will soon come, has new watches answered from the last one."""
        control = self._session.control
        if control.state == "running" and control.speed is None:
            return
        with self._lock:
            if self._is_called:
                return
            self._is_called = True
        control.call(lambda session: self.refresh())

    # --- of the session, in the thread that runs frames ---------------------------------------

    def before(self) -> None:
        """A training frame is about to be computed."""
        executor = self._session.executor
        if not self._schedule.count and not self.holds_frames and self._expected is None:
            executor.taps, self.taps.frame = None, None
            return
        executor.taps = self.taps
        if self._due:
            return
        if self._session.placement is not None:
            self._before_together()
            return
        now = self._now()
        if now >= self._schedule.next_s:
            with self._lock:
                self._due = self._schedule.due(now)
            self._values.ask(self._addresses(self._due))

    def after(self) -> None:
        """A training frame is done."""
        if self._under_way:
            self._deliver(waits=False)
        if self._expected is not None and self.taps.is_done:
            self._answer_together(self._expected)
        elif self._due and self.taps.is_done and self._session.placement is None:
            due, self._due = self._due, {}
            self._answer_frame(due, None, waits=False)

    def seen(self, outputs: Mapping[str, Any], state: Mapping[str, Tensor], frame: int) -> None:
        """A frame was computed in which nothing was learned.

        Args:
            outputs: what blocks sent, by name.
            state: after it.
            frame: its number.
        """
        now = self._now()
        if not self._schedule.count or now < self._schedule.next_s or self._session.placement is not None:
            return
        with self._lock:
            due = self._schedule.due(now)
        self._values.ask(self._addresses(due), state)
        for name in self.taps.wanted:
            if name in outputs:
                self.taps.keep(name, outputs[name])
        self._answer_frame(due, state, waits=True, frame=frame)

    def refresh(self, stale: bool = False) -> None:
        """Answers what has been asked lately, from the last frame and with the parameters of now.

        Args:
            stale: whether to answer also what was not answered for the last frame.
        """
        with self._lock:
            self._is_called = False
            due = self._schedule.behind(self._session.clock.frame) if stale else self._schedule.new()
        if not due:
            return
        if self._session.placement is not None:
            self._request(due)
            return
        self._answer(due, self._values.look(_addresses(due)), waits=True)
        self._due = {}

    def now(self, queries: Iterable[Query]) -> dict[Query, Row]:
        """The answers to some questions, from the last frame and with the parameters of now.

        What blocks send is only there if `holds_frames` was set before that frame. Of several processes all call this,
        with the same questions, and the first one gets the answers.

        Args:
            queries: what is asked; what cannot be answered is left out.
        """
        due: Due = {query: [] for query in queries}
        values = self._values.look(_addresses(due))
        if self._session.placement is not None:
            values = self._whole(values)
        found, _ = self._values.found(due, values)
        answers = Answers(found)
        answers.wait()
        return answers.rows()

    def _on_event(self, event: Any) -> None:
        """Where frames are held, viewers shall see the last one."""
        if event.kind == "status" and self._schedule.count and self._session.control.state in ("paused", "idle"):
            self.refresh(stale=True)

    # --- in several processes -----------------------------------------------------------------

    def _before_together(self) -> None:
        """Has all processes look at what is due; they learn of it before the frame after this one."""
        if self._expected is not None:
            self._values.ask(self._expected)
            return
        now = self._now()
        if self._asked is None and now >= self._schedule.next_s:
            with self._lock:
                due = self._schedule.due(now)
            if due:
                self._request(due)

    def _request(self, due: Due) -> None:
        control = self._session.control
        if self._asked is None and control.state != "idle":  # else the other processes do not listen
            self._asked = due
            command = control.enqueue(Command("look", {"addresses": _addresses(due)}))
            command.add_done_callback(self._asked_in_vain)

    def _asked_in_vain(self, command: Future[Any]) -> None:
        if command.cancelled() or command.exception() is not None:
            self._asked = None

    def expect(self, addresses: Sequence[str]) -> None:
        """Has the values at some addresses brought together, after the next frame, or at once where frames are held.

        All processes call this between the same two frames.

        Args:
            addresses: what some viewer of the first process is to be told.
        """
        self._expected = list(addresses)
        if self._session.control.state != "running":
            self._values.ask(self._expected)
            self._answer_together(self._expected)

    def _answer_together(self, addresses: Sequence[str]) -> None:
        due, self._asked, self._expected = self._asked or {}, None, None
        values = self._whole(self._values.read(addresses))
        self._values.let_go()
        if due:
            self._answer(due, values, waits=False)

    def _whole(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Whole tensors, of which this process has parts; all processes have values at the same addresses."""
        placement = self._session.placement
        assert placement is not None
        tensors = {address: value for address, value in values.items() if isinstance(value, Tensor)}
        known = [subject for subject in self._values.found_subjects(values).values() if subject is not None]
        brought = gathered(placement, known, tensors, self._session.executor.streams or 1)
        return {address: brought.get(address, None if isinstance(v, Tensor) else v) for address, v in values.items()}

    # --- asking and answering -----------------------------------------------------------------

    def _addresses(self, due: Due) -> list[str]:
        """The addresses of what is due; the same list as long as the same is due."""
        if self._asking is None or self._asking[0] is not due:
            self._asking = due, _addresses(due)
        return self._asking[1]

    def _answer_frame(
        self, due: Due, state: Mapping[str, Tensor] | None, *, waits: bool, frame: int | None = None
    ) -> None:
        """Reads what is due of a frame that was asked for it, reduces it and sends it on its way."""
        addresses = self._addresses(due)
        heaps, rest = self._values.heaps(due, addresses, state)
        if rest is not due:
            addresses = _addresses(rest)
        self._answer(due, self._values.read(addresses, state), heaps, rest, waits=waits, frame=frame)
        self._values.let_go()

    def _answer(
        self,
        due: Due,
        values: Mapping[str, Value],
        heaps: Sequence[Heap] = (),
        rest: Iterable[Query] | None = None,
        *,
        waits: bool,
        frame: int | None = None,
    ) -> None:
        """Reduces what is due and sends it on its way."""
        asked = due if rest is None else rest
        found, faults = self._values.found(asked, values)
        if len(found) < len(due) - sum(len(heap.queries) for heap in heaps):
            missing = [watch for query in asked if query not in found for watch in due[query]]
            with self._lock:
                self._schedule.missed(missing, self._now())
        answers = Answers(found, heaps)
        answers.faults.update(faults)
        self._under_way.append((answers, due, self._session.clock.frame if frame is None else frame))
        self._deliver(waits=waits)

    # --- telling ------------------------------------------------------------------------------

    def _deliver(self, *, waits: bool) -> None:
        """Tells viewers what has arrived."""
        while self._under_way:
            answers, due, frame = self._under_way[0]
            if waits:
                answers.wait()
            if not answers.is_here():
                return
            self._under_way.popleft()
            self._tell(answers, due, frame)

    def _tell(self, answers: Answers, due: Due, frame: int) -> None:
        letters: dict[Viewer, list[tuple[Watch, Reading]]] = {}
        told: list[Watch] = []
        for query, (data, low, high) in answers.rows().items():
            kept = self._histories.of(query) if query.reduction.is_kept else None
            if kept is not None:
                kept.add(frame, data)
                data = _with_frame(frame, data)
            for watch in due[query]:
                shown = kept.table() if kept is not None and watch.frame < 0 else data
                letters.setdefault(watch.view, []).append((watch, Reading(watch.number, frame, shown, low, high)))
                told.append(watch)
        for query, fault in answers.faults.items():
            for watch in due[query]:
                letters.setdefault(watch.view, []).append((watch, Reading(watch.number, frame, NOTHING, fault=fault)))
        over = [watch for query in answers.faults for watch in due[query]]
        with self._lock:
            self._schedule.told(told, frame)
            for watch in over:
                self._schedule.remove(watch)
        now = self._now()
        for view, readings in letters.items():
            view.put(readings, now)


def _with_frame(frame: int, data: Any) -> Any:
    """A row of a distribution, with its frame before it; [1, 1 + numbers]."""
    return torch.cat([torch.tensor([float(frame)]), torch.from_numpy(data)])[None].numpy()


def _addresses(queries: Iterable[Query]) -> list[str]:
    """All addresses that questions are about, each once."""
    return list(dict.fromkeys(address for query in queries for address in query.addresses))
