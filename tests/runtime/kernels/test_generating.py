"""C++ sources put together from constants and templates."""

from __future__ import annotations

import pytest

from rillnet.runtime.kernels.generating import lanes_within, source, template


def test_constants_come_before_the_templates_in_order() -> None:
    text = source({"LANES": 8, "OUT": 3}, "vectors.h", "linear.cpp")
    assert text.startswith("#define LANES 8\n#define OUT 3\n")
    assert text.index(template("vectors.h")) < text.index(template("linear.cpp"))


@pytest.mark.parametrize(("size", "lanes"), [(4, 4), (7, 4), (8, 8), (15, 8), (16, 16), (100, 16)])
def test_vectors_are_not_wider_than_a_row(size: int, lanes: int) -> None:
    assert lanes_within(size, 16) == lanes
