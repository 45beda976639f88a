"""A compiled frame computes what Python does, for any net and any valid delays, and so do its gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from tests.model.random_nets import SIZE, documents, valid_delays

STREAMS, FRAMES = 2, 3


def assert_alike(document: Any, data: st.DataObject) -> None:
    """Compares what is sent, the state and the gradients of all parameters over some frames."""
    net = Net.from_spec(document, seed=1)
    rollout = Rollout(net, data.draw(valid_delays(net)))
    generator = torch.Generator().manual_seed(1)
    inputs = [{name: torch.randn(STREAMS, SIZE, generator=generator) for name in net.inputs} for _ in range(FRAMES)]
    found = []
    for compile in ("off", "on"):
        torch._dynamo.reset()
        program = Program(net, rollout, compile=compile, group="off")
        frames, state = program.unroll(inputs)
        assert compile == "off" or not [how for how in program.report.values() if how != "compiled"]
        total = torch.stack([frame[name].square().mean() for frame in frames for name in net.blocks]).sum()
        parameters = list(net.parameters())
        gradients = torch.autograd.grad(total, parameters, allow_unused=True) if parameters else ()
        found.append((frames, state, gradients))
    (frames, state, gradients), (others, other_state, other_gradients) = found
    for one, other in zip(frames, others, strict=True):
        torch.testing.assert_close(dict(other), dict(one), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dict(other_state), dict(state), rtol=1e-5, atol=1e-5)
    for mine, compiled in zip(gradients, other_gradients, strict=True):
        assert (mine is None) == (compiled is None)
        if mine is not None:
            torch.testing.assert_close(compiled, mine, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the compiler itself
@pytest.mark.timeout(1200)
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(documents(most=3), st.data())
def test_any_net_is_compiled_as_python_computes_it(document: Any, data: st.DataObject) -> None:
    assert_alike(document, data)
