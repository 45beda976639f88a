"""One piece of work at a time in a thread beside the run; what goes wrong in it is raised where the run asks."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Does one piece of work at a time in a thread, so that nothing is held more than once for it.

    The thread is waited for when the program ends, so what was begun is done unless the process is killed.

    Args:
        name: of the thread.

    Example:
        >>> done = []
        >>> background = Background("example")
        >>> background.begin(lambda: done.append(1))
        >>> background.settle()
        >>> done
        [1]
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self, work: Callable[[], object]) -> None:
        """Begins a piece of work, when the one before is done.

        Raises:
            BaseException: what went wrong in the one before, if nobody was told yet; this one is not begun.
        """
        self.settle()
        self._thread = threading.Thread(target=self._do, args=(work,), name=self._name)
        self._thread.start()

    def wait(self) -> None:
        """Waits until the work is done, well or not."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """Raises what went wrong, once; waits for nothing."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def settle(self) -> None:
        """Waits until the work is done, and raises what went wrong."""
        self.wait()
        self.check()

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # raised in the thread that waits, which can end the run
            self._error = error
