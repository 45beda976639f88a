"""What viewers see of a net that is placed in several processes is what they see of it in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.runtime.session import Session
from tests.placed import in_processes
from tests.training.small_experiments import state_of

_BLOCKS = ("conv", "norm", "act", "pool")
PLACEMENTS: dict[str, dict[str, Any]] = {
    "batch": {},
    "feature": {"default": {"partition": "feature"}},
    "space": {"blocks": {name: {"partition": "space"} for name in _BLOCKS}},
    "location": {"blocks": {"conv": {"location": 1}, "norm": {"location": 0}, "fit": {"location": 1}}},
}
ADDRESSES = [
    "net/x/output",
    "net/conv/output",
    "net/norm/output",
    "net/fit/output",
    "net/drop/state",
    "net/logits/output",
    "net/loss/output",
    "net/conv/weight",
    "net/fit/weight",
    "net/fit/weight/gradient",
    "net/norm/running_mean",
    "clock/frame",
    "scalars/loss",
]
STEPS = 12


def experiment(placement: dict[str, Any]) -> rn.Experiment:
    net = rn.Net("small", inputs={"x": (2, 8, 8), "label": rn.Scalar("int64")})
    net.add("conv", rn.Conv2d(out_channels=6, kernel_size=3, padding=1, bias=False), source="x")
    net.add("norm", rn.BatchNorm2d()).add("act", rn.ReLU()).add("pool", rn.MaxPool2d(kernel_size=2))
    net.add("flat", rn.Flatten()).add("fit", rn.Linear(out_features=8)).add("drop", rn.Dropout(p=0.2))
    net.add("logits", rn.Linear(out_features=4), delay=1)
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    generator = torch.Generator().manual_seed(0)
    data = {
        "source": {
            "x": torch.randn(24, 2, 8, 8, generator=generator),
            "label": torch.randint(0, 4, (24,), generator=generator),
        },
        "batch_size": 4,
    }
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.1}, "window": 2, "every": 1}
    values = {"steps": STEPS, "seed": 3, "execution": "eager", "evaluate": {"every": "never"}}
    return rn.Experiment(net=net, data=data, learning=learning, run=values, placement=placement)


def seen(placement: dict[str, Any], watches: bool) -> tuple[dict[str, dict[int, Any]], dict[str, Any]]:
    """What was seen of each address by frame, and the parameters."""
    with Session(experiment(placement), record=False, say=lambda text: None) as session:
        found: dict[str, dict[int, Any]] = {}
        is_first = session.placement is None or session.placement.processes.is_first
        if watches and is_first:
            view = session.views.view(queue=1000)
            names = {view.watch(one, "whole", rate=1000, stream=None): one for one in ADDRESSES}
            names[view.watch("net/conv/weight", "percentiles", rate=1000)] = "percentiles"
        session.run(progress=False)
        if watches and is_first:
            for reading in view.read():
                assert reading.fault == ""
                found.setdefault(names[reading.watch], {})[reading.frame] = reading.data.copy()
            view.close()
        own = {} if session.placement is not None else state_of(session)
        return found, own


def many(placements: list[dict[str, Any]]) -> list[Any]:
    return [seen(one, watches=True)[0] for one in placements]


@pytest.mark.slow
def test_values_are_those_of_one_process(tmp_path: Path) -> None:
    alone, _ = seen({}, watches=True)
    placements = [{"processes": 2, **one} for one in PLACEMENTS.values()]
    every = in_processes(2, tmp_path / "processes", many, placements)
    for name, found in zip(PLACEMENTS, every[0], strict=True):
        assert set(found) == {*ADDRESSES, "percentiles"}, name
        for address, by_frame in found.items():
            known = [frame for frame in by_frame if frame in alone[address]]
            assert len(known) >= 2, (name, address)
            for frame in known:
                expected, told = alone[address][frame], f"{name} {address} in frame {frame}"
                np.testing.assert_allclose(by_frame[frame], expected, rtol=1e-4, atol=1e-5, err_msg=told)
    assert every[1] == [{}] * len(PLACEMENTS)
