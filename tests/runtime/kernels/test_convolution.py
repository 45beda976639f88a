"""The C++ of convolutions: which code is generated for which sizes."""

from __future__ import annotations

import torch

from rillnet.runtime.kernels.compiling import Compiler
from rillnet.runtime.kernels.convolution import ConvolutionSizes
from rillnet.runtime.kernels.forms import Geometry
from rillnet.runtime.kernels.maps import MapSizes

COMPILER = Compiler("g++", lanes=8, registers=16, openmp=None, fingerprint="")
SAME = Geometry(padding=(1, 1, 1, 1))


def sizes(pixels: int, geometry: Geometry = SAME) -> ConvolutionSizes:
    maps = MapSizes((pixels, pixels), (3, 3), geometry)
    return ConvolutionSizes.of(torch.empty(1, 2, 4, 5, 3, 3), maps, bias=True, act="relu")


def test_few_vectors_have_code_of_their_own() -> None:
    text = sizes(8).forward_source(COMPILER)
    assert (
        "#define PLACES places<OUTS, 0, 4>(copy, weight, held, 0); places<OUTS, 4, 4>(copy, weight, held, 4);" in text
    )
    assert "#define OUTS_AT_ONCE 2\n" in text


def test_many_vectors_share_code_and_leave_a_rest() -> None:
    text = sizes(13).forward_source(COMPILER)
    assert "for (int j = 0; j < 24; j += 4) places<OUTS, -1, 4>(copy, weight, held, j);" in text


def test_the_gradient_of_the_rows_turns_channels_round() -> None:
    text = sizes(8).rows_gradient_source(COMPILER)
    assert text is not None
    for line in ("#define IN 4", "#define OUT 5", "#define WEIGHT_IN 45", "#define WEIGHT_OUT 9", "#define BIAS 0"):
        assert f"{line}\n" in text
    assert sizes(8, Geometry(stride=(2, 2))).rows_gradient_source(COMPILER) is None
