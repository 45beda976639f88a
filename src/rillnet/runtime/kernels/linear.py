"""Linear blocks of one size in C++: sums over gathered sources, and their gradients."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.kernels.compiling import KernelUnavailableError, Libraries
from rillnet.runtime.kernels.forms import Act
from rillnet.runtime.kernels.generating import lanes_within, source
from rillnet.runtime.kernels.indices import Index

_FEWEST_INPUTS = 4
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_FEW_OUTPUTS = 16
_AHEAD = 16
"""How many pools ahead rows are asked for."""


@dataclass(frozen=True, slots=True)
class LinearSizes:
    """What the C++ of linear blocks is generated for.

    Args:
        outputs: units of a pool.
        inputs: units of a source.
        sources: of a pool.
        of_source: weights from one source's to the next one's.
        of_output: weights from one output's to the next one's.
        half: whether weights are bfloat16.
        bias: whether there is one.
        act: what is done to the sums.
    """

    outputs: int
    inputs: int
    sources: int
    of_source: int
    of_output: int
    half: bool = False
    bias: bool = False
    act: Act = "id"

    @classmethod
    def of(cls, weight_GSOI: Tensor, *, bias: bool, act: Act) -> LinearSizes:
        """Of these weights.

        Args:
            weight_GSOI: the inputs of an output lie next to each other.
            bias: whether there is one.
            act: what is done to the sums.
        """
        _, sources, outputs, inputs = weight_GSOI.shape
        strides = weight_GSOI.stride()
        half = weight_GSOI.dtype == torch.bfloat16
        return cls(outputs, inputs, sources, strides[1], strides[2], half, bias, act)

    def constants(self, lanes: int) -> dict[str, int | str]:
        """For the C++.

        Args:
            lanes: of the processor.
        """
        return {
            "LANES": lanes_within(self.inputs, lanes),
            "OUT": self.outputs,
            "IN": self.inputs,
            "SOURCES": self.sources,
            "WEIGHT_SOURCE": self.of_source,
            "WEIGHT_OUT": self.of_output,
            "WEIGHT_BITS": 16 if self.half else 32,
            "BIAS": int(self.bias),
        }


def _at_once(outputs: int) -> int:
    """Outputs of one stream that are summed together: all of a small pool, whose weights are then read in a row."""
    if outputs % 4 == 0 and outputs <= _FEW_OUTPUTS:
        return outputs
    return 8 if outputs >= 8 else 4


class LinearKernel:
    """Linear blocks of one size.

    Args:
        sizes: of them.
        libraries: where the C++ is compiled.

    Raises:
        KernelUnavailableError: there is no such kernel here.
    """

    def __init__(self, sizes: LinearSizes, libraries: Libraries) -> None:
        if sizes.inputs < _FEWEST_INPUTS:
            raise KernelUnavailableError(f"sources of fewer than {_FEWEST_INPUTS} units are left to torch")
        self.sizes, self._libraries = sizes, libraries
        constants = {
            **sizes.constants(libraries.compiler.lanes),
            "AHEAD": _AHEAD,
            "ACT": sizes.act.upper(),
            "SINGLE_OUTS": _at_once(sizes.outputs),
        }
        arguments = [_POINTER] * 5 + [_NUMBER] * 5 + [ctypes.c_int]
        self._run, self.origin = libraries.function(
            source(constants, "vectors.h", "activations.h", "linear.cpp"), arguments
        )

    @functools.cached_property
    def _run_rows_gradient(self) -> Callable[..., None]:
        constants = self.sizes.constants(self._libraries.compiler.lanes)
        arguments = [_POINTER] * 5 + [_NUMBER] * 3 + [ctypes.c_int]
        return self._libraries.function(source(constants, "vectors.h", "linear_rows_gradient.cpp"), arguments)[0]

    @functools.cached_property
    def _run_weight_gradient(self) -> Callable[..., None]:
        constants = {**self.sizes.constants(self._libraries.compiler.lanes), "WEIGHT_BITS": 32}
        arguments = [_POINTER] * 4 + [_NUMBER] * 4 + [ctypes.c_int]
        return self._libraries.function(source(constants, "vectors.h", "linear_weight_gradient.cpp"), arguments)[0]

    def forward(
        self, rows_RBI: Tensor, weight_GSOI: Tensor, index: Index, bias_GO: Tensor | None, out_GBO: Tensor | None
    ) -> Tensor:
        """The sums of all pools, activated where the sizes say so.

        Args:
            rows_RBI: float32; the units of a stream lie next to each other.
            weight_GSOI: as the sizes say.
            index: of the rows.
            bias_GO: contiguous float32, or None.
            out_GBO: contiguous float32, written to; a new tensor if None.
        """
        pools, streams = weight_GSOI.shape[0], rows_RBI.shape[1]
        if out_GBO is None:
            out_GBO = rows_RBI.new_empty(pools, streams, self.sizes.outputs)
        self._run(
            rows_RBI.data_ptr(),
            weight_GSOI.data_ptr(),
            index.index_GS.data_ptr(),
            None if bias_GO is None else bias_GO.data_ptr(),
            out_GBO.data_ptr(),
            pools,
            streams,
            rows_RBI.stride(0),
            rows_RBI.stride(1),
            weight_GSOI.stride(0),
            torch.get_num_threads(),
        )
        return out_GBO

    def rows_gradient(self, gz_GBO: Tensor, weight_GSOI: Tensor, index: Index, rows_RBI: Tensor) -> Tensor:
        """The gradient of the rows.

        Args:
            gz_GBO: contiguous gradient of the sums.
            weight_GSOI: as the sizes say.
            index: of the rows.
            rows_RBI: as they were read.
        """
        rows, streams, inputs = rows_RBI.shape
        positions, starts, _ = index.readers(rows)
        gx_RBI = gz_GBO.new_empty(rows, streams, inputs)
        self._run_rows_gradient(
            gz_GBO.data_ptr(),
            weight_GSOI.data_ptr(),
            positions.data_ptr(),
            starts.data_ptr(),
            gx_RBI.data_ptr(),
            rows,
            streams,
            weight_GSOI.stride(0),
            torch.get_num_threads(),
        )
        return gx_RBI

    def weight_gradient(self, gz_GBO: Tensor, weight_GSOI: Tensor, index: Index, rows_RBI: Tensor) -> Tensor:
        """The gradient of the weights, float32.

        Args:
            gz_GBO: contiguous gradient of the sums.
            weight_GSOI: as the sizes say.
            index: of the rows.
            rows_RBI: as they were read.
        """
        gw_GSOI = gz_GBO.new_empty(weight_GSOI.shape)
        self._run_weight_gradient(
            gz_GBO.data_ptr(),
            rows_RBI.data_ptr(),
            index.index_GS.data_ptr(),
            gw_GSOI.data_ptr(),
            weight_GSOI.shape[0],
            rows_RBI.shape[1],
            rows_RBI.stride(0),
            rows_RBI.stride(1),
            torch.get_num_threads(),
        )
        return gw_GSOI
