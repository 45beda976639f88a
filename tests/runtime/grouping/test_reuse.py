"""Memory is taken again only when nobody holds any of what was written there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.grouping import reuse
from rillnet.runtime.grouping.reuse import Memory
from rillnet.runtime.program import Program

LIKE = torch.ones(1)


@pytest.mark.parametrize(
    "hold",
    [
        lambda tensor: tensor,
        lambda tensor: tensor[1:],
        lambda tensor: tensor.unbind(0)[0],
        lambda tensor: tensor.numpy(),
        lambda tensor: (tensor * torch.ones(2, 3, requires_grad=True)).grad_fn,
    ],
    ids=["itself", "a part", "a row", "an array", "a graph"],
)
def test_what_is_held_is_not_written_to(hold: Any) -> None:
    memory = Memory()
    given = memory.take(LIKE, (2, 3))
    given.fill_(7)
    place, held = given.data_ptr(), hold(given)
    del given

    others = [memory.take(LIKE, (2, 3)).fill_(1) for _ in range(9)]

    assert held is not None
    assert place not in {other.data_ptr() for other in others}
    assert len({other.data_ptr() for other in others}) == 9


def test_what_is_let_go_is_taken_again() -> None:
    memory = Memory()
    places = set()
    for _ in range(9):
        places.add(memory.take(LIKE, (2, 3)).data_ptr())

    assert len(places) == 1


def test_other_sizes_types_and_modes_have_their_own() -> None:
    memory = Memory()
    first = memory.take(LIKE, (2, 3)).data_ptr()

    assert memory.take(LIKE.double(), (2, 3)).dtype == torch.float64
    assert memory.take(LIKE, (3, 2)).shape == (3, 2)
    with torch.inference_mode():
        assert memory.take(LIKE, (3, 2)).is_inference()
    assert not memory.take(LIKE, (3, 2)).is_inference()
    assert first  # an address


def test_memory_is_fresh_where_torch_does_not_tell_who_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "_holders", None)
    memory = Memory()
    first = memory.take(LIKE, (2, 3))

    assert memory.take(LIKE, (2, 3)).data_ptr() != first.data_ptr()
    assert not memory._kept


def test_frames_leave_what_others_hold_as_it_was() -> None:
    """States, outputs and single values of earlier frames stay what they were while the program goes on."""
    pool = {"type": "Pool", "shape": [4, 6, 6], "act": "relu"}
    blocks = {
        f"p{n}": {**pool, "from": [{"source": [f"p{n - 1}@-1" if n else "x@-1"], "via": "Synapse", "rf": 3}]}
        for n in range(8)
    }
    net = Net.from_spec({"inputs": {"x": [4, 6, 6]}, "blocks": blocks}, seed=1)
    program = Program(net, Rollout.streaming(net), outputs=list(blocks), group="on")
    state: Any = None
    held, copied = [], []
    with torch.no_grad():
        for frame in range(12):
            outputs, state = program({"x": torch.randn(2, 4, 6, 6)}, state)
            if frame % 3 == 0:
                held.append((state, outputs["p7"], outputs["p0"][0]))
                copied.append(
                    ({key: value.clone() for key, value in state.items()}, *(o.clone() for o in held[-1][1:]))
                )

    for (state, *single), (state_then, *single_then) in zip(held, copied, strict=True):
        torch.testing.assert_close(dict(state), state_then)
        torch.testing.assert_close(single, single_then)
