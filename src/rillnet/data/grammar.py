"""Grammars of finite states, whose strings are words to be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from rillnet.data.ordering import generator
from rillnet.errors import Fault, RequestError

Grammar = Mapping[str, Sequence[Sequence[str]]]
"""By state, `[letters, next state]` of each way on; one of them is taken, all equally likely."""

START, END = "start", "end"

REBER: Grammar = {
    "start": [["B", "1"]],
    "1": [["T", "2"], ["P", "3"]],
    "2": [["S", "2"], ["X", "4"]],
    "3": [["T", "3"], ["V", "5"]],
    "4": [["X", "3"], ["S", "6"]],
    "5": [["P", "4"], ["V", "6"]],
    "6": [["E", "end"]],
}
"""The grammar of A. S. Reber: Implicit learning of artificial grammars, 1967."""

_LONGEST = 10_000


def check_grammar(grammar: Grammar, address: str) -> None:
    """Checks that every way leads to a state that is there, and that the end can be reached from it.

    Args:
        grammar: ways by state.
        address: what it is called in messages.

    Raises:
        RequestError: a state is missing, or a string could never end.
    """
    if START not in grammar:
        raise RequestError(Fault(address, f"must have a state {START!r}", list(grammar)))
    for state, ways in grammar.items():
        for number, way in enumerate(ways):
            if len(way) != 2:
                raise RequestError(Fault(f"{address}.{state}.{number}", "must be [letters, next state]", list(way)))
            if way[1] not in grammar and way[1] != END:
                rule = f"must lead to a state of the grammar or to {END!r}"
                raise RequestError(Fault(f"{address}.{state}.{number}", rule, list(way)))
    ending = {END}
    while grown := {state for state, ways in grammar.items() if any(way[1] in ending for way in ways)} - ending:
        ending |= grown
    stuck = [state for state in grammar if state not in ending]
    if stuck:
        raise RequestError(Fault(f"{address}.{stuck[0]}", f"must have a way that leads to {END!r}"))


def draw_strings(grammar: Grammar, count: int, seed: int) -> list[str]:
    """Strings of a grammar.

    Args:
        grammar: checked.
        count: how many.
        seed: draws the ways.

    Example:
        >>> all(text.startswith("B") and text.endswith("E") for text in draw_strings(REBER, 9, seed=1))
        True
    """
    random = generator(seed, "strings")
    strings = []
    for _ in range(count):
        state, letters = START, ""
        while state != END and len(letters) < _LONGEST:
            ways = grammar[state]
            chosen, state = ways[int(torch.randint(len(ways), (), generator=random))]
            letters += chosen
        strings.append(letters)
    return strings
