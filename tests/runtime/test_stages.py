"""Which blocks of a window are computed at once, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

import rillnet as rn
from rillnet.runtime.plan import Plan
from rillnet.runtime.stages import Past, Stage, divide, leaves, pasts_of


def planned(net: rn.Net, rollout: Any = None) -> Plan:
    plan = rn.Program(net, rollout).plan_of(tuple(net.inputs), seeded=True)
    assert plan is not None
    return plan


def stages(net: rn.Net, rollout: Any = None, **settings: bool) -> list[tuple[bool, list[str]]]:
    settings = {"has_kernels": True, "begins_within": False, **settings}
    found = divide(planned(net, rollout), rn.Rollout.sequential(net).flat, **settings)
    return [(stage.is_framewise, _paths(stage) if stage.is_framewise else sorted(_paths(stage))) for stage in found]


def _paths(stage: Stage) -> list[str]:
    return [turn.path for turn in stage.turns]


def sandwich() -> rn.Net:
    """A cycle between layers, and dropout above it."""
    net = rn.Net("n", inputs={"x": (3,)}, seed=1).add("a", rn.Linear(out_features=4), source="x")
    net.add("sum", rn.Sum(), source=["a", "back@-1"]).add("h", rn.Tanh()).add("back", rn.Linear(out_features=4))
    net.add("side", rn.Linear(out_features=4), source="x")
    net.add("y", rn.Linear(out_features=2), source="h").add("drop", rn.Dropout(p=0.5)).add("z", rn.Tanh())
    return net


def test_a_cycle_goes_frame_by_frame_and_the_rest_at_once() -> None:
    assert stages(sandwich()) == [
        (False, ["a", "side"]),
        (True, ["sum", "h", "back"]),
        (False, ["y"]),
        (True, ["drop"]),
        (False, ["z"]),
    ]


def test_a_chain_with_delays_is_no_cycle() -> None:
    net = rn.Net("n", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("b", rn.Linear(out_features=4))

    assert stages(net, rn.Rollout.streaming(net)) == [(False, ["a", "b"])]


def test_large_maps_go_frame_by_frame_as_one_frame_is_work_enough() -> None:
    net = rn.Net("n", inputs={"x": (1, 32, 32)}, seed=1)
    net.add("large", rn.Conv2d(out_channels=5, kernel_size=1), source="x")
    net.add("small", rn.Conv2d(out_channels=4, kernel_size=2, stride=2))

    assert stages(net) == [(True, ["large"]), (False, ["small"])]


@pytest.mark.parametrize(
    ("kind", "settings", "how"),
    [
        ("SimpleRNN", {}, "sequence"),
        ("SimpleRNN", {"begins_within": True}, "sequence"),
        ("GRUCell", {}, "sequence"),
        ("GRUCell", {"begins_within": True}, "frames"),
        ("SimpleRNN", {"has_kernels": False}, "frames"),
        ("ConvLSTMCell", {}, "frames"),
    ],
)
def test_cells_have_kernels_where_they_can(kind: str, settings: dict[str, bool], how: str) -> None:
    image = kind == "ConvLSTMCell"
    net = rn.Net("n", inputs={"x": (2, 4, 4) if image else (2,)}, seed=1)
    net.add("cell", getattr(rn, kind)(**({"hidden_channels": 3} if image else {"hidden_size": 3})), source="x")

    plan, flat = planned(net), rn.Rollout.sequential(net).flat
    found = divide(plan, flat, **{"has_kernels": True, "begins_within": False, **settings})

    assert found == (Stage((how,), plan.turns),)  # type: ignore[arg-type]


def test_losses_of_one_shape_are_told_by_frame() -> None:
    net = rn.Net("n", inputs={"x": (3,), "y": (3,), "label": rn.Scalar("int64")}, seed=1)
    net.add("near", rn.MeanSquaredError(), source=["x", "y"]).add("right", rn.CrossEntropy(), source=["x", "label"])
    (stage,) = divide(planned(net), rn.Rollout.sequential(net).flat, has_kernels=True, begins_within=False)

    assert stage.how == ("loss", "loss")


def test_what_is_read_of_earlier_frames_is_found() -> None:
    net = rn.Net("n", inputs={"x": (1, 2)}, seed=1)
    net.add("lstm", rn.LSTM(hidden_size=3), source=["x", "lstm[1]@-1"])
    (pasts,) = pasts_of(planned(net)).values()

    assert [(leaf.name, leaf.delay) for leaf in leaves(pasts)] == [("lstm[1][0]", 1), ("lstm[1][1]", 1)]
    assert all(isinstance(leaf, Past) and leaf.register is not None for leaf in leaves(pasts))
