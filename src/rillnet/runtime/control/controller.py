"""Controller: takes commands from any thread and applies them between two frames, in the thread that runs them."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

from rillnet.errors import CommandFailedError, FrameError, RequestError, RillnetError, RunError
from rillnet.runtime.control import addresses, grammar
from rillnet.runtime.control.applying import Applier, text_of
from rillnet.runtime.control.command import Command, find
from rillnet.runtime.control.commands import COMMANDS
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.history import Entry, Event
from rillnet.runtime.control.pace import Pace
from rillnet.runtime.control.requests import Request, Requests
from rillnet.runtime.control.settings import Settings
from rillnet.runtime.control.standing import restore, standing
from rillnet.runtime.control.unproven import Unproven
from rillnet.runtime.journal import Entry as Line
from rillnet.runtime.journal import Journal

logger = logging.getLogger("rillnet")

T = TypeVar("T")
State = Literal["idle", "running", "paused", "stopping"]
Listener = Callable[[Event], None]

__all__ = ["COMMANDS", "Controller", "Listener", "State"]

_LOOK_S = 0.1  # seconds between two looks whether a signal came, while paused
_TOGETHER_S = 1.0  # the same where several processes have to be told


class Controller:
    """What a session is commanded by.

    Args:
        session: what commands act on.

    Attributes:
        awaits: whether `between_frames` has something to do; reading it is all that a frame costs where it has not.
        listeners: called with every `Event`, in the thread that applies commands; they must be quick.
        pace: paused or not, and how fast.
        settings: which settings of blocks and data were changed.
        unproven: whether a frame that fails may do so for what was commanded.
    """

    def __init__(self, session: Controlled) -> None:
        self._session = session
        self._applier = Applier(session)
        self.settings = Settings(functools.partial(addresses.place, session))
        self.awaits = False
        self.listeners: list[Listener] = []
        self.pace = Pace()
        self.unproven = Unproven()
        self._requests = Requests()
        self._applying = threading.RLock()  # held where no run is, while a command is applied at once
        self._runner: int | None = None
        self._is_stopping = False
        self._steps: list[tuple[Future[Any], Entry]] = []  # `step` commands that wait for their frames
        self._scheduled: list[tuple[int, int, Command]] = []  # frame, number, what; the next one last

    # --- from any thread ----------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Whether frames are running, held, about to end, or nothing runs."""
        if self._runner is None:
            return "idle"
        if self._is_stopping:
            return "stopping"
        return "paused" if self.pace.is_paused else "running"

    @property
    def speed(self) -> float | None:
        """Frames per second at most; None for as many as there can be."""
        return self.pace.speed

    @property
    def held(self) -> str:
        """Why the run is held, where a frame has failed; else nothing."""
        return self.unproven.held

    @property
    def history(self) -> list[Entry]:
        """Every command that was put on record, oldest first."""
        return self._applier.history

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller is the thread that runs frames."""
        return self._runner == threading.get_ident()

    def submit(self, command: Command | str, origin: str = "python") -> Future[Entry]:
        """Has a command applied between two frames; at once where nothing runs, or from the thread that runs.

        Args:
            command: it, or its text.
            origin: who asks, for the journal.

        Returns:
            Becomes the history's entry, which has the result; or the error of a command that is refused.
        """
        if isinstance(command, str):
            try:
                command = grammar.parse(command)
            except RequestError as error:
                refused: Future[Entry] = Future()
                refused.set_exception(error)
                return refused
        return self._submit(Request(command, origin))

    def call(self, function: Callable[[Any], T]) -> Future[T]:
        """Has a function of the session called between two frames; it changes nothing and is not noted.

        Args:
            function: takes the session; of several processes it is called in this one alone.
        """
        return self._submit(Request(function, ""))

    def enqueue(self, command: Command, origin: str = "") -> Future[Entry]:
        """Has a command applied before a later frame, in all processes of the run, whichever thread asks.

        Args:
            command: it.
            origin: who asks.
        """
        request = Request(command, origin)
        self._requests.add(request)
        return request.future

    def _submit(self, request: Request) -> Future[Any]:
        if not self._queued(request):
            with self._applying:
                if not self._queued(request):  # a run may have begun meanwhile
                    self._answer(request)
        return request.future

    def _queued(self, request: Request) -> bool:
        with self._requests.changed:
            if self._runner is None or self.is_own_thread:
                return False
            request.is_waited_for = True
            if isinstance(request.asked, Command):
                self.unproven.is_attended = True
            if self._session.placement is None:  # else all processes begin to look in the same frame
                self.awaits = True
            self._requests.add(request)
            return True

    # --- from the thread that runs frames -----------------------------------------------------

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Within it commands wait for `between_frames`.

        Raises:
            RequestError: the session runs already.
        """
        with self._applying, self._requests.changed:
            if self._runner is not None:
                raise RequestError("the session is running already; commands change it while it does")
            self._runner, self._is_stopping = threading.get_ident(), False
            self.unproven.is_attended = False
            self.awaits = True
        self.tell(Event("status"))
        failed = True
        try:
            yield
            failed = False
        finally:
            self._end(failed)

    def _end(self, failed: bool) -> None:
        with self._applying:
            with self._requests.changed:
                self._runner, self.awaits, self._is_stopping = None, False, False
                left = self._requests.take()
            self._answer_steps()
            for request in left:
                if failed or self._session.placement is not None:
                    request.future.set_exception(RunError("the run ended before the command could be applied"))
                else:
                    self._answer(request)
        self.tell(Event("status"))

    def between_frames(self, is_interrupted: Callable[[], bool] = lambda: False) -> bool:
        """Applies what waits, and holds the run while it is paused or too fast.

        Args:
            is_interrupted: whether a signal has asked for the end.

        Returns:
            Whether the run is to end here.
        """
        self.apply_scheduled()
        is_alone = self._session.placement is None
        if is_alone and self._is_snapshot_due:
            self._session.take_snapshot()
        ends = self._rest_alone(is_interrupted) if is_alone else self._rest(is_interrupted)
        self.pace.go_on()
        with self._requests.changed:  # several processes ask each other in every step, and look here when one wants to
            waits = is_alone and (bool(self._requests) or self._session.snapshots is not None)
            self.awaits = waits or bool(self._scheduled) or self.pace.is_limited
        return ends

    @property
    def _is_snapshot_due(self) -> bool:
        """Whether it is time to keep the state of now; of several processes the first one says so."""
        placement, snapshots = self._session.placement, self._session.snapshots
        is_asked = placement is None or placement.processes.is_first
        return is_asked and snapshots is not None and snapshots.is_due

    def _rest_alone(self, is_interrupted: Callable[[], bool]) -> bool:
        while True:
            for request in self._requests.take():
                self._answer(request)
            if self._is_stopping or is_interrupted():
                return True
            rest_s = self._rest_s()
            if rest_s <= 0:
                return False
            self._requests.wait(min(rest_s, _LOOK_S))

    def _rest(self, is_interrupted: Callable[[], bool]) -> bool:
        """The same in several processes: they all do what the first one is asked, and rest as long as it does."""
        assert self._session.placement is not None
        processes = self._session.placement.processes
        if self._gathers:
            return False
        keeps = self._is_snapshot_due
        while True:
            taken = self._requests.take()
            rest_s = self._rest_s()
            commands = [(one.asked.as_dict(), one.origin) for one in taken if isinstance(one.asked, Command)]
            own = {"ends": is_interrupted(), "rests": rest_s > 0, "commands": commands, "keeps": keeps}
            said, keeps = processes.everyone(own), False
            if said[0]["keeps"]:
                self._session.take_snapshot()
            if not processes.is_first:
                taken = [Request(Command(**one), origin) for one, origin in said[0]["commands"]]
            for request in taken:
                self._answer(request)
            if self._is_stopping or any(one["ends"] for one in said):
                return True
            if not (said[0]["commands"] or self.pace.is_paused or said[0]["rests"]):
                return False
            if processes.is_first:
                self._requests.wait(min(self._rest_s(), _TOGETHER_S))

    def _rest_s(self) -> float:
        was_paused = self.pace.is_paused
        rest_s = self.pace.rest_s(self._session.clock.frame)
        if self.pace.is_paused and not was_paused:
            self._answer_steps()
            self.tell(Event("status"))
        return rest_s

    def asked_to_end(self, is_interrupted: bool) -> bool:
        """Whether any process of the run has asked for its end, where all can stop: no gradients are half gathered.

        Args:
            is_interrupted: whether this one does.
        """
        placement = self._session.placement
        if placement is None:
            return is_interrupted
        waits = bool(self._requests) or self._is_snapshot_due
        most = placement.processes.most_asked(2 if is_interrupted else 1 if waits else 0)
        if self._gathers:
            return False
        if most == 1:
            self.awaits = True
        return most == 2

    @property
    def _gathers(self) -> bool:
        """Whether gradients are half gathered, so that several processes cannot stop here."""
        return any(getattr(rule, "pending", 0) for rule in self._session.rules.values())

    # --- applying -----------------------------------------------------------------------------

    def _answer(self, request: Request) -> None:
        """Applies a command or calls a function, and lets the one who waits know."""
        if not request.future.set_running_or_notify_cancel():
            return
        try:
            if not isinstance(request.asked, Command):
                request.future.set_result(request.asked(self._session))
                return
            if self._runner is not None:
                self._session.begin_snapshots()
            edits = len(self._session.net.edits)
            entry = self._applier.apply(request.asked, request.origin)
        except RillnetError as error:
            request.future.set_exception(error)
        except Exception as error:  # a fault of a command, or of what is called: who asked is told, and the run goes on
            if isinstance(request.asked, Command):
                found = CommandFailedError(f"{text_of(request.asked)}: {type(error).__name__}: {error}")
                found.__cause__ = error
                logger.error("a command failed: %s", found, exc_info=error)
                request.future.set_exception(found)
            else:
                request.future.set_exception(error)
        except BaseException as error:  # Ctrl-C and the like end the run; whoever waits for an answer must not wait on
            request.future.set_exception(RunError("the run ended before the command was done"))
            raise error
        else:
            if entry.number:
                self.tell(Event("entry", entry))
                if find(entry.command.name).lasting and self._session.placement is None:
                    self.unproven.note(is_edit=len(self._session.net.edits) != edits)
            if entry.command.name == "step" and self.pace.until is not None and request.is_waited_for:
                self._steps.append((request.future, entry))
            else:
                request.future.set_result(entry)

    def apply_scheduled(self) -> None:
        """Applies the commands whose frame has come."""
        while self._scheduled and self._scheduled[-1][0] <= self._session.clock.frame:
            _, number, command = self._scheduled.pop()
            try:
                entry = self._applier.apply_again(command, number)
            except RillnetError as error:
                self._session.say(f"{grammar.format(command)}: cannot be applied again: {error}")
            else:
                self.tell(Event("entry", entry))

    def _answer_steps(self, error: FrameError | None = None) -> None:
        waiting, self._steps = self._steps, []
        for future, entry in waiting:
            entry.result = self._session.clock.frame
            if error is None:
                future.set_result(entry)
            else:
                future.set_exception(error)

    def hold(self, error: FrameError) -> None:
        """Holds the run before a frame that has failed, where somebody commands it and can mend what fails.

        The newest command is taken back if no frame was done with it.

        Args:
            error: what went wrong.

        Raises:
            FrameError: the error, where nobody commands the run.
        """
        if not self.unproven.is_attended:
            raise error
        newest = self.unproven.newest(self.history, self._session.clock.frame)
        if newest is not None:
            self._answer(Request(Command("undo", {"number": newest.number}), "session"))
        told = self.unproven.hold(self._session, error, newest)
        self.pace.pause()
        self._answer_steps(told)
        self._pace_changed()

    # --- for commands -------------------------------------------------------------------------

    def play(self) -> None:
        """Lets frames run."""
        self.pace.play()
        self._answer_steps()
        self._pace_changed()

    def pause(self) -> None:
        """Holds the run before the next frame."""
        self.pace.pause()
        self._answer_steps()
        self._pace_changed()

    def step(self, frames: int) -> None:
        """Runs so many frames, then holds the run; where nothing runs, they are run here.

        Args:
            frames: how many.
        """
        if self._runner is None:
            for _ in range(frames):
                self._session.learn()
            return
        self.pace.step(self._session.clock.frame + frames)
        self._pace_changed()

    def set_speed(self, frames_per_second: float | None) -> None:
        """Limits how fast frames run.

        Args:
            frames_per_second: at most; None for no limit.
        """
        self.pace.set_speed(frames_per_second)
        self._pace_changed()

    def stop(self) -> None:
        """Ends the run before the next frame, saved; nothing where nothing runs."""
        if self._runner is not None:
            self._is_stopping = True
            self._pace_changed()

    def undo(self, number: int | None = None) -> Entry:
        """Undoes a command; see `Applier.undo`.

        Args:
            number: which; None is the newest that can be undone.
        """
        return self._applier.undo(number)

    def to_undo(self, number: int | None = None) -> Entry:
        """The command that `undo` would undo; see `Applier.to_undo`.

        Args:
            number: which; None is the newest that can be undone.
        """
        return self._applier.to_undo(number)

    # --- for checkpoints ----------------------------------------------------------------------

    def note(self, journal: Journal) -> None:
        """Writes down what was done before there was a journal.

        Args:
            journal: the run's.
        """
        self._applier.note(journal)

    def saved_state(self) -> dict[str, Any]:
        """What a checkpoint keeps: which commands it holds, and of what they did what is kept nowhere else."""
        return {**self._applier.state(), "settings": self.settings.state(), **standing(self._session)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Sets what a checkpoint kept; called when all else is as it was.

        Args:
            state: what `saved_state` gave.
        """
        self._scheduled.clear()
        self._applier.load(state)
        self.settings.load(state.get("settings", {}))
        restore(self._session, state)

    def resume(self, lines: Iterable[Line]) -> None:
        """Takes up a run: its history, and at their frames the commands after the checkpoint that was returned to.

        Args:
            lines: the run's journal.
        """
        for frame, number, command in self._applier.recall(lines):
            self.schedule(frame, command, number)

    def applied_here(self) -> list[int]:
        """The numbers of the commands between this frame and the next."""
        return self._applier.applied_here()

    def schedule(self, frame: int, command: Command, number: int = 0) -> None:
        """Has a command applied when a frame comes, before it.

        Args:
            frame: frames done before it.
            command: what.
            number: of a command that stands in the journal already; it is not noted again.
        """
        self._scheduled.append((frame, number, command))
        self._scheduled.sort(key=lambda one: one[:2], reverse=True)
        self.awaits = True

    def tell(self, event: Event) -> None:
        """Tells the listeners.

        Args:
            event: what has happened.
        """
        for listener in list(self.listeners):
            try:
                listener(event)
            except Exception as error:  # whoever listens must not end a run
                self.listeners.remove(listener)
                self._session.say(f"a listener is told no more, as it failed: {type(error).__name__}: {error}")

    def _pace_changed(self) -> None:
        self.awaits = True
        self.tell(Event("status"))
