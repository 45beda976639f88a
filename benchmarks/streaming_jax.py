"""The pools of the streaming benchmark stacked by hand in JAX, in the fastest of the forms that one would write."""

from __future__ import annotations

import functools
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import torch
from streaming_nets import StreamingCase
from streaming_peers import Peer
from torch import Tensor

NAME = "stacked in JAX"

_FEW = 64
"""So many pools are written out one by one as well."""


def reason_to_leave_out() -> str:
    """Why JAX cannot be measured here; empty if it can."""
    if importlib.util.find_spec("jax") is not None:
        return ""
    return "jax is not installed: pip install -r benchmarks/requirements.txt"


class Jax(Peer):
    """All pools at once; features are the last dimension of maps, which JAX's convolutions like best on a CPU.

    Attributes:
        form: what is measured, the fastest of some.
    """

    def __init__(self, case: StreamingCase) -> None:
        import jax
        import jax.numpy as jnp

        super().__init__(case)
        self.shown_jax = [jnp.asarray(_features_last(x).numpy()) for x in self.shown]
        begin, timed = time.perf_counter(), {}
        for name, compute in _forms(case, self.weights, self.biases).items():
            frame = jax.jit(functools.partial(_frame, compute), donate_argnums=0)
            timed[name] = _seconds(frame, self._zeros(), self.shown_jax[0]), frame
        self.compile_s = time.perf_counter() - begin
        self.form = min(timed, key=lambda name: timed[name][0])
        self.compute, self.values = timed[self.form][1], self._zeros()

    def _zeros(self) -> Any:
        import jax.numpy as jnp

        features, *pixels = self.case.shape
        return jnp.zeros((self.case.pools + 1, *pixels, features))

    def frame(self, x: Tensor) -> None:
        self.values = self.compute(self.values, self.shown_jax[self.number % len(self.shown)])
        self.values.block_until_ready()

    def sent(self) -> Tensor:
        import numpy

        return torch.from_numpy(numpy.array(self.values[1:])).movedim(-1, 1)


def _frame(compute: Callable[[Any], Any], values: Any, x: Any) -> Any:
    import jax.numpy as jnp

    return jnp.concatenate([x, compute(values)])


def _seconds(frame: Callable[[Any, Any], Any], values: Any, x: Any) -> float:
    """A frame, compiled and then timed."""
    values = frame(values, x).block_until_ready()
    begin = time.perf_counter()
    for _ in range(3):
        values = frame(values, x)
    values.block_until_ready()
    return time.perf_counter() - begin


def _forms(case: StreamingCase, weights: Tensor, biases: Tensor) -> dict[str, Callable[[Any], Any]]:
    """What all pools send, from all values, by what the form is called."""
    import jax
    import jax.numpy as jnp

    act = {"relu": jax.nn.relu, "tanh": jnp.tanh}[case.act]
    index, bias = jnp.asarray(torch.tensor(case.read).numpy()), jnp.asarray(biases.numpy())
    side_by_side = weights.transpose(1, 2).flatten(2, 3)  # [G, O, S x I], of maps with a kernel behind it

    if len(case.shape) == 1:
        matrix = jnp.asarray(side_by_side.numpy())

        def rows(values: Any) -> Any:
            return values[index].reshape(case.pools, -1)

        return {
            "product of matrices": lambda values: act(jnp.einsum("goi,gi->go", matrix, rows(values)) + bias),
            "multiply and sum": lambda values: act((matrix * rows(values)[:, None]).sum(-1) + bias),
        }

    kernel = jnp.asarray(side_by_side.permute(0, 3, 4, 2, 1).contiguous().numpy())  # [G, K, L, S x I, O]
    shift, convolve = bias[:, None, None], _convolution()

    def maps(values: Any) -> Any:  # [G, X, Y, S x I]
        if not case.sources:
            return values[:-1]
        return jnp.moveaxis(values[index], 1, 3).reshape(case.pools, *case.shape[1:], -1)

    def in_groups(values: Any) -> Any:
        whole = jnp.moveaxis(maps(values), 0, 2).reshape(1, *case.shape[1:], -1)
        weight = jnp.moveaxis(kernel, 0, 3).reshape(*kernel.shape[1:4], -1)
        sent = convolve(whole, weight, feature_group_count=case.pools)[0]
        return act(jnp.moveaxis(sent.reshape(*sent.shape[:2], case.pools, -1), 2, 0) + shift)

    def one_by_one(values: Any) -> Any:
        read = maps(values)
        sent = [convolve(read[pool : pool + 1], kernel[pool]) for pool in range(case.pools)]
        return act(jnp.concatenate(sent) + shift)

    def patches(values: Any) -> Any:
        (x, y), read = case.shape[1:], jnp.pad(maps(values), ((0, 0), (1, 1), (1, 1), (0, 0)))
        taps = [read[:, k : k + x, m : m + y] for k in range(3) for m in range(3)]
        flat = jnp.concatenate(taps, -1).reshape(case.pools, x * y, -1)
        sent = jnp.einsum("gpi,gio->gpo", flat, kernel.reshape(case.pools, -1, kernel.shape[-1]))
        return act(sent.reshape(case.pools, x, y, -1) + shift)

    found = {"one convolution in groups": in_groups, "patches, product of matrices": patches}
    return {**found, "convolutions one by one": one_by_one} if case.pools <= _FEW else found


def _convolution() -> Callable[..., Any]:
    import jax

    return functools.partial(
        jax.lax.conv_general_dilated,
        window_strides=(1, 1),
        padding="SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _features_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1).contiguous()
