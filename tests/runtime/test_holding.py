"""Parameters that keep their values."""

from __future__ import annotations

import torch

from rillnet.runtime.holding import Held


def test_what_is_held_is_put_back_and_what_is_released_is_not() -> None:
    one, other, held = torch.zeros(2), torch.zeros(2), Held()
    assert not held
    held.hold("a", one)
    held.hold("b", other)
    one += 1
    other += 1
    held.put_back()
    assert (one.tolist(), other.tolist()) == ([0, 0], [0, 0])
    held.release(["a", "unknown"])
    assert ("a" in held, "b" in held, list(held), len(held)) == (False, True, ["b"], 1)
    one += 1
    other += 1
    held.renew()
    held.put_back()
    assert (one.tolist(), other.tolist()) == ([1, 1], [1, 1])
