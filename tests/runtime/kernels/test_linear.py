"""The C++ of linear blocks: its constants, and the sizes it is not made for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rillnet.runtime.kernels.compiling import KernelUnavailableError, Libraries
from rillnet.runtime.kernels.linear import LinearKernel, LinearSizes


def test_constants_tell_how_weights_lie() -> None:
    weight = torch.empty(5, 3, 2, 6, dtype=torch.bfloat16).transpose(1, 2)
    sizes = LinearSizes.of(weight, bias=True, act="id")
    assert sizes == LinearSizes(3, 6, 2, of_source=6, of_output=12, half=True, bias=True, act="id")
    constants = sizes.constants(lanes=8)
    assert (constants["LANES"], constants["WEIGHT_SOURCE"], constants["WEIGHT_BITS"]) == (4, 6, 16)


def test_narrow_sources_are_left_to_torch(tmp_path: Path) -> None:
    with pytest.raises(KernelUnavailableError, match="sources of fewer than 4 units are left to torch"):
        LinearKernel(LinearSizes(8, 3, 1, 24, 3), Libraries(tmp_path))
