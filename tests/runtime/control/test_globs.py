"""Globs over addresses."""

from __future__ import annotations

import pytest

from rillnet.runtime.control.globs import compiled, is_glob, within

NAMES = ["net/a/weight", "net/a/b/weight", "net/ab/bias", "net/a.b/c", "clock/step"]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("net/*/weight", [0]),
        ("net/**/weight", [0, 1]),
        ("net/**", [0, 1, 2, 3]),
        ("**", [0, 1, 2, 3, 4]),
        ("**/weight", [0, 1]),
        ("net/a?/*", [2]),
        ("net/a.b/c", [3]),
        ("net/a", []),
        ("net/[ab]/weight", []),
    ],
)
def test_what_globs_match(pattern: str, matched: list[int]) -> None:
    assert [number for number, name in enumerate(NAMES) if compiled(pattern).fullmatch(name)] == matched


def test_a_block_means_all_that_is_in_it() -> None:
    names = NAMES[:3]
    assert within("a", names) == within("net/a/", names) == names[:2]
    assert within("a*", names) == names
    assert within("net/*/weight", names) == names[:1]
    assert within("b", names) == []


def test_what_is_a_glob() -> None:
    assert [is_glob(text) for text in ("net/a/b", "net/*", "net/a?", "net/a[1]")] == [False, True, True, False]
