"""Seeds by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rillnet.random import derive

GOLDEN = {"net/conv1": 3299886785622269563, "train 3": 3241219325652476026}


def test_known_seeds_stay_as_they_are() -> None:
    """Runs of earlier versions go on only while these hold."""
    assert derive(1, "net/conv1") == GOLDEN["net/conv1"]
    assert derive(1, "train", 3) == GOLDEN["train 3"]


def test_a_number_and_its_text_are_different_words() -> None:
    assert derive(0, "a", 1) != derive(0, "a", "1")


def test_words_do_not_run_into_each_other() -> None:
    assert derive(0, "ab", "c") != derive(0, "a", "bc")


@given(st.integers(0, 2**63 - 1), st.lists(st.text(max_size=5) | st.integers(), max_size=4))
def test_a_seed_is_one_that_torch_takes(seed: int, words: list[str | int]) -> None:
    assert 0 <= derive(seed, *words) < 2**63
