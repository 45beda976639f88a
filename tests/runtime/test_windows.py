"""Windows of frames: what learning looks back over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.runtime.windows import Window

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


def session(window: int, every: int | None, **kwargs: object) -> rn.Session:
    learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.1}, "window": window, "every": every}
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


@pytest.mark.parametrize(("window", "every"), [(1, 1), (4, 4), (4, 1), (4, 2), (12, 12)])
def test_learning_equals_the_same_written_by_hand(window: int, every: int) -> None:
    with session(window, every) as running:
        running.run()
    for name, expected in by_hand(window, every).named_parameters():
        assert torch.allclose(running.net.get_parameter(name), expected, atol=1e-6), name


@pytest.mark.parametrize(("window", "every"), [(4, 4), (4, 1), (5, 3)])
@pytest.mark.parametrize("stop", [1, 5, 7])
def test_a_run_stopped_within_a_window_goes_on_bit_for_bit(tmp_path: Path, window: int, every: int, stop: int) -> None:
    with session(window, every) as whole:
        whole.run()
    with session(window, every, record=True, root=tmp_path) as first:
        first.run(frames=stop)
    with session(window, every, record=True, root=tmp_path, resume=True) as second:
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
