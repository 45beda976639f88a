"""States: zeros of the right kind, streams begun anew, gradients cut."""

from __future__ import annotations

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.model.flat import FlatSource
from rillnet.model.shapes import Signature
from rillnet.runtime.plan import Slot
from rillnet.runtime.state import detach_state, reset_streams, zero_state


def slot(name: str, length: int, *shape: int, dtype: torch.dtype = torch.float32, batched: bool = True) -> Slot:
    return Slot(name, FlatSource(name), Signature(shape, dtype, batched), length)


def test_zeros_have_the_shapes_of_the_streams_and_only_fractions_take_the_nets_type() -> None:
    slots = [slot("h", 2, 3), slot("label", 1, dtype=torch.int64), slot("loss", 1, batched=False)]

    state = zero_state(slots, 4, None, torch.float64)

    assert {key: (list(tensor.shape), tensor.dtype) for key, tensor in state.items()} == {
        "h@1": ([4, 3], torch.float64),
        "h@2": ([4, 3], torch.float64),
        "label@1": ([4], torch.int64),
        "loss@1": ([], torch.float64),
    }
    assert not any(tensor.any() for tensor in state.values())
    assert zero_state(slots, 4, torch.device("meta"), None)["h@1"].is_meta


def test_begun_anew_are_the_masked_streams_in_every_frame_of_the_past() -> None:
    slots = [slot("h", 2, 3), slot("loss", 1, batched=False)]
    state = {"h@1": torch.ones(2, 3), "h@2": torch.full((2, 3), 2.0), "loss@1": torch.tensor(5.0)}

    fresh = reset_streams(slots, state, torch.tensor([1, 0]))

    assert fresh["h@1"].tolist() == [[0] * 3, [1] * 3]
    assert fresh["h@2"].tolist() == [[0] * 3, [2] * 3]
    assert fresh["loss@1"] == 5
    assert state["h@1"].tolist() == [[1] * 3] * 2


def test_gradients_of_the_streams_that_go_on_are_kept() -> None:
    tensor = torch.ones(2, 3, requires_grad=True)

    reset_streams([slot("h", 1, 3)], {"h@1": tensor}, torch.tensor([True, False]))["h@1"].sum().backward()

    assert tensor.grad is not None
    assert tensor.grad.tolist() == [[0] * 3, [1] * 3]


def test_a_mask_of_the_wrong_size_is_told() -> None:
    with pytest.raises(RequestError) as error:
        reset_streams([slot("h", 1, 3)], {"h@1": torch.ones(2, 3)}, torch.tensor([[True], [False]]))

    assert str(error.value) == "mask: must hold one truth value for each of 2 streams (got [2, 1])"


def test_a_detached_state_has_the_same_values_and_no_history() -> None:
    tensor = torch.ones(2, requires_grad=True) * 2

    detached = detach_state({"h@1": tensor})

    assert not detached["h@1"].requires_grad
    assert detached["h@1"].data_ptr() == tensor.data_ptr()
