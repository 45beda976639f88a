"""Connections: weights that correlations can be learned of, and the samples they meet."""

from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.learning_rules.plasticity.connection import Connection
from tests.training.learning_rules.plasticity.rolling import KINDS, inputs_of, net_of


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_back_and_answers_are_those_of_the_block(kind: str) -> None:
    net = net_of(kind).double()
    connection = Connection(net, next(iter(net.parameters_by_address())))
    x = inputs_of(kind, 1)[0]
    y = net(x=x)["y"].detach()
    torch.testing.assert_close(connection.respond(x), y)
    torch.testing.assert_close(connection.unsample(connection.samples(y), y), y)


def test_a_bias_is_no_connection() -> None:
    net = rn.Net("one", inputs={"x": (5,)}, seed=1).add("y", rn.Linear(out_features=3), source="x")
    with pytest.raises(RequestError, match=r"must be the weight of a Linear, a Conv2d or a plain Synapse"):
        Connection(net, "net/y/bias")
