"""Turns in Python and compiled: equal numbers, compiled once, and Python where torch cannot."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.random import derive
from rillnet.runtime.plan import ALWAYS, IN_TRAINING, NEVER, Turn
from rillnet.runtime.program import Program
from rillnet.runtime.turns import divide, seed_generators

# torch looks at the gradient of what enters a compiled function, and keeps its own warning about that to itself.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


class Counting:
    """A backend that runs graphs as they are, and notes each that it is given."""

    def __init__(self) -> None:
        self.graphs: list[int] = []

    def __call__(self, graph: torch.fx.GraphModule, inputs: Any) -> Any:
        self.graphs.append(len(graph.graph.nodes))
        return graph.forward


def recurrent(*, drop: bool = False) -> Net:
    net = Net("recurrent", inputs={"x": (3,)}, seed=1)
    net.add("in", rn.Linear(out_features=4), source="x")
    net.add("rec", rn.block("Linear", in_features=4, out_features=4), source="h@-1")
    net.add("sum", rn.Sum(), source=["in", "rec"])
    if drop:
        net.add("drop", rn.Dropout(p=0.5))
    return net.add("h", rn.Tanh()).add("out", rn.Linear(out_features=2)).add("norm", rn.BatchNorm1d())


def sequence(frames: int) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    return [{"x": torch.randn(4, 3, generator=generator)} for _ in range(frames)]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> None:
    torch._dynamo.reset()


def assert_equal_in_python_and_compiled(backend: Any, rollout: dict[str, int], **options: Any) -> Program:
    """Runs a window both ways and compares outputs, state and gradients."""
    nets = [recurrent(), recurrent()]
    eager = Program(nets[0], Rollout(nets[0], rollout), **options)
    compiled = Program(nets[1], Rollout(nets[1], rollout), compile="on", backend=backend, **options)
    window = sequence(12)

    frames, state = eager.unroll(window)
    others, other_state = compiled.unroll(window)

    assert state.keys() == other_state.keys()
    for one, other in zip(frames, others, strict=True):
        torch.testing.assert_close(dict(other), dict(one), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(other_state, state, rtol=1e-5, atol=1e-5)
    for run in (frames, others):
        sum(outputs["norm"][:, 0].square().sum() for outputs in run).backward()
    for (name, one), other in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-5, atol=1e-5, msg=name)
    torch.testing.assert_close(nets[1]["norm"].running_mean, nets[0]["norm"].running_mean)
    return compiled


@pytest.mark.parametrize(("backend", "rollout"), [("aot_eager", {"sum->h": 1}), ("eager", {"*->*": 1, "h->out": 3})])
def test_compiled_frames_give_the_numbers_of_python(backend: str, rollout: dict[str, int]) -> None:
    compiled = assert_equal_in_python_and_compiled(backend, rollout)

    assert compiled.report == dict.fromkeys(["in", "rec", "sum", "h", "out", "norm"], "compiled")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler of torch needs g++")
@pytest.mark.filterwarnings("default")
def test_frames_compiled_to_machine_code_give_the_numbers_of_python() -> None:
    assert_equal_in_python_and_compiled("inductor", {"sum->h": 1}, outputs=["norm"])


def test_a_frame_is_compiled_once_for_any_number_of_frames() -> None:
    counts = []
    for frames in (2, 40):
        backend, net = Counting(), recurrent()
        program = Program(net, Rollout.streaming(net), compile="on", backend=backend)
        program.unroll(sequence(frames), program.initial_state(4))
        counts.append(backend.graphs)

    assert counts[0] == counts[1]
    assert len(counts[0]) <= 2  # the second where the state has come to need gradients


def test_each_program_is_compiled_on_its_own_however_many_there_are() -> None:
    backend = Counting()
    with torch._dynamo.config.patch(recompile_limit=2):
        for _ in range(4):
            net = Net("one", inputs={"x": (3,)}).add("a", nn.Tanh())
            program = Program(net, compile="on", backend=backend)
            program(sequence(1)[0])
            assert program.report == {"a": "compiled"}

    assert len(backend.graphs) == 4


def test_transposed_parameters_are_compiled() -> None:
    tied = {"type": "Linear", "out_features": 3, "share": {"weight": {"of": "a.weight", "transpose": True}}}
    blocks = {"a": {"type": "Linear", "out_features": 2}, "b": tied}
    net = Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks}, seed=1)
    program = Program(net, compile="on", backend="aot_eager")
    inputs = sequence(1)[0]

    outputs, _ = program(inputs)

    torch.testing.assert_close(outputs["b"], net(**inputs)["b"])
    assert program.report == {"a": "compiled", "b": "compiled"}


class Deciding(nn.Module):
    """Goes by a value, which no compiler knows beforehand."""

    stochastic = False

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum().item() > 0 else -x


def test_what_cannot_be_compiled_is_left_to_python_and_reported() -> None:
    net = Net("deciding", inputs={"x": (3,)}, seed=1).add("a", rn.Linear(out_features=3)).add("b", Deciding())
    program = Program(net, compile="on", backend="aot_eager")
    inputs = sequence(1)[0]

    for _ in range(2):
        outputs, _ = program(inputs)
        torch.testing.assert_close(outputs["b"], net(**inputs)["b"])

    assert set(program.report) == {"a", "b"}
    assert all(how.startswith("eager: ") and len(how) > 20 for how in program.report.values())


def test_what_draws_by_address_stays_in_python_and_the_rest_is_compiled() -> None:
    inputs = {"x": torch.ones(4, 3)}

    def seeds(path: str) -> int:
        return derive(1, path)

    nets = [recurrent(drop=True), recurrent(drop=True)]
    compiled = Program(nets[0], compile="on", backend="eager")
    outputs, _ = compiled(inputs, frame_seed=seeds)
    expected, _ = Program(nets[1])(inputs, frame_seed=seeds)

    torch.testing.assert_close(outputs["drop"], expected["drop"])
    reason = "eager: what it draws depends on its address and the frame only"
    assert compiled.report == {name: reason if name == "drop" else "compiled" for name in nets[0].blocks}
    nets[0].set_phase("test")
    compiled(inputs, frame_seed=seeds)
    assert set(compiled.report.values()) == {"compiled"}


def test_an_error_of_a_compiled_block_is_its_own() -> None:
    net = Net("wrong", inputs={"x": (3,)}, seed=1).add("a", rn.Linear(out_features=3))
    program = Program(net, compile="on", backend="aot_eager")
    net["a"].in_features, net["a"].weight = 5, nn.Parameter(torch.zeros(3, 5))

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as error:
        program(sequence(1)[0])

    assert error.value.__notes__ == ["in net/a, which read [4, 3]"]


def test_turns_are_divided_at_those_that_draw() -> None:
    draws = [NEVER, NEVER, IN_TRAINING, ALWAYS, NEVER]
    turns = [Turn(str(n), nn.Identity(), (), n, (), (), (), draw) for n, draw in enumerate(draws)]

    assert [[turn.path for turn in run] for run, _ in divide(turns, seeded=False)] == [["0", "1", "2", "3", "4"]]
    runs = divide(turns, seeded=True)
    assert [[turn.path for turn in run] for run, _ in runs] == [["0", "1"], ["2"], ["3"], ["4"]]
    assert [bool(reason) for _, reason in runs] == [False, True, True, False]
    turns[2].module.eval()
    assert [[turn.path for turn in run] for run, _ in divide(turns, seeded=True)] == [["0", "1", "2"], ["3"], ["4"]]


def test_seeding_gives_the_same_draws() -> None:
    seed_generators(2**63 - 1)
    first = torch.rand(3)
    torch.rand(5)
    seed_generators(2**63 - 1)

    assert torch.equal(torch.rand(3), first)
