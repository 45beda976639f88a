"""Grouped outputs are a dict whose values are made when they are looked at."""

from __future__ import annotations

import pytest
import torch

from rillnet.errors import AddressError
from rillnet.model.net import Outputs
from rillnet.runtime.grouping.outputs import GroupedOutputs

STACKED = torch.arange(6.0).reshape(3, 2)


def outputs() -> GroupedOutputs:
    places = {"a": (7, 0), "b": (7, 2)}
    return GroupedOutputs(
        ["x", "a", "loss", "b"], {"x": torch.ones(1), "loss": torch.tensor(5.0)}, places, {7: STACKED}
    )


def plain() -> dict[str, torch.Tensor]:
    return {"x": torch.ones(1), "a": STACKED[0], "loss": torch.tensor(5.0), "b": STACKED[2]}


def test_a_name_is_its_view() -> None:
    sent = outputs()
    assert sent["b"].data_ptr() == STACKED[2].data_ptr()
    assert sent["b"] is sent["b"]
    assert torch.equal(sent.get("a"), STACKED[0])
    assert sent.get("c", 3) == 3
    assert ("a" in sent, "x" in sent, "c" in sent) == (True, True, False)


@pytest.mark.parametrize("touched", [False, True])
def test_it_goes_round_like_a_dict(touched: bool) -> None:
    sent, expected = outputs(), plain()
    if touched:
        sent["b"]
        sent["extra"] = expected["extra"] = torch.zeros(1)
    assert len(sent) == len(expected)
    assert list(sent) == list(sent.keys()) == list(expected)
    assert list(reversed(sent)) == list(reversed(expected))
    assert all(torch.equal(one, other) for one, other in zip(sent.values(), expected.values(), strict=True))
    assert [name for name, _ in sent.items()] == list(expected)


def test_copies_hold_everything() -> None:
    for copied in (dict(outputs()), {**outputs()}, outputs().copy(), Outputs(outputs())):
        assert {name: value.tolist() for name, value in copied.items()} == {k: v.tolist() for k, v in plain().items()}
    assert repr(outputs()) == repr(plain())


def test_what_is_set_or_taken_out_stays_so() -> None:
    sent = outputs()
    sent["a"] = torch.zeros(1)
    del sent["b"]
    assert sent.pop("x").item() == 1
    assert {name: value.tolist() for name, value in sent.items()} == {"a": [0.0], "loss": 5.0}
    assert sent == {"a": sent["a"], "loss": sent["loss"]}


def test_a_missing_name_is_told_as_by_any_outputs() -> None:
    with pytest.raises(AddressError) as error:
        outputs()["bb"]
    assert "computed: x, a, loss, b" in str(error.value)
