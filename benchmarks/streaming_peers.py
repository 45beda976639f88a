"""Peers of the streaming benchmark: the same pools in plain PyTorch, compiled, stacked by hand, in one kernel.

Every peer is a loop over frames of one stream without gradients. Its state is what all pools sent a frame ago, and the
input of a frame is read one frame later, as by the streaming rollout.
"""

from __future__ import annotations

import ctypes
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import time_calls
from streaming_nets import StreamingCase
from torch import Tensor, nn
from torch.nn import functional

from rillnet.runtime.kernels.compiling import Libraries
from rillnet.runtime.kernels.gathered import gathered_conv2d, gathered_linear

BY_HAND = Path(__file__).with_name("pools_by_hand.cpp")

ALONE = "the generated kernel alone"

_ACTS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "tanh": torch.tanh}


class Peer:
    """A net that computes frame after frame.

    Attributes:
        compile_s: seconds that a compiler took before the first frame.
    """

    compile_s = 0.0

    def __init__(self, case: StreamingCase) -> None:
        self.case = case
        self.number = 0
        self.shown = case.inputs(8)
        self.weights, self.biases = case.parameters()
        self.index = torch.tensor(case.read)

    def frame(self, x: Tensor) -> None:
        """Computes a frame."""
        raise NotImplementedError

    def sent(self) -> Tensor:
        """What all pools sent in the last frame, [pools, *shape]."""
        raise NotImplementedError

    def seconds_per_step(self, steps: int) -> float:
        """Goes on for some frames."""
        with torch.no_grad():
            return time_calls(self._next, steps)

    def compile(self) -> None:
        """Computes a frame of what is to be compiled, and forgets it."""
        raise NotImplementedError

    def _compiled(self) -> None:
        begin = time.perf_counter()
        with torch.no_grad():
            self.compile()
        self.compile_s = time.perf_counter() - begin

    def _next(self) -> None:
        self.number += 1
        self.frame(self.shown[self.number % len(self.shown)])


class PlainLoop(Peer):
    """Layers called one after another; what a pool reads is laid side by side for one layer."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        count = max(case.sources, 1)
        layers = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            layer = self._layer(case, count)
            layer.weight.data = weight.transpose(0, 1).flatten(1, 2).contiguous()
            layer.bias.data = bias.clone()
            layers.append(layer)
        self.layers, self.read, self.act = nn.ModuleList(layers), case.read, _ACTS[case.act]
        self.values = [torch.zeros(1, *case.shape) for _ in range(case.pools + 1)]

    @staticmethod
    def _layer(case: StreamingCase, count: int) -> Any:
        size = case.shape[0]
        return nn.Linear(count * size, size) if len(case.shape) == 1 else nn.Conv2d(count * size, size, 3, padding=1)

    def compute(self, values: list[Tensor]) -> list[Tensor]:
        """What every pool sends."""
        found = []
        for layer, read in zip(self.layers, self.read, strict=True):
            rows = [values[row] for row in read]
            found.append(self.act(layer(rows[0] if len(rows) == 1 else torch.cat(rows, 1))))
        return found

    def frame(self, x: Tensor) -> None:
        self.values = [x, *self.compute(self.values)]

    def sent(self) -> Tensor:
        return torch.cat(self.values[1:])


class CompiledLoop(PlainLoop):
    """The same through torch.compile."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        self.compute = torch.compile(self.compute)  # type: ignore[method-assign]
        self._compiled()

    def compile(self) -> None:
        self.compute(self.values)


class Stacked(Peer):
    """All pools at once: what each reads is gathered, and multiplied as a batch of matrices or convolved in groups."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        self.side_by_side = self.weights.transpose(1, 2).flatten(2, 3).contiguous()
        self.values = torch.zeros(case.pools + 1, *case.shape)
        self.act = _ACTS[case.act]

    def compute(self, values: Tensor) -> Tensor:
        """What every pool sends."""
        rows = values[self.index].flatten(1, 2)
        if rows.dim() == 2:
            return self.act(torch.baddbmm(self.biases[..., None], self.side_by_side, rows[..., None])[..., 0])
        maps = rows.flatten(0, 1)[None]
        weight = self.side_by_side.flatten(0, 1)
        sent = functional.conv2d(maps, weight, self.biases.flatten(), padding=1, groups=self.case.pools)
        return self.act(sent.unflatten(1, (self.case.pools, -1))[0])

    def frame(self, x: Tensor) -> None:
        self.values = torch.cat([x, self.compute(self.values)])

    def sent(self) -> Tensor:
        return self.values[1:]


class MultiplyAndSum(Stacked):
    """Dense pools as one product of all numbers and a sum, compiled."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        self.compute = torch.compile(self._multiply)  # type: ignore[method-assign]
        self._compiled()

    def compile(self) -> None:
        self.compute(self.values)

    def _multiply(self, values: Tensor) -> Tensor:
        rows = values[self.index].flatten(1, 2)
        return self.act((self.side_by_side * rows[:, None]).sum(-1) + self.biases)


class ChannelsLast(Peer):
    """A chain of convolutions as one grouped convolution, channels last; the state is written in place."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        size, x, y = case.shape
        self.weight = self.weights.flatten(0, 2).contiguous(memory_format=torch.channels_last)
        self.state = torch.zeros(1, (case.pools + 1) * size, x, y).contiguous(memory_format=torch.channels_last)

    def frame(self, x: Tensor) -> None:
        case, size = self.case, self.case.shape[0]
        read = self.state[:, : case.pools * size].contiguous(memory_format=torch.channels_last)
        sent = functional.conv2d(read, self.weight, self.biases.flatten(), padding=1, groups=case.pools)
        self.state[:, :size] = x
        torch.clamp_min(sent, 0, out=self.state[:, size:])

    def sent(self) -> Tensor:
        return self.state[0].unflatten(0, (self.case.pools + 1, -1))[1:]


class ByHand(Peer):
    """A small C++ kernel written for the sizes of the case, from one buffer into another; torch's tanh after it."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        self.buffers = [torch.zeros(case.pools + 1, 1, *case.shape) for _ in range(2)]
        self.dense = len(case.shape) == 1
        if self.dense:
            self.weights = self.weights.transpose(2, 3).contiguous()
        sizes = {"SOURCES": max(case.sources, 1), "SIZE": case.shape[0]}
        sizes |= {} if self.dense else {"HEIGHT": case.shape[1], "WIDTH": case.shape[2]}
        defined = "".join(f"#define {name} {size}\n" for name, size in sizes.items())
        arguments = [ctypes.c_void_p] * 5 + [ctypes.c_int64]
        self.run, _ = Libraries().function(defined + BY_HAND.read_text(), arguments)

    @staticmethod
    def fits(case: StreamingCase) -> bool:
        """Whether it was written for such sizes, and can be compiled."""
        vectors = case.shape if len(case.shape) == 1 else case.shape[1:]
        return all(size % 8 == 0 for size in vectors) and shutil.which("g++") is not None

    def frame(self, x: Tensor) -> None:
        before, after = self.buffers
        given, sent = (before, self.weights, self.index, self.biases), after[1:]
        self.run(*(tensor.data_ptr() for tensor in given), sent.data_ptr(), self.case.pools)
        if self.dense:
            sent.tanh_()
        after[0].copy_(x)
        self.buffers = [after, before]

    def sent(self) -> Tensor:
        return self.buffers[0][1:, 0]


class Kernel(Peer):
    """The generated kernel alone, called as a function, from one buffer into another: what a frame costs at least."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        self.buffers = [torch.zeros(case.pools + 1, 1, *case.shape) for _ in range(2)]
        self.geometry = {} if len(case.shape) == 1 else {"padding": (1, 1)}
        self.call: Any = gathered_linear if len(case.shape) == 1 else gathered_conv2d

    def frame(self, x: Tensor) -> None:
        before, after = self.buffers
        self.call(before, self.weights, self.index, self.biases, self.case.act, out=after[1:], **self.geometry)
        after[0].copy_(x)
        self.buffers = [after, before]

    def sent(self) -> Tensor:
        return self.buffers[0][1:, 0]


def peers_of(case: StreamingCase) -> dict[str, Callable[[], Peer]]:
    """The peers that can compute a case, by name; the compiled loop and JAX are not among them."""
    found: dict[str, Callable[[], Peer]] = {"plain loop": lambda: PlainLoop(case), "stacked": lambda: Stacked(case)}
    if len(case.shape) == 1:
        found["multiply-and-sum, compiled"] = lambda: MultiplyAndSum(case)
    if not case.sources:
        found["stacked, channels-last, in place"] = lambda: ChannelsLast(case)
    if ByHand.fits(case):
        found["C++ kernel by hand"] = lambda: ByHand(case)
    found[ALONE] = lambda: Kernel(case)
    return found
