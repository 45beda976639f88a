"""Generated kernels against torch's forms of the same: many small linear and convolutional blocks, each reading others.

`linear`: 10,000 blocks of 16 units with 4 sources each. `convolution`: 1,000 blocks of [8, 8, 8] with 3 sources each.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

import torch
from calm import Calm
from measuring import CLOCKS, Variant, interleave, ready, set_clock, speed, time_calls
from torch import Tensor
from torch.nn import functional

from rillnet.runtime.kernels.gathered import explain, gathered_conv2d, gathered_linear

Variants = dict[str, Callable[[], Tensor]]


class Calls:
    """Something that is called again and again, without gradients."""

    def __init__(self, call: Callable[[], Tensor]) -> None:
        self._call = call

    def seconds_per_step(self, steps: int) -> float:
        with torch.no_grad():
            return time_calls(self._call, steps)


def linear(streams: int, pools: int = 10_000, sources: int = 4, units: int = 16) -> tuple[Variants, float]:
    """The variants, and the gigabytes of weights that a frame reads."""
    rows, index = torch.randn(pools, streams, units), torch.randint(pools, (pools, sources))
    weight, bias = torch.randn(pools, sources, units, units) / 8, torch.randn(pools, units)
    half, out = weight.bfloat16(), torch.empty(pools, streams, units)
    side_by_side = weight.transpose(1, 2).reshape(pools, units, sources * units).contiguous()

    def stacked_bmm() -> Tensor:
        gathered = rows[index].transpose(1, 2).reshape(pools, streams, sources * units)
        return torch.relu_(torch.baddbmm(bias[:, None], gathered, side_by_side.mT))

    def multiply_and_sum() -> Tensor:
        gathered = rows[index].transpose(1, 2).reshape(pools, streams, 1, sources * units)
        return torch.relu((gathered * side_by_side[:, None]).sum(3) + bias[:, None])

    variants = {
        "kernel": functools.partial(gathered_linear, rows, weight, index, bias, "relu", out=out),
        "kernel, bfloat16 weights": functools.partial(gathered_linear, rows, half, index, bias, "relu", out=out),
        "stacked bmm": stacked_bmm,
        "compiled multiply and sum": torch.compile(multiply_and_sum),
        "bound: weights read once": weight.sum,
    }
    return variants, weight.numel() * 4 / 1e9


def convolution(streams: int, channels: int, pools: int = 1_000, sources: int = 3) -> tuple[Variants, float]:
    """The variants, and the billions of multiplications and additions of a frame."""
    rows, index = torch.randn(pools, streams, channels, 8, 8), torch.randint(pools, (pools, sources))
    weight, bias = torch.randn(pools, sources, channels, channels, 3, 3) / 8, torch.randn(pools, channels)
    out, padding = torch.empty(pools, streams, channels, 8, 8), (1, 1)
    stacked = weight.transpose(1, 2).reshape(pools * channels, sources * channels, 3, 3).contiguous()

    def grouped_convolution() -> Tensor:
        read = rows[index].permute(2, 0, 1, 3, 4, 5).reshape(streams, -1, 8, 8)
        return torch.relu_(functional.conv2d(read, stacked, bias.flatten(), padding=padding, groups=pools))

    kernel = functools.partial(gathered_conv2d, rows, weight, index, bias, "relu", padding=padding, out=out)
    count = 2 * weight.numel() * 64 * streams / 1e9
    return {"kernel": kernel, "stacked grouped convolution": grouped_convolution}, count


def compare(title: str, variants: Variants, amount: float, unit: str, rounds: int, steps: int, calm: Calm) -> None:
    """Prints frames per second of each variant, and how many times slower than the kernel it is."""
    made = [ready(name, lambda call=call: Calls(call)) for name, call in variants.items()]
    interleave(made, rounds, steps, calm, say=lambda text: None)
    ours: Variant = made[0]
    print(f"{title}\n| variant | frames/s | {unit} | the kernel is faster by (quartiles) | s to the first frame |")
    print("|---|---:|---:|---:|---:|")
    for each in made:
        rate = 1 / each.median_s
        print(f"| {each.name} | {rate:.0f} | {amount * rate:.1f} | {speed(ours, each)} | {each.ready_s:.1f} |")
    print(flush=True)


def main() -> None:
    """Compares for the sizes and streams that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1], help="streams of a batch")
    parser.add_argument("--channels", type=int, nargs="+", default=[8], help="channels of the convolutional blocks")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5, help="frames in a turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that a turn waits for a quiet machine")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    run = functools.partial(compare, rounds=asked.rounds, steps=asked.steps, calm=Calm(patience_s=asked.patience))
    for streams in asked.streams:
        run(f"linear, {streams} streams", *linear(streams), "GB/s of float32 weights")
        for channels in asked.channels:
            title = f"convolution [{channels}, 8, 8], {streams} streams"
            run(title, *convolution(streams, channels), "GFLOP/s")
    print("\n".join(f"{name}: {origin}" for name, origin in explain().items()))


if __name__ == "__main__":
    main()
