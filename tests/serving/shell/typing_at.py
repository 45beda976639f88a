"""A pseudo-terminal with a program in it, which is typed at and read as somebody before a screen does."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from types import TracebackType
from typing import Any

import pyte

_COLUMNS, _LINES = 100, 40
_PATIENCE_S = 90.0


class _Screen(pyte.Screen):
    """A screen that answers where its cursor is, as prompts ask.

    Args:
        descriptor: what answers are written to.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        super().__init__(_COLUMNS, _LINES)

    def write_process_input(self, data: str) -> None:
        os.write(self.descriptor, data.encode())


class TypedAt:
    """A program before a screen.

    Args:
        words: of its command line.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._outside, inside = pty.openpty()
        ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            words,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=os.environ | {"TERM": "xterm"},
            start_new_session=True,
        )
        os.close(inside)
        self._screen = _Screen(self._outside)
        self._stream: Any = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        """What stands on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def type(self, keys: str) -> None:
        """Types keys; `\\r` is the one that ends a line."""
        os.write(self._outside, keys.encode())

    def interrupt(self) -> None:
        """Presses Ctrl-C while a command is carried out, which then is a signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def see(self, pattern: str) -> re.Match[str]:
        """Waits until something stands on the screen; `^` and `$` are the ends of its lines."""
        deadline = time.monotonic() + _PATIENCE_S
        while (found := re.compile(pattern, re.MULTILINE).search(self.text)) is None:
            if time.monotonic() > deadline or not self._receive(deadline):
                raise AssertionError(f"not seen: {pattern}\nexit {self.process.poll()}\n{self.text}")
        return found

    def end(self) -> int:
        """Waits for the end of the program."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._receive(deadline):
            pass
        return self.process.wait(_PATIENCE_S)

    def close(self) -> None:
        """Ends it, should it still be there."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._outside)

    def __enter__(self) -> TypedAt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, deadline: float) -> bool:
        """Takes what was written; False where nothing will be any more."""
        ready, _, _ = select.select([self._outside], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        data = b""
        with contextlib.suppress(OSError):  # Linux says so where nobody has the other end any more
            data = os.read(self._outside, 65_536)
        self._stream.feed(data)
        return bool(data)
