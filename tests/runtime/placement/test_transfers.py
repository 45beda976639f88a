"""Messages from boxes alone: every reader gets what it needs once, every holder each part's gradient once."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rillnet.runtime.placement.boxes import Box, divide, numel
from rillnet.runtime.placement.transfers import Message, Transfers, transfers

WORLD = 3
ALL: Box = ((0, 6), (0, 9))
ROWS: list[Box] = [(span, (0, 9)) for span in divide(6, WORLD)]
COLUMNS: list[Box] = [((0, 6), span) for span in divide(9, WORLD)]
SAME: list[Box] = [ALL] * WORLD
ONE: list[Box | None] = [ALL, None, None]
LAYOUTS: list[list[Box] | list[Box | None]] = [ROWS, COLUMNS, SAME, ONE, [None, None, ALL]]


def test_what_a_process_has_is_not_sent() -> None:
    found = transfers(ROWS, ROWS, ROWS)

    assert found.crossing == found.returning == 0
    assert found.is_local(learning=True)
    assert found.name == "none"


def test_exchanges_are_called_by_what_they_do() -> None:
    halo: list[Box] = [((0, 3), (0, 9)), ((1, 5), (0, 9)), ((3, 6), (0, 9))]

    names = [
        transfers(*each).name
        for each in (
            (ROWS, SAME, ["all"] * WORLD),
            (ROWS, COLUMNS, COLUMNS),
            (ONE, ROWS, ROWS),
            (ROWS, ONE, ONE),
            (ONE, [None, ALL, None], [None, ALL, None]),
            (ROWS, halo, ROWS),
            (SAME, SAME, COLUMNS),
        )
    ]

    assert names == ["gather", "all-to-all", "scatter", "gather", "transfer", "halo", "sum of gradients"]


def test_an_all_to_all_moves_what_is_not_on_the_diagonal() -> None:
    found = transfers(ROWS, COLUMNS, COLUMNS)

    assert found.crossing == found.returning == 6 * 9 - 3 * 2 * 3


def test_processes_of_the_same_part_count_one_gradient() -> None:
    found = transfers(ROWS, SAME, ["all"] * WORLD)

    assert found.returning == 0
    assert transfers(ROWS, SAME, COLUMNS).returning == found.crossing


def test_nothing_is_sent_for_an_empty_part() -> None:
    nothing: Box = ((6, 6), (0, 9))

    found = transfers([ALL, nothing, nothing], [ALL, nothing, nothing], [ALL, nothing, nothing])

    assert found.forward == (Message(0, 0, ALL),)


@given(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.booleans())
def test_values_and_gradients_are_those_of_one_process(
    held: list[Box | None], needed: list[Box | None], alike: bool
) -> None:
    parts = ["same"] * WORLD if alike and needed == SAME else list(range(WORLD))
    found = transfers(held, needed, parts)
    logical = torch.arange(54.0).view(6, 9)

    for rank, box in enumerate(needed):
        if box is not None:
            assert torch.equal(received(found, rank, [logical if h else None for h in held]), logical[slices(box)])
    weights = [1.0] * WORLD if parts[0] == "same" else [1.0, 10.0, 100.0]
    total = torch.zeros(6, 9)
    for rank, box in enumerate(needed):
        if box is not None and (parts[0] != "same" or rank == 0):
            total[slices(box)] += weights[rank]
    for rank, own in enumerate(held):
        if own is not None:
            arrived = torch.zeros(6, 9)
            for message in found.backward:
                if message.receiver == rank:
                    arrived[slices(message.box)] += weights[message.sender]
            assert torch.equal(arrived[slices(own)], total[slices(own)])


def received(found: Transfers, rank: int, values: list[torch.Tensor | None]) -> torch.Tensor:
    target = torch.full((6, 9), torch.nan)
    for message in found.forward:
        if message.receiver == rank:
            value = values[message.sender]
            assert value is not None
            assert target[slices(message.box)].isnan().all()
            target[slices(message.box)] = value[slices(message.box)]
    box = found.needed[rank]
    assert box is not None
    assert numel(box) == int((~target.isnan()).sum())
    return target[slices(box)]


def slices(box: Box) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in box)
