"""Which kernel computes what, and the reason that is given."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.runtime.kernels import choosing
from rillnet.runtime.kernels.applying import Applied
from rillnet.runtime.kernels.choosing import applied_conv2d, applied_linear, origins
from rillnet.runtime.kernels.compiling import Compiler, Libraries
from rillnet.runtime.kernels.forms import Geometry


def linear(streams: int, inputs: int, outputs: int, **kinds: Any) -> Applied:
    return applied_linear(
        torch.zeros(1, streams, inputs, **kinds), torch.zeros(1, 1, outputs, inputs, **kinds), None, "id"
    )


def test_kernels_are_for_float32(compiler: Compiler) -> None:
    assert linear(1, 6, 21, dtype=torch.float64).kernel is None
    reason = "torch: kernels are for float32, with weights in float32 or bfloat16"
    assert origins()["linear, 6 to 21, float64"] == reason
    assert linear(1, 6, 21).kernel is not None
    assert origins()["linear, 6 to 21, float32"].startswith("C++, ")


def test_kernels_are_for_the_cpu() -> None:
    assert linear(1, 6, 22, device="meta").kernel is None
    assert origins()["linear, 6 to 22, float32"] == "torch: kernels are for the CPU, not for meta"


def test_nothing_is_left_to_torch() -> None:
    assert linear(0, 6, 23).kernel is None
    assert origins()["linear, 6 to 23, float32"] == "torch: there is nothing to compute"


def test_large_matrices_for_many_streams_are_left_to_torch() -> None:
    assert linear(32, 256, 256).kernel is None
    assert origins()["linear, 256 to 256, float32"] == "torch: large matrices for many streams are left to torch"


@pytest.mark.parametrize(
    ("channels", "map_", "reason"),
    [
        (64, (32, 32), "maps that do not stay in a processor's cache are left to torch"),
        (33, (15, 15), "large maps of many channels are left to torch"),
    ],
)
def test_large_maps_are_left_to_torch(compiler: Compiler, channels: int, map_: tuple[int, int], reason: str) -> None:
    rows, weight = torch.zeros(1, 1, channels, *map_), torch.zeros(1, 1, channels, channels, 3, 3)
    assert applied_conv2d(rows, weight, None, "id", Geometry(padding=(1, 1, 1, 1))).kernel is None
    size = f"{channels} x {map_[0]} x {map_[1]} to {channels}"
    assert origins()[f"convolution 3 x 3, {size}, float32"] == f"torch: {reason}"


def test_without_a_compiler_torch_computes(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(choosing, "_LIBRARIES", Libraries(tmp_path, search=str(tmp_path)))
    assert linear(1, 6, 24).kernel is None
    assert origins()["linear, 6 to 24, float32"] == "torch: no C++ compiler was found (g++, c++, clang++)"


def test_equal_sizes_have_one_kernel(compiler: Compiler) -> None:
    assert linear(1, 6, 21).kernel is linear(5, 6, 21).kernel
