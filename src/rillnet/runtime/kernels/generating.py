"""C++ sources put together: the sizes at hand as constants, then what all kernels share, then the kernel itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources


@functools.cache
def template(name: str) -> str:
    """A C++ file of this package.

    Args:
        name: of the file.
    """
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def source(constants: Mapping[str, int | str], *templates: str) -> str:
    """The C++ of a kernel: so the compiler knows all sizes, unrolls by them, and keeps sums in registers.

    Args:
        constants: by name.
        templates: files, in order.

    Example:
        >>> source({"LANES": 8}, "vectors.h").splitlines()[0]
        '#define LANES 8'
    """
    defined = "".join(f"#define {name} {value}\n" for name, value in constants.items())
    return defined + "\n".join(template(name) for name in templates)


def lanes_within(size: int, lanes: int) -> int:
    """How many lanes vectors have: as many as the processor's, but not more than there are numbers in a row.

    Args:
        size: numbers that lie next to each other, at least 4.
        lanes: of the processor.

    Example:
        >>> lanes_within(16, 8), lanes_within(7, 8)
        (8, 4)
    """
    while lanes > size:
        lanes //= 2
    return lanes
