"""Norms over all slices; the sums of gradients are tested with whole runs in tests/training."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.distributed as dist

import rillnet as rn
from rillnet.runtime.placement.placed import Placement
from tests.placed import in_processes


def norms() -> list[float]:
    net = rn.Net("line", inputs={"x": (3,)}, seed=1).add("fit", rn.Linear(out_features=4))
    net.add("last", rn.Linear(out_features=2))
    placement = Placement.of(net, rn.Rollout.sequential(net), {"blocks": {"fit": "feature"}})
    assert placement is not None
    parameters = net.parameters_by_address()
    sharing = placement.sharing(parameters)
    for parameter in parameters.values():
        parameter.grad = torch.full_like(parameter, 2.0)
    parameters["net/fit/bias"].grad = torch.full((2,), 3.0 + dist.get_rank())
    return [float(sharing.norm(parameters.values(), kind)) for kind in (2.0, math.inf)]


def test_norms_are_of_all_slices_each_counted_once(tmp_path: Path) -> None:
    squares = (3 * 4 + 4 * 2 + 2) * 4 + 2 * 9 + 2 * 16
    for two, largest in in_processes(2, tmp_path, norms):
        assert abs(two - squares**0.5) < 1e-5
        assert largest == 4
