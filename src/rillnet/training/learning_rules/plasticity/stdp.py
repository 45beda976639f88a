"""Spike-timing-dependent plasticity: who fires first decides whether a connection is strengthened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.model.net import Net
from rillnet.training.learning_rules.changing import Count, Rate, Start
from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.training.learning_rules.plasticity.local import LocalRule
from rillnet.types import BEGINS, LearningContext

Frames = Annotated[float, Field(gt=0)]


class STDP(LocalRule):
    r"""Spikes that precede strengthen, spikes that follow weaken, by traces that decay.

    $\Delta w_{oi} = \langle A_+ y_o \bar x_i - A_- \bar y_o x_i \rangle$ with the traces of earlier frames
    $\bar x(t) = e^{-1/\tau_+} (\bar x(t-1) + x(t-1))$ and $\bar y(t) = e^{-1/\tau_-} (\bar y(t-1) + y(t-1))$, so that
    a pair of spikes $\Delta t = t_{post} - t_{pre}$ apart changes a weight by $A_+ e^{-\Delta t / \tau_+}$ if the
    first was read and by $-A_- e^{\Delta t / \tau_-}$ if it was sent. Spikes of one frame change nothing.

    Each stream has traces of its own, which begin anew with it.

    Args:
        net: the net whose weights it changes.
        plus: A_+.
        minus: A_-.
        tau_plus: frames in which the trace of what is read falls to 1/e.
        tau_minus: likewise of what is sent.
        parameters: a glob of the weights it changes.
        pre: what counts as read; see `LocalRule`.
        post: what counts as sent.
        lr: the factor of a change, without an optimiser.
        rate: the learning-rate curve; constant if left out.
        optimizer: `{type: Adam, lr: 0.01}`; none if left out.
        start: the first frame in which it acts, counted from 0.
        every: over how many frames in which it acts changes are averaged before they are applied.
        address: where it stands in a document, for messages.

    Source:
        S. Song, K. D. Miller, L. F. Abbott, Nature Neuroscience 3, 2000; traces: A. Morrison, M. Diesmann,
        W. Gerstner, Biological Cybernetics 98, 2008.
    """

    live = (*LocalRule.live, "plus", "minus", "tau_plus", "tau_minus")

    def __init__(
        self,
        net: Net,
        *,
        plus: float = 0.01,
        minus: float = 0.012,
        tau_plus: Frames = 20.0,
        tau_minus: Frames = 20.0,
        parameters: str = "*",
        pre: str | None = None,
        post: str | None = None,
        lr: Rate = 1.0,
        rate: Any = None,
        optimizer: Any = None,
        start: Start = 0,
        every: Count = 1,
        address: str = "learning/main",
    ) -> None:
        super().__init__(
            net,
            parameters=parameters,
            pre=pre,
            post=post,
            lr=lr,
            rate=rate,
            optimizer=optimizer,
            start=start,
            every=every,
            address=address,
        )
        self.plus, self.minus, self.tau_plus, self.tau_minus = plus, minus, tau_plus, tau_minus

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """What the spikes of this frame do with the traces of those before, which they are then added to."""
        pre, post = connection.read(outputs).detach(), outputs[connection.post].detach()
        dtype, begins = connection.weight.dtype, outputs.get(BEGINS)
        pre, post = pre.to(dtype), post.to(dtype)
        trace_pre = self._trace(f"{connection.address}#pre", pre, begins)
        trace_post = self._trace(f"{connection.address}#post", post, begins)
        strengthened = connection.correlate(post, trace_pre).mul_(self.plus)
        weakened = connection.correlate(trace_post, pre).mul_(self.minus)
        self.memory[f"{connection.address}#pre"] = (trace_pre + pre) * math.exp(-1 / self.tau_plus)
        self.memory[f"{connection.address}#post"] = (trace_post + post) * math.exp(-1 / self.tau_minus)
        return strengthened.sub_(weakened)

    def _trace(self, key: str, like: Tensor, begins: Tensor | None) -> Tensor:
        """The trace before this frame, zero for streams that begin with it."""
        trace = self.memory.get(key)
        if trace is None or trace.shape != like.shape:
            return torch.zeros_like(like)
        if begins is None:
            return trace
        starts = begins if not begins.dim() else begins.reshape(-1, *[1] * (trace.dim() - 1))
        return torch.where(starts, torch.zeros_like(trace), trace)
