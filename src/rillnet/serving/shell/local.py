"""A session in this process: a thread runs its frames, and the shell commands it from another one."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, Interrupted, RequestError, RillnetError
from rillnet.runtime.control import addresses
from rillnet.runtime.control.commands import COMMANDS
from rillnet.runtime.control.grammar import parse
from rillnet.runtime.session import Session
from rillnet.serving.cli.running import header
from rillnet.serving.rest import local as reached
from rillnet.serving.shell.protocol import ORIGIN, Observed, Wanted
from rillnet.serving.shell.streaming import reductions
from rillnet.training.experiment import Experiment
from rillnet.training.extensions import Log
from rillnet.training.trainer import Trainer
from rillnet.training.watching import Watch
from rillnet.training.wording import count_text, metrics_text

_GOES_ON = "the same command goes on"
_ENDLESS = 10**12
"""Frames of a run whose document does not say how long it is."""

_ALL = 10**9
_LOOK_S = 0.5  # between two looks whether the session that is watched has ended


class LocalSession:
    """A session of this process, whose frames run in a thread of their own.

    Args:
        experiment: what runs, or the run that goes on.
        root: the directory of all runs.
        fresh: begin anew.
        say: told, in one line each, what a user should know.
    """

    def __init__(self, experiment: Experiment, *, root: Path, fresh: bool, say: Callable[[str], None]) -> None:
        self._say = say
        self._session = Session(experiment, root=root, resume=not fresh, say=say, goes_on_by=_GOES_ON)
        trainer = self._session.trainer
        assert isinstance(trainer, Trainer)
        self._trainer: Trainer = trainer
        self._served = reached.LocalSession(self._session)
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        self._error: BaseException | None = None
        self._session.control.listeners.append(lambda event: self._begun.set())

    @property
    def name(self) -> str:
        """The session, `name/n`."""
        return self._served.id

    @property
    def has_ended(self) -> bool:
        """Whether the run has failed; one that was stopped, or is finished, is still there to be looked at."""
        return self._error is not None

    @property
    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    # --- running ------------------------------------------------------------------------------

    def begin(self, *, plays: bool) -> None:
        """Lets the thread that runs frames begin, unless the run is finished.

        Args:
            plays: run at once; else it is held before the first frame.

        Raises:
            RillnetError: the run cannot begin.
        """
        self._say(header(self._session))
        self._session.views.holds_frames = True  # what is asked for while frames are held is seen at once
        if self._is_over():
            self._say(f"{self.name} has finished after {count_text(self._session.clock.step, 'step')}")
            return
        if not plays:
            self._session.control.pause()
        self._start()

    def _is_over(self) -> bool:
        """Whether the run has been gone on with to its end."""
        return self._session.clock.step > 0 and self._length() is not None and self._trainer.is_whole

    def _length(self) -> int | None:
        run = self._session.run_spec
        return next((length for length in (run.epochs, run.steps, run.frames) if length is not None), None)

    def _start(self) -> None:
        """Runs frames in a thread, and returns when commands reach it."""
        self._begun.clear()
        self._thread = threading.Thread(target=self._run, name="rillnet-session")
        self._thread.start()
        self._begun.wait()
        try:
            self._session.control.call(lambda session: None).result()
        except RillnetError:  # something has kept the run from its first frame
            self._thread.join()
        self._raise()

    def _run(self) -> None:
        session, say = self._session, self._say
        shown = [one for one in self._trainer.extensions if not isinstance(one, Log)]  # the clock tells enough
        try:
            with Watch(_Lines(say), session, shown):
                metrics = session.run(frames=_ENDLESS if self._length() is None else None, progress=False)
            say(f"finished after {count_text(session.clock.step, 'step')}: {metrics_text(metrics)}")
        except Interrupted as error:
            say(str(error))
        except BaseException as error:  # ends this thread; raised again in the one that asks, by `_raise`
            self._error = error
            if isinstance(error, RillnetError) and self._begun.is_set():
                say(str(error))
        finally:
            self._begun.set()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> str:
        """Stops and saves what runs, and lets go of the run directory.

        Raises:
            RillnetError: the run has failed.
        """
        session = self._session
        try:
            if self._is_running:
                session.control.submit("stop", ORIGIN)
                assert self._thread is not None
                self._thread.join()
            elif self._error is None and self._is_changed():
                session.checkpoint()
        finally:
            self._served.close()
            session.close()
        if sys.exc_info()[1] is None:
            self._raise()
        return ""

    def _is_changed(self) -> bool:
        """Whether something was done after the run had ended that no checkpoint holds."""
        record = self._session.open_record
        return record is not None and self._session.clock.step > 0 and record.saved_at != self._session.clock.step

    # --- asking -------------------------------------------------------------------------------

    def command(self, text: str) -> Any:
        """Has a command carried out between two frames."""
        command = parse(text)
        if command.name == "play" and not self._is_running:
            self._go_on()
        result = self._served.submit(command, ORIGIN).result().result
        if command.name == "stop" and self._thread is not None:
            self._thread.join()  # what is typed next finds the run ended and saved
        return _plain(result)

    def _go_on(self) -> None:
        """Runs frames again, after the run was stopped."""
        if self._length() is not None and self._trainer.is_whole and self._trainer.stop_reason is None:
            raise RequestError(Fault("play", "the run has finished", hint="step runs frames beyond its end"))
        self._session.control.play()
        self._start()

    def commands(self) -> list[dict[str, Any]]:
        """Every command: its name, summary and parameters."""
        return [kind.as_dict() for kind in COMMANDS.values()]

    def status(self) -> dict[str, Any]:
        """The state, the clock, the speed, the rates and the interventions."""
        return self._served.status()

    def addresses(self, pattern: str, limit: int | None = None) -> list[dict[str, Any]]:
        """What stands at the addresses of a pattern."""
        found, _ = self._served.addresses(pattern, _ALL if limit is None else limit)
        return found

    def names(self) -> list[str]:
        """Every address."""
        return self._served.between_frames(addresses.names)

    def description(self) -> dict[str, Any]:
        """The net: its blocks and edges."""
        found: dict[str, Any] = json.loads(self._served.net())
        return found

    def stream(self, wanted: Wanted) -> Iterator[Observed]:
        """Values as they come, until the iterator is closed or the session ends."""
        asked = reductions(self, wanted)
        view = self._session.views.view()
        try:
            watched = {
                view.watch(address, reduction, rate=wanted.rate, stream=wanted.stream): (address, reduction)
                for address, reduction in asked
            }
            while True:
                for reading in view.read(_LOOK_S):
                    address, reduction = watched[reading.watch]
                    if reading.fault:
                        raise RequestError(Fault(address, reading.fault))
                    yield Observed(address, reading.frame, reading.data, reduction)
                if self._thread is not None and not self._is_running:
                    return
        finally:
            view.close()


class _Lines:
    """Where the progress of a run is written line by line.

    Args:
        say: takes a line.
    """

    is_live = False
    progress: Any = None

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say


def _plain(result: Any) -> Any:
    """A result without tensors."""
    if isinstance(result, Tensor):
        on_host = result.detach().cpu()
        return (on_host.float() if on_host.is_floating_point() else on_host).numpy()
    if isinstance(result, dict):
        return {key: _plain(value) for key, value in result.items()}
    return [_plain(value) for value in result] if isinstance(result, list | tuple) else result
