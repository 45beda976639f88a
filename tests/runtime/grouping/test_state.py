"""Grouped states look like plain ones, and take them over."""

from __future__ import annotations

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.model.flat import FlatSource
from rillnet.model.shapes import Signature
from rillnet.runtime.grouping.state import Column, GroupedState, Layout
from rillnet.runtime.plan import Slot
from rillnet.runtime.state import detach_state, expanded, has_streams, reset_streams


def slot(name: str, length: int, batched: bool = True) -> Slot:
    return Slot(name, FlatSource(name), Signature((2,) if batched else (), batched=batched), length)


SLOTS = [slot("a", 1), slot("h", 1), slot("b", 2), slot("loss", 1, batched=False)]
COLUMN = Column(("b", "unread", "a"), Signature((2,)), 2)
LAYOUT = Layout(tuple(SLOTS), (COLUMN,))


def plain() -> dict[str, torch.Tensor]:
    names = ["a@1", "h@1", "b@1", "b@2"]
    found = {name: torch.full((3, 2), float(number)) for number, name in enumerate(names, 1)}
    return {**found, "loss@1": torch.tensor(5.0)}


def test_a_plain_state_is_stacked_and_looks_the_same() -> None:
    state = LAYOUT.take(plain())
    assert state.stacked[0][0].shape == (3, 3, 2)
    assert list(state) == ["a@1", "h@1", "b@1", "b@2", "loss@1"]
    assert len(state) == 5
    assert "unread@1" not in state
    assert all(torch.equal(state[key], value) for key, value in plain().items())
    assert {key: value.tolist() for key, value in expanded(state).items()} == {
        k: v.tolist() for k, v in plain().items()
    }
    assert repr(state) == repr(expanded(state))
    assert LAYOUT.take(state) is state


def test_states_go_from_layout_to_layout_and_equal_columns_are_not_copied() -> None:
    state = LAYOUT.take(plain())
    same = Layout(tuple(SLOTS), (Column(COLUMN.names, COLUMN.signature, 2),)).take(state)
    assert same.stacked[0][0] is state.stacked[0][0]
    other = Layout(tuple(SLOTS), (Column(("h", "a"), COLUMN.signature, 1),)).take(state)
    assert all(torch.equal(other[key], value) for key, value in plain().items())
    assert set(other.rest) == {"b@1", "b@2", "loss@1"}


def test_zeros_are_of_the_asked_type() -> None:
    state = LAYOUT.zeros(4, {"h@1": torch.zeros(4, 2), "loss@1": torch.zeros(())}, None, torch.float64)
    assert state["b@2"].shape == (4, 2)
    assert state["b@2"].dtype == torch.float64
    assert state.streams == 4


def test_a_state_of_another_program_is_told() -> None:
    state = plain()
    del state["b@2"]
    with pytest.raises(RequestError) as error:
        LAYOUT.take(state)
    assert str(error.value).startswith("state: is not one of this program: 'b@2' is missing")


def test_streams_begin_anew_and_histories_are_cut() -> None:
    state = LAYOUT.take({key: value.requires_grad_() * 1 for key, value in plain().items()})
    fresh = reset_streams(SLOTS, state, torch.tensor([False, True, False]))
    assert isinstance(fresh, GroupedState)
    assert fresh["b@2"].tolist() == [[4, 4], [0, 0], [4, 4]]
    assert fresh["h@1"].tolist() == [[2, 2], [0, 0], [2, 2]]
    assert fresh["loss@1"] == 5
    assert fresh["b@1"].requires_grad
    assert not any(value.requires_grad for value in detach_state(fresh).values())
    with pytest.raises(RequestError, match="must hold one truth value for each of 3 streams"):
        reset_streams(SLOTS, state, torch.tensor([True]))


def test_the_number_of_streams_is_that_of_all() -> None:
    assert has_streams(SLOTS, LAYOUT.take(plain()), 3)
    assert not has_streams(SLOTS, LAYOUT.take(plain()), 2)
    assert has_streams(SLOTS, plain(), 3)
    assert not has_streams(SLOTS, {**plain(), "h@1": torch.zeros(2, 2)}, 3)
