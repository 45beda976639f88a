"""When Python looks for garbage: not while thousands of objects are made that all stay."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """Puts off Python's search for unreachable cycles until what is inside is done.

    Each search looks at everything that was made before, again and again, and finds nothing while a net or a document
    grows. What is not in a cycle is freed at once all the same.

    Example:
        >>> with collecting_later():
        ...     gc.isenabled()
        False
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
