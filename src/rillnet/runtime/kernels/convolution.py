"""Convolutional blocks of one size in C++: sums over gathered sources, and their gradients."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.runtime.kernels.compiling import Compiler, KernelUnavailableError, Libraries
from rillnet.runtime.kernels.forms import Act
from rillnet.runtime.kernels.generating import source
from rillnet.runtime.kernels.indices import Index
from rillnet.runtime.kernels.maps import Layout, MapSizes

_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_LARGEST = 64 * 1024
"""Numbers that a thread holds at most; what is larger does not stay in its cache, and torch is as fast."""

_UNROLLED = 16
"""With at most so many vectors, what lies outside the map is left out of the code."""

_MANY_CHANNELS = 32 * 32
"""With so many pairs of channels on maps that are not unrolled, torch's own convolution is as fast."""


@dataclass(frozen=True, slots=True)
class ConvolutionSizes:
    """What the C++ of convolutional blocks is generated for.

    Args:
        maps: sizes of the maps and of the kernel.
        outputs: channels of a pool.
        inputs: channels of a source.
        sources: of a pool.
        half: whether weights are bfloat16.
        bias: whether there is one.
        act: what is done to the sums.
    """

    maps: MapSizes
    outputs: int
    inputs: int
    sources: int
    half: bool = False
    bias: bool = False
    act: Act = "id"

    @classmethod
    def of(cls, weight_GSOCKL: Tensor, maps: MapSizes, *, bias: bool, act: Act) -> ConvolutionSizes:
        """Of these weights.

        Args:
            weight_GSOCKL: those of one source are contiguous.
            maps: sizes of the maps and of the kernel.
            bias: whether there is one.
            act: what is done to the sums.
        """
        _, sources, outputs, inputs, *_ = weight_GSOCKL.shape
        return cls(maps, outputs, inputs, sources, weight_GSOCKL.dtype == torch.bfloat16, bias, act)

    @property
    def weights(self) -> int:
        """Of one source of one pool."""
        return self.outputs * self.inputs * self.maps.kernel[0] * self.maps.kernel[1]

    def forward_source(self, compiler: Compiler) -> str:
        """The C++ of the sums.

        Args:
            compiler: for this one.
        """
        return self._sums(self.maps, self.outputs, self.inputs, compiler, turned=False)

    def rows_gradient_source(self, compiler: Compiler) -> str | None:
        """The C++ of the gradient of the rows, or None where it is no convolution.

        Args:
            compiler: for this one.
        """
        maps = self.maps.turned_round()
        return None if maps is None else self._sums(maps, self.inputs, self.outputs, compiler, turned=True)

    def _sums(self, maps: MapSizes, outputs: int, inputs: int, compiler: Compiler, *, turned: bool) -> str:
        layout = Layout.of(maps, compiler.lanes)
        taps = maps.kernel[0] * maps.kernel[1]
        at_once, together = _tile(outputs, layout.vectors, compiler.registers)
        constants = {
            **layout.constants(maps, inputs),
            "OUT": outputs,
            "WEIGHT_BITS": 16 if self.half else 32,
            "WEIGHT_SIZE": self.weights,
            "WEIGHT_OUT": taps if turned else inputs * taps,
            "WEIGHT_IN": outputs * taps if turned else taps,
            "FLIPPED": int(turned),
            "BIAS": int(self.bias and not turned),
            "ACT": "ID" if turned else self.act.upper(),
            "OUTS_AT_ONCE": at_once,
            "PLACES": _places(layout.vectors, together),
        }
        return source(constants, "vectors.h", "activations.h", "maps.h", "convolution.cpp")

    def weight_gradient_source(self, compiler: Compiler) -> str:
        """The C++ of the gradient of the weights.

        Args:
            compiler: for this one.
        """
        layout = Layout.of(self.maps, compiler.lanes)
        constants = {
            **layout.constants(self.maps, self.inputs),
            "OUT": self.outputs,
            "SOURCES": self.sources,
            "WEIGHT_BITS": 32,
        }
        return source(constants, "vectors.h", "maps.h", "convolution_weight_gradient.cpp")

    def held(self, compiler: Compiler) -> int:
        """Numbers that a thread holds at most.

        Args:
            compiler: for this one.
        """
        layout = Layout.of(self.maps, compiler.lanes)
        of_maps = layout.copy_size(self.maps, self.inputs) + self.outputs * layout.vectors * layout.lanes
        return of_maps + self.weights


def _tile(outputs: int, vectors: int, registers: int) -> tuple[int, int]:
    """Channels and vectors of which sums are in registers together.

    Besides the sums, registers hold a weight for each channel and one vector of pixels.
    """
    most = 4 if registers < 32 else 8
    together = -(-vectors // -(-vectors // most))
    return min(outputs, max(1, (registers - 3) // (together + 1))), together


def _places(vectors: int, together: int) -> str:
    """Calls that cover all vectors: each with its own code where they are few, else a loop and the rest."""
    call = "places<OUTS, {}, {}>(copy, weight, held, {});".format
    if vectors <= _UNROLLED:
        return " ".join(call(at, min(together, vectors - at), at) for at in range(0, vectors, together))
    whole = vectors // together * together
    calls = [f"for (int j = 0; j < {whole}; j += {together}) {call(-1, together, 'j')}"]
    if whole < vectors:
        calls.append(call(-1, vectors - whole, whole))
    return " ".join(calls)


class ConvolutionKernel:
    """Convolutional blocks of one size.

    Args:
        sizes: of them.
        libraries: where the C++ is compiled.

    Raises:
        KernelUnavailableError: there is no such kernel here.
    """

    def __init__(self, sizes: ConvolutionSizes, libraries: Libraries) -> None:
        compiler = libraries.compiler
        if sizes.held(compiler) > _LARGEST:
            raise KernelUnavailableError("maps that do not stay in a processor's cache are left to torch")
        vectors = Layout.of(sizes.maps, compiler.lanes).vectors
        if vectors > _UNROLLED and sizes.inputs * sizes.outputs >= _MANY_CHANNELS:
            raise KernelUnavailableError("large maps of many channels are left to torch")
        self.sizes, self._libraries = sizes, libraries
        self._run, self.origin = libraries.function(sizes.forward_source(compiler), _ARGUMENTS_OF_SUMS)

    @functools.cached_property
    def _run_rows_gradient(self) -> Callable[..., None]:
        text = self.sizes.rows_gradient_source(self._libraries.compiler)
        if text is None:
            raise KernelUnavailableError("the gradient of rows that are read in strides is left to torch")
        return self._libraries.function(text, _ARGUMENTS_OF_SUMS)[0]

    @functools.cached_property
    def _run_weight_gradient(self) -> Callable[..., None]:
        text = self.sizes.weight_gradient_source(self._libraries.compiler)
        return self._libraries.function(text, [_POINTER] * 4 + [_NUMBER] * 4 + [ctypes.c_int])[0]

    def forward(
        self,
        rows_RBCXY: Tensor,
        weight_GSOCKL: Tensor,
        index: Index,
        bias_GO: Tensor | None,
        out_GBOXY: Tensor | None,
    ) -> Tensor:
        """The sums of all pools, activated where the sizes say so.

        Args:
            rows_RBCXY: float32; the maps of a stream are contiguous.
            weight_GSOCKL: those of one source are contiguous.
            index: of the rows.
            bias_GO: contiguous float32, or None.
            out_GBOXY: contiguous float32, written to; a new tensor if None.
        """
        pools, streams = weight_GSOCKL.shape[0], rows_RBCXY.shape[1]
        if out_GBOXY is None:
            out_GBOXY = rows_RBCXY.new_empty(pools, streams, self.sizes.outputs, *self.sizes.maps.sent)
        self._run(
            rows_RBCXY.data_ptr(),
            weight_GSOCKL.data_ptr(),
            index.index_GS.data_ptr(),
            index.starts.data_ptr(),
            index.entries(weight_GSOCKL.stride(0), weight_GSOCKL.stride(1)).data_ptr(),
            None if bias_GO is None else bias_GO.data_ptr(),
            out_GBOXY.data_ptr(),
            pools,
            streams,
            rows_RBCXY.stride(0),
            rows_RBCXY.stride(1),
            torch.get_num_threads(),
        )
        return out_GBOXY

    def rows_gradient(self, gz_GBOXY: Tensor, weight_GSOCKL: Tensor, index: Index, rows_RBCXY: Tensor) -> Tensor:
        """The gradient of the rows.

        Args:
            gz_GBOXY: contiguous gradient of the sums.
            weight_GSOCKL: those of one source are contiguous.
            index: of the rows.
            rows_RBCXY: as they were read.

        Raises:
            KernelUnavailableError: they were read in strides.
        """
        run, rows = self._run_rows_gradient, rows_RBCXY.shape[0]
        _, starts, pools = index.readers(rows)
        entries = index.entries(weight_GSOCKL.stride(0), weight_GSOCKL.stride(1), rows)
        gx_RBCXY = gz_GBOXY.new_empty(rows_RBCXY.shape)
        run(
            gz_GBOXY.data_ptr(),
            weight_GSOCKL.data_ptr(),
            pools.data_ptr(),
            starts.data_ptr(),
            entries.data_ptr(),
            None,
            gx_RBCXY.data_ptr(),
            rows,
            gz_GBOXY.shape[1],
            gz_GBOXY.stride(0),
            gz_GBOXY.stride(1),
            torch.get_num_threads(),
        )
        return gx_RBCXY

    def weight_gradient(self, gz_GBOXY: Tensor, weight_GSOCKL: Tensor, index: Index, rows_RBCXY: Tensor) -> Tensor:
        """The gradient of the weights, float32.

        Args:
            gz_GBOXY: contiguous gradient of the sums.
            weight_GSOCKL: those of one source are contiguous.
            index: of the rows.
            rows_RBCXY: as they were read.
        """
        gw_GSOCKL = gz_GBOXY.new_empty(weight_GSOCKL.shape)
        self._run_weight_gradient(
            gz_GBOXY.data_ptr(),
            rows_RBCXY.data_ptr(),
            index.index_GS.data_ptr(),
            gw_GSOCKL.data_ptr(),
            weight_GSOCKL.shape[0],
            rows_RBCXY.shape[1],
            rows_RBCXY.stride(0),
            rows_RBCXY.stride(1),
            torch.get_num_threads(),
        )
        return gw_GSOCKL


_ARGUMENTS_OF_SUMS = [_POINTER] * 7 + [_NUMBER] * 4 + [ctypes.c_int]
