"""Evolution strategies: what trials tell of a loss, and that they leave no trace."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.executor import Context
from rillnet.training.learning_rules import Evolution


def test_on_average_it_is_minus_the_gradient_and_parameters_come_back_bit_for_bit() -> None:
    net = rn.Net("one", inputs={"x": (3,), "t": (2,)}, seed=1)
    net.add("y", rn.Linear(out_features=2), source="x").add("loss", rn.MeanSquaredError(), source=["y", "t"])
    random = torch.Generator().manual_seed(1)
    fields = {"x": torch.randn(8, 3, generator=random), "t": torch.randn(8, 2, generator=random)}
    before = [parameter.detach().clone() for parameter in net.parameters()]
    rule = Evolution(net, pairs=2000, sigma=0.01, seed=3)
    rule.attempt(lambda: net(**fields), Context())
    assert all(torch.equal(one, other) for one, other in zip(before, net.parameters(), strict=True))
    changes = rule.changes({}, Context())
    net(**fields)["loss"].backward()
    for name, parameter in net.parameters_by_address().items():
        distance = (changes[name] + parameter.grad).norm() / parameter.grad.norm()
        assert float(distance) < 0.15
