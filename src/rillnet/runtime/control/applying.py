"""Applies commands: checked, done, noted in the journal, remembered so that they can be undone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from rillnet.errors import Fault, RequestError, RillnetError
from rillnet.runtime.control import grammar, values
from rillnet.runtime.control.command import Command, CommandType, completed, find
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.history import Entry
from rillnet.runtime.journal import Entry as Line
from rillnet.runtime.journal import Journal

UNDOABLE = 100
"""So many of the newest commands can be undone, as each holds what was there before."""

_LONGEST = 200  # characters of a command's text in the journal; its arguments stand beside it, whole


class Applier:
    """Applies commands to a session, one at a time.

    Args:
        session: what they act on.

    Attributes:
        history: those that were put on record, oldest first.
    """

    def __init__(self, session: Controlled) -> None:
        self._session = session
        self.history: list[Entry] = []
        self._unnoted: list[Entry] = []
        self._later: dict[int, Entry] = {}  # of the journal, after the checkpoint that was returned to
        self._highest = 0  # number of any command of the run
        self._applied: frozenset[int] = frozenset()  # those at the frame of the checkpoint that was returned to
        self._saved = 0  # number of the newest command that a checkpoint knows of

    def apply(self, command: Command, origin: str, number: int = 0) -> Entry:
        """Applies a command.

        Args:
            command: what.
            origin: who asks.
            number: of one that stands in the journal already.

        Raises:
            RequestError: it cannot be applied; nothing is changed.
        """
        session, kind = self._session, find(command.name)
        record = session.open_record
        arguments = values.unpacked(completed(command), None if record is None else record.directory.path)
        self._check(kind, arguments)
        frame, step = session.clock.frame, session.clock.step
        applied = kind.apply(session, **arguments)
        executor = session.made_executor
        if executor is not None and executor.held:
            executor.held.renew()
        noted = Command(command.name, kind.noted(session, command.arguments, applied)) if kind.journaled else command
        entry = Entry(
            number=(number or self._highest + 1) if kind.journaled else 0,
            frame=frame,
            step=step,
            text=text_of(noted),
            command=noted,
            origin=origin,
            time=time.time(),
            result=applied.result,
            undo=applied.undo,
        )
        if kind.journaled:
            self._remember(entry, kind.lasting, is_noted=number > 0)
            if applied.saves and session.open_record is not None and self._saved:
                session.checkpoint()
        return entry

    def _check(self, kind: CommandType, arguments: Mapping[str, Any]) -> None:
        placement = self._session.placement
        error: RillnetError | None = None
        try:
            kind.check(self._session, **arguments)
        except RillnetError as found:
            error = found
        if placement is not None:  # all of them apply it, or none does
            said = placement.processes.everyone(None if error is None else str(error))
            refused = [text for text in said if text is not None]
            if error is None and refused:
                raise RequestError(refused[0])
        if error is not None:
            raise error

    def _remember(self, entry: Entry, lasting: bool, is_noted: bool) -> None:
        self._highest = max(self._highest, entry.number)
        self.history.append(entry)
        with_undo = [one for one in self.history if one.undo is not None]
        for old in with_undo[:-UNDOABLE]:
            old.undo = None
        if not is_noted:
            self._unnoted.append(entry)
        record = self._session.open_record
        if record is not None:
            self.note(record.journal)
            if lasting:
                record.saved_at = None

    def note(self, journal: Journal) -> None:
        """Writes down what is not in the journal yet, as there was none.

        Args:
            journal: the run's.
        """
        for entry in self._unnoted:
            arguments = values.packed(entry.command.arguments, journal.path.parent)
            entry.command = Command(entry.command.name, arguments)
            details = {**entry.command.as_dict(), "number": entry.number, "origin": entry.origin}
            journal.command(entry.text, step=entry.step, frame=entry.frame, **details)
        self._unnoted.clear()

    def undo(self, number: int | None) -> Entry:
        """Undoes a command.

        Args:
            number: which; None is the newest that can be undone.

        Raises:
            RequestError: there is none, or it cannot be undone.
        """
        entry = self.to_undo(number)
        assert entry.undo is not None
        entry.undo()
        entry.undone = True
        return entry

    def to_undo(self, number: int | None) -> Entry:
        """The command that `undo` undoes.

        Args:
            number: which; None is the newest that can be undone.

        Raises:
            RequestError: there is none, or it cannot be undone.
        """
        if number is None:
            found = next((one for one in reversed(self.history) if one.undoable), None)
            if found is None:
                raise RequestError(Fault("undo", "there is nothing to undo"))
            return found
        found = next((one for one in self.history if one.number == number), None)
        if found is None:
            known = f"1 to {self.history[-1].number}" if self.history else "none"
            raise RequestError(Fault("undo.number", "is no command of this run", number, hint=f"known: {known}"))
        if not found.undoable:
            rule = "was undone already" if found.undone else f"cannot be undone: {found.text}"
            raise RequestError(Fault("undo.number", rule, number))
        return found

    # --- checkpoints --------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What a checkpoint says of the commands that it holds: all before its frame, and these before it."""
        self._saved = self._highest
        return {"number": self._highest, "applied": self.applied_here()}

    def applied_here(self) -> list[int]:
        """The numbers of the commands between this frame and the next."""
        frame = self._session.clock.frame
        return [entry.number for entry in self.history if entry.frame == frame]

    def load(self, state: Mapping[str, Any]) -> None:
        """Returns to a checkpoint.

        Args:
            state: what it says.
        """
        self._applied, self._later = frozenset(state.get("applied", ())), {}
        self._saved = state.get("number", 0)
        self._highest = max(self._highest, self._saved)
        self.history = [entry for entry in self.history if self._is_before(entry)]
        for entry in self.history:
            entry.undo = None  # what it would put back belongs to objects that are gone
        self._unnoted = [entry for entry in self._unnoted if self._is_before(entry)]

    def _is_before(self, entry: Entry) -> bool:
        frame = self._session.clock.frame
        return entry.frame < frame or (entry.frame == frame and entry.number in self._applied)

    def recall(self, lines: Iterable[Line]) -> list[tuple[int, int, Command]]:
        """Takes the commands of a journal into the history, as far as the checkpoint returned to holds them.

        Args:
            lines: the run's journal.

        Returns:
            The others: frame, number, what; `apply_again` takes them.
        """
        known, later = {entry.number for entry in self.history}, []
        for entry in filter(None, map(_entry_of, lines)):
            self._highest = max(self._highest, entry.number)
            if self._is_before(entry):
                if entry.number not in known:
                    self.history.append(entry)
            else:
                self._later[entry.number] = entry
                later.append((entry.frame, entry.number, entry.command))
        return later

    def apply_again(self, command: Command, number: int) -> Entry:
        """Applies a command that stands in the journal; one that does not last is only taken into the history.

        Args:
            command: what.
            number: its number in the run; 0 for one that is new.
        """
        known = self._later.pop(number, None)
        if known is None or find(command.name).lasting:
            return self.apply(command, "resume" if known is not None else "schedule", number)
        self.history.append(known)
        return known


def text_of(command: Command) -> str:
    """A command as it is written, cut where it is too long for a line.

    Args:
        command: what.
    """
    text = grammar.format(command)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def _entry_of(line: Line) -> Entry | None:
    """What a line of a journal says of a command; None for an event, and for a command of another version."""
    told = line.details
    if line.kind != "command" or not {"name", "arguments", "number"} <= told.keys():
        return None
    try:
        find(told["name"])
    except RequestError:
        return None
    command = Command(told["name"], told["arguments"])
    return Entry(told["number"], line.frame, line.step, line.text, command, told.get("origin", ""), line.time)
