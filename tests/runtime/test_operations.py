"""What is done in a window, piece by piece."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import rillnet as rn
from rillnet.runtime.beginnings import Beginnings
from rillnet.runtime.operations import AtOnce, CellOverFrames, FrameLosses, Framewise, ReadOut
from rillnet.runtime.plan import Plan
from rillnet.runtime.stages import pasts_of
from rillnet.runtime.turns import EagerTurns
from rillnet.runtime.window_values import WindowValues

FRAMES, STREAMS = 3, 2
X, LABEL = torch.randn(FRAMES, STREAMS, 4), torch.tensor([[0, 1], [2, 2], [1, 0]])


def entered() -> tuple[rn.Net, Plan, WindowValues]:
    """A net of a layer, a cell and a loss, and the values of a window with only its inputs in them."""
    net = rn.Net("n", inputs={"x": (4,), "label": rn.Scalar("int64")}, seed=1)
    net.add("rnn", rn.SimpleRNN(hidden_size=5), source="x").add("y", rn.Linear(out_features=3))
    net.add("loss", rn.CrossEntropy(), source=["y", "label"])
    plan = rn.Program(net).plan_of(("x", "label"), seeded=False)
    assert plan is not None
    values = WindowValues(
        plan, pasts_of(plan), {"rnn@1": torch.zeros(STREAMS, 5)}, Beginnings([None] * FRAMES), {"rnn": 0}
    )
    for (_, register), sent in zip(plan.given, (X, LABEL), strict=True):
        values.enter(register, list(sent))
    return net, plan, values


def expected(net: rn.Net) -> list[torch.Tensor]:
    frames = [{"x": x, "label": label} for x, label in zip(X, LABEL, strict=True)]
    return [outputs["loss"] for outputs in rn.Program(net).unroll(frames)[0]]


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("fused", [True, False])
def test_operations_give_the_loss_of_each_frame(kernel: bool, fused: bool) -> None:
    net, plan, values = entered()
    rnn, y, loss = (next(turn for turn in plan.turns if turn.path == name) for name in ("rnn", "y", "loss"))
    operations = [CellOverFrames(rnn, ["rnn"]) if kernel else Framewise([EagerTurns(net, [rnn])], [rnn])]
    operations += [ReadOut(y, loss)] if fused else [AtOnce([EagerTurns(net, [y])], [y]), FrameLosses(loss)]

    for operation in operations:
        operation(values, [None] * FRAMES)

    for frame, value in enumerate(expected(net)):
        torch.testing.assert_close(values.at(loss.result, frame), value)


def test_labels_that_are_no_class_numbers_are_left_to_the_loss() -> None:
    _, plan, values = entered()
    y, loss = plan.turns[-2], plan.turns[-1]
    values.enter(y.reads[0], [torch.zeros(STREAMS, 5)] * FRAMES)
    values.enter(loss.reads[1], [functional.one_hot(label, 3).float() for label in LABEL])

    ReadOut(y, loss)(values, [None] * FRAMES)

    assert values.at(loss.result, 0).item() > 0
