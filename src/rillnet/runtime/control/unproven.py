"""Commands that may make frames fail: those that no frame was done with yet, and edits, for data that come later."""

from __future__ import annotations

from collections.abc import Sequence

from rillnet.errors import FrameError
from rillnet.runtime.control.command import find
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.history import Entry


class Unproven:
    """Keeps whether a frame that fails may do so for what was commanded.

    Attributes:
        is_any: whether it may; reading it is all that a frame costs where it may not.
        is_attended: whether somebody commands the run while it goes on, who can mend what fails.
        held: why the run is held; nothing where it is not, or by a command.

    Example:
        >>> unproven = Unproven()
        >>> unproven.note(is_edit=False)
        >>> unproven.is_any
        True
        >>> unproven.frame_done()
        >>> unproven.is_any
        False
    """

    def __init__(self) -> None:
        self.is_any = False
        self.is_attended = False
        self.held = ""
        self._has_edits = False

    def note(self, *, is_edit: bool) -> None:
        """A command was applied that changes the run.

        Args:
            is_edit: whether it has changed the structure of the net, which may fail on data that come much later.
        """
        self.is_any = True
        self._has_edits = self._has_edits or is_edit

    def frame_done(self) -> None:
        """A frame was done with all that was commanded."""
        self.is_any, self.held = self._has_edits, ""

    def newest(self, history: Sequence[Entry], frame: int) -> Entry | None:
        """The newest command that can be undone and that no frame was done with.

        Args:
            history: of the session.
            frame: frames done.
        """
        entry = next((one for one in reversed(history) if one.undoable), None)
        return entry if entry is not None and entry.frame == frame and find(entry.command.name).lasting else None

    def hold(self, session: Controlled, error: FrameError, newest: Entry | None) -> FrameError:
        """Says, and puts on record, why a run is held from now on.

        Args:
            session: in which a frame, or what is done after one, has failed.
            error: what went wrong.
            newest: the command that was to be taken back for it.

        Returns:
            The error with how the run can go on.
        """
        parts = [str(error)]
        if newest is not None and newest.undone:
            parts.append(f"{newest.text} is taken back")
        parts.append("the run is held")
        earlier = next((one for one in reversed(session.control.history) if one.undoable), None)
        if earlier is not None:
            parts.append(f"undo {earlier.number} takes back {earlier.text}")
        elif session.clock.frame:
            parts.append("no command can be undone, back goes to an earlier frame")
        self.held = "; ".join([*parts, "play goes on"])
        session.say(self.held)
        record, clock = session.open_record, session.clock
        if record is not None:
            record.journal.event("held", step=clock.step, frame=clock.frame, reason=self.held)
        told = FrameError(self.held)
        told.__cause__ = error.__cause__
        return told
