"""Which blocks wait for which."""

from __future__ import annotations

from rillnet.model.waiting import Waiting
from rillnet.spec import SourceSpec


def waiting_for(**reads: list[str]) -> Waiting:
    waiting = Waiting()
    for name, sources in reads.items():
        waiting.add(name, map(SourceSpec.parse, sources), lambda source: source == "x")
    return waiting


def test_a_block_is_ready_when_all_that_it_reads_is_known() -> None:
    waiting = waiting_for(sum=["x", "a", "b@-1"], act=["x"])

    assert waiting.is_ready("act")
    assert waiting.known("b") == ["sum"]
    assert not waiting.is_ready("sum")
    assert waiting.known("a") == ["sum"]
    assert waiting.is_ready("sum")


def test_what_is_known_is_told_once_to_each_edge() -> None:
    waiting = waiting_for(sum=["a", "a"], act=["a"])

    assert waiting.known("a") == ["sum", "sum", "act"]
    assert waiting.known("a") == []
    assert waiting.is_ready("sum")


def test_a_block_may_wait_for_one_that_is_still_to_come() -> None:
    waiting = waiting_for(h=["later@-1"])

    waiting.add("later", [SourceSpec(block="x")], lambda source: source == "x")
    waiting.built("later")

    assert waiting.known("later") == ["h"]


def test_blocks_keep_their_place() -> None:
    waiting = waiting_for(b=["z"], a=["z"])
    waiting.built("b")
    waiting.add("c", [], lambda source: False)

    assert waiting.place("a") < waiting.place("c")


def test_it_is_known_who_reads_one_of_several_outputs() -> None:
    waiting = waiting_for(a=["lstm[1]"], b=["lstm"])

    assert waiting.picks("a")
    assert not waiting.picks("b")
