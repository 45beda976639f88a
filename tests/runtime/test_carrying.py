"""What is kept by address, carried over an edit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rillnet.model.editing.growth import Growth, Resize
from rillnet.runtime.carrying import Carrying

WIDER = Resize((2,), (3,), (Growth.of(0, 2, 3),))
ADDRESS = "net/a/bias"


def carrying(**parts: Any) -> Carrying:
    before = {ADDRESS: (2,), "net/b/bias": (2,), "net/gone/bias": (2,)}
    after = {ADDRESS: (3,), "net/b/bias": (2,), "net/new/bias": (2,)}
    outputs = {"a": Growth.of(0, 2, 3), "lstm": (Growth.of(0, 2, 3), None)}
    return Carrying(before, after, {ADDRESS: WIDER}, outputs, **parts)


def part(**changed: Any) -> dict[str, Any]:
    """What an optimiser keeps as JSON."""
    plain = {"type": "Adam", "groups": [{"lr": 0.1}], "state": ["exp_avg"], "without": [], "numbers": {}}
    return {**plain, "factors": [[1.0, 1.0]], **changed}


def kept(suffix: str) -> dict[str, Tensor]:
    """A tensor for each of the parameters before."""
    return {f"{address}#{suffix}": torch.tensor([1.0, 2.0]) for address in carrying().before}


def test_new_numbers_of_moments_begin_at_zero_and_all_others_stay() -> None:
    tensors, values = carrying().rule("main", kept("exp_avg"), {"optimizer": part()}, {"optimizer": part()})
    assert {key: tensor.tolist() for key, tensor in tensors.items()} == {
        "net/a/bias#exp_avg": [1, 2, 0],
        "net/b/bias#exp_avg": [1, 2],
    }
    assert values["optimizer"]["without"] == ["net/new/bias"]


def test_counters_stay() -> None:
    tensors, _ = carrying().rule("main", {f"{ADDRESS}#step": torch.tensor(7.0)}, {}, {})
    assert float(tensors[f"{ADDRESS}#step"]) == 7


def test_a_state_of_another_shape_than_its_parameter_begins_anew() -> None:
    state = {f"{ADDRESS}#row": torch.ones(2, 1), f"{ADDRESS}#step": torch.tensor(7.0)}
    tensors, values = carrying().rule("main", state, part(), part())
    assert tensors == {}
    assert values["without"] == ["net/new/bias", ADDRESS]


def test_a_rule_with_an_optimizer_of_its_own_is_understood() -> None:
    tensors, _ = carrying().rule("main", {f"optimizer/{ADDRESS}#exp_avg": torch.tensor([1.0, 2.0])}, {}, {})
    assert tensors[f"optimizer/{ADDRESS}#exp_avg"].tolist() == [1, 2, 0]


def test_groups_are_told_by_their_factors() -> None:
    before = part(groups=[{"lr": 0.1}, {"lr": 0.2}], factors=[[1.0, 1.0], [2.0, 0.0]])
    fresh = part(groups=[{"lr": 9.0}, {"lr": 9.0}], factors=[[2.0, 0.0], [3.0, 1.0]])
    _, values = carrying().rule("main", {}, {"parts": [before]}, {"parts": [fresh]})
    assert values["parts"][0]["groups"] == [{"lr": 0.2}, {"lr": 9.0}]
    assert values["parts"][0]["factors"] == [[2.0, 0.0], [3.0, 1.0]]


def test_numbers_of_what_is_gone_are_dropped() -> None:
    before = part(numbers={"net/b/bias#step": 3, "net/gone/bias#step": 4})
    _, values = carrying().rule("main", {}, before, part())
    assert values["numbers"] == {"net/b/bias#step": 3}


def test_what_is_taken_away_is_kept_and_comes_back() -> None:
    gone = carrying().left(kept("exp_avg"), part())
    assert list(gone) == ["net/a/bias#exp_avg", "net/gone/bias#exp_avg"]
    back = Carrying(
        {ADDRESS: (3,)},
        {ADDRESS: (2,), "net/gone/bias": (2,)},
        {ADDRESS: Resize((3,), (2,), (Growth.of(0, 3, 2),))},
        returned={"main": gone},
    )
    tensors, values = back.rule("main", {f"{ADDRESS}#exp_avg": torch.tensor([5.0, 6.0, 7.0])}, part(), part())
    assert {key: tensor.tolist() for key, tensor in tensors.items()} == {
        "net/a/bias#exp_avg": [5, 6],
        "net/gone/bias#exp_avg": [1, 2],
    }
    assert values["without"] == []


def test_a_state_without_its_numbers_is_not_kept() -> None:
    assert carrying().left(kept("exp_avg"), part(numbers={"net/gone/bias#step": 4})) == {}


def test_averages_go_on_and_new_ones_begin_with_the_parameter() -> None:
    fresh = {
        f"{ADDRESS}#average": torch.full((3,), 9.0),
        "net/b/bias#average": torch.full((2,), 9.0),
        "net/new/bias#average": torch.full((2,), 9.0),
    }
    found = carrying().by_address(kept("average"), fresh)
    assert [tensor.tolist() for tensor in found.values()] == [[1, 2, 9], [1, 2], [9, 9]]


def test_the_state_of_wider_blocks_goes_on_in_the_units_that_stay() -> None:
    state = {"a@1": torch.ones(4, 2), "lstm[0]@2": torch.ones(1, 4, 2), "b@1": torch.ones(4, 5)}
    zeros = {
        "a@1": torch.zeros(4, 3),
        "lstm[0]@2": torch.zeros(1, 4, 3),
        "b@1": torch.zeros(4, 5),
        "c@1": torch.zeros(4),
    }
    found = carrying().state(state, zeros)
    assert found["a@1"][0].tolist() == [1, 1, 0]
    assert found["lstm[0]@2"][0, 0].tolist() == [1, 1, 0]
    assert found["b@1"] is state["b@1"]
    assert found["c@1"] is zeros["c@1"]


def test_a_state_of_no_known_growth_begins_anew() -> None:
    zeros = {"other@1": torch.zeros(4, 3)}
    assert carrying().state({"other@1": torch.ones(4, 2)}, zeros)["other@1"] is zeros["other@1"]
