"""Windows of frames: what learning looks back over."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.runtime.executor import Context, Executor
from rillnet.runtime.windows import Window
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import Backprop

FRAMES = 12


def recurrent_net() -> rn.Net:
    net = rn.Net("rnn", {"x": (3,), "y": (2,)}, seed=1)
    net.add("x2h", rn.Linear(out_features=4), source="x")
    net.add("sum", rn.Sum(), source=["x2h", "h2h@-1"])
    net.add("h", rn.Tanh()).add("h2h", rn.Linear(out_features=4, bias=False))
    net.add("out", rn.Linear(out_features=2), source="h")
    return net.add("loss", rn.MeanSquaredError(), source=["out", "y"])


class Frames:
    """Random frames, any of which can be read."""

    frames_per_epoch = FRAMES

    def fields(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {"x": ((3,), torch.float32), "y": ((2,), torch.float32)}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(number)
        return {
            "x": torch.randn(streams, 3, generator=random),
            "y": torch.randn(streams, 2, generator=random),
        }


class Source:
    """A source of them."""

    def phases(self) -> tuple[str, ...]:
        return ("train",)

    def examples(self, phase: str) -> Frames:
        return Frames()


def session(window: int, every: int | None, memory: str = "high", **kwargs: object) -> rn.Session:
    optimizer = {"type": "SGD", "lr": 0.1}
    learning = {"type": "Backprop", "optimizer": optimizer, "window": window, "every": every, "memory": memory}
    data = {"source": Source(), "batch_size": 5}
    run = {"frames": FRAMES, "execution": "eager", "evaluate": {"every": "never"}}
    experiment = rn.Experiment(net=recurrent_net(), data=data, learning=learning, run=run)
    return rn.Session(experiment, **{"record": False, **kwargs})  # type: ignore[arg-type]


def by_hand(window: int, every: int) -> nn.Module:
    """The same learning written out: from the state `window` frames ago, the mean loss of the new frames.

    The state is what the edge with the delay carries: what `h2h` sent, by the parameters of then.
    """
    net, frames = recurrent_net(), Frames()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    states = [torch.zeros(5, 4)]
    for now in range(every, FRAMES + 1, every):
        begin = max(0, now - window)
        carried, losses = states[begin], []
        del states[begin + 1 :]
        for number in range(begin, now):
            inputs = frames.frame(number, 5, 0)
            h = torch.tanh(net["x2h"](inputs["x"]) + carried)
            carried = net["h2h"](h)
            states.append(carried.detach())
            if number >= now - every:
                losses.append((net["out"](h) - inputs["y"]).square().mean())
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    return net


@pytest.mark.parametrize("memory", ["high", "low"])
@pytest.mark.parametrize(("window", "every"), [(1, 1), (4, 4), (4, 1), (4, 2), (12, 12)])
def test_learning_equals_the_same_written_by_hand(window: int, every: int, memory: str) -> None:
    with session(window, every, memory) as running:
        running.run()
    for name, expected in by_hand(window, every).named_parameters():
        assert torch.allclose(running.net.get_parameter(name), expected, atol=1e-6), name


@pytest.mark.parametrize(("window", "every"), [(4, 4), (4, 1), (5, 3)])
@pytest.mark.parametrize("stop", [1, 5, 7])
@pytest.mark.parametrize("memory", ["high", "low"])
def test_a_run_stopped_within_a_window_goes_on_bit_for_bit(
    tmp_path: Path, window: int, every: int, stop: int, memory: str
) -> None:
    with session(window, every, memory) as whole:
        whole.run()
    with session(window, every, memory, record=True, root=tmp_path) as first:
        first.run(frames=stop)
    with session(window, every, memory, record=True, root=tmp_path, resume=True) as second:
        assert second.clock.step == stop
        second.run()
    for name, expected in whole.net.named_parameters():
        assert torch.equal(second.net.get_parameter(name), expected), name


def test_a_window_forgets_what_it_no_longer_needs() -> None:
    window = Window(frames=3, every=1)
    for step in range(10):
        window.add(step, {"x": torch.zeros(1)})
        window.compute(lambda inputs, state, step: (inputs, state), {})
    assert sorted(window.tensors()) == ["8 input x", "9 input x", "new"]


def test_more_new_frames_than_the_window_has_are_refused() -> None:
    with pytest.raises(rn.RillnetError) as error:
        session(2, 3)
    assert str(error.value) == "learning/main.every: must be at most the window, 2 (got 3)"


def test_a_window_keeps_one_state_only() -> None:
    window = Window(frames=4, every=1)
    for step in range(10):
        window.add(step, {"x": torch.zeros(1)})
        window.compute(lambda inputs, state, step: (inputs, {"h": state["h"] + 1}), {"h": torch.zeros(1)})
    assert sorted(window.tensors()) == ["7 input x", "7 state h", "8 input x", "9 input x", "new"]
    assert float(window.tensors()["7 state h"]) == 7.0


class Remembering(nn.Module):
    """Passes on what it reads, and remembers it weakly."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[weakref.ref[Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        sent = x * 1.0
        self.sent.append(weakref.ref(sent))
        return sent


def watched_net() -> tuple[rn.Net, Remembering]:
    """Recurrent, with dropout and running statistics, so that a second computation could differ from the first."""
    net, remembering = rn.Net("noisy", {"x": (3,), "y": (2,)}, seed=1), Remembering()
    net.add("x2h", rn.Linear(out_features=4), source="x").add("norm", rn.BatchNorm1d())
    net.add("sum", rn.Sum(), source=["norm", "h2h@-1"]).add("h", rn.Tanh()).add("drop", rn.Dropout(p=0.3))
    net.add("seen", remembering).add("h2h", rn.Linear(out_features=4, bias=False))
    net.add("out", rn.Linear(out_features=2), source="seen")
    return net.add("loss", rn.MeanSquaredError(), source=["out", "y"]), remembering


def learned(memory: str, window: int, every: int, steps: int, **execution: Any) -> tuple[rn.Net, int]:
    """A net after some frames, and how many of its frames were alive at most when learning began."""
    net, remembering = watched_net()
    most = 0

    class Looking(Backprop):
        """Counts what is alive before it goes back."""

        def _go_back(self, outputs: Any, context: Any, keep_graph: bool) -> None:
            nonlocal most
            most = max(most, sum(reference() is not None for reference in remembering.sent))
            remembering.sent.clear()
            super()._go_back(outputs, context, keep_graph)

    rule = Looking(net, optimizer={"type": "Adam", "lr": 0.01}, window=window, every=every, memory=memory)  # type: ignore[arg-type]
    plain = {"compile": False, "memory_format": "contiguous", "optimizer": "single", **execution}
    executor = Executor(net, rn.Rollout.streaming(net), {"main": rule}, execution=ExecutionSpec(**plain), seed=3)
    frames = Frames()
    for step in range(steps):
        executor.learn(frames.frame(step, 5, 0), Context(step))
    return net, most


@pytest.mark.parametrize(("window", "every"), [(16, 16), (16, 5), (7, 1)])
def test_low_memory_gives_the_same_numbers(window: int, every: int) -> None:
    (high, _), (low, _) = (learned(memory, window, every, 40) for memory in ("high", "low"))

    assert high.state_dict().keys() == low.state_dict().keys()
    # with high memory a window without overlap is computed at once, where sums have another order
    error = 1e-4 if window == every else 0.0
    for name, tensor in high.state_dict().items():
        if error and name in ("x2h.bias", "norm.running_mean"):
            continue  # the gradient in front of a normalisation is zero but for rounding, and Adam steps by its sign
        torch.testing.assert_close(low.state_dict()[name], tensor, rtol=error, atol=error, msg=name)


def test_low_memory_keeps_few_frames() -> None:
    assert learned("high", 64, 64, 64)[1] >= 60
    assert learned("low", 64, 64, 64)[1] <= 16


@pytest.mark.parametrize(("memory", "compiles"), [("high", True), ("low", False)])
def test_frames_of_low_memory_are_not_compiled(memory: str, compiles: bool) -> None:
    net, _ = watched_net()
    rule = Backprop(net, window=4, memory=memory)  # type: ignore[arg-type]
    executor = Executor(net, rn.Rollout.streaming(net), {"main": rule}, execution=ExecutionSpec(compile=True))

    assert executor.compiles is compiles
    assert executor._training.compile == ("on" if compiles else "off")


def test_a_window_may_hold_the_short_last_batch_of_a_net_without_state() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(20, 3, generator=generator), torch.randn(20, 1, generator=generator)
    found = []
    for window, accumulate in ((2, 1), (1, 2)):
        net = rn.Net("line", {"x": (3,), "y": (1,)}, seed=1).add("fit", rn.Linear(out_features=1), source="x")
        net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
        rule = Backprop(net, optimizer={"type": "SGD", "lr": 0.1}, window=window, accumulate=accumulate)
        executor = Executor(net, rn.Rollout.sequential(net), {"main": rule}, execution=ExecutionSpec(compile=False))
        for step, (begin, end) in enumerate([(0, 8), (8, 16), (16, 20), (0, 8)]):
            executor.learn({"x": x[begin:end], "y": y[begin:end]}, Context(step))
        found.append(net["fit"].weight.detach())
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)
