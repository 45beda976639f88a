"""Equations of local rules in plain NumPy, sample by sample, to hold the rules against."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def hebbian(y: Array, x: Array, w: Array) -> Array:
    """<y x>; y is [samples, outputs], x [samples, inputs]."""
    return np.mean([np.outer(a, b) for a, b in zip(y, x, strict=True)], axis=0)


def oja(y: Array, x: Array, w: Array) -> Array:
    """<y x - y^2 w>."""
    return np.mean([np.outer(a, b) - (a**2)[:, None] * w for a, b in zip(y, x, strict=True)], axis=0)


def sanger(y: Array, x: Array, w: Array) -> Array:
    """<y_o (x - sum_{k<=o} y_k w_k)>."""
    change = np.zeros_like(w)
    for a, b in zip(y, x, strict=True):
        for o in range(len(a)):
            change[o] += a[o] * (b - sum(a[k] * w[k] for k in range(o + 1)))
    return change / len(y)


def bcm(y: Array, x: Array, theta: Array, w: Array, decay: float) -> Array:
    """<y (y - theta) x> - decay w."""
    return np.mean([np.outer(a * (a - theta), b) for a, b in zip(y, x, strict=True)], axis=0) - decay * w


def competitive(x: Array, w: Array, share: Array) -> Array:
    """sum h (x - w) / sum h, with h by winner and unit."""
    change, whole = np.zeros_like(w), np.zeros(len(w))
    for b in x:
        winner = int(np.argmin(((b - w) ** 2).sum(1)))
        for o in range(len(w)):
            change[o] += share[winner, o] * (b - w[o])
            whole[o] += share[winner, o]
    return change / np.where(whole > 0, whole, 1)[:, None]


def stdp(pre: Array, post: Array, **constants: Any) -> Array:
    """The sum over all pairs of spikes of one stream, [frames, inputs] and [frames, outputs]."""
    change = np.zeros((post.shape[1], pre.shape[1]))
    for t_post, b in enumerate(post):
        for t_pre, a in enumerate(pre):
            apart = t_post - t_pre
            if apart > 0:
                change += constants["plus"] * np.exp(-apart / constants["tau_plus"]) * np.outer(b, a)
            elif apart < 0:
                change -= constants["minus"] * np.exp(apart / constants["tau_minus"]) * np.outer(b, a)
    return change


def patches(x_NCXY: Array, kernel: int, padding: int, stride: int = 1) -> Array:
    """What a convolution looks at, [samples, features * kernel * kernel]."""
    padded = np.pad(x_NCXY, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    places = [range(0, size - kernel + 1, stride) for size in padded.shape[2:]]
    return np.array(
        [one[:, i : i + kernel, j : j + kernel].ravel() for one in padded for i in places[0] for j in places[1]]
    )
