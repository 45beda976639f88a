"""Recurrent cells: blocks that compute one frame from what they read and what they sent a frame ago."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from rillnet.model.layers.recurrence import Reads, hidden_state
from rillnet.model.shapes import Output, Signature, pick

Count = Annotated[int, Field(ge=1)]


class SimpleRNN(nn.Module):
    r"""The simple recurrent cell (Elman network).

    $h_t = \tanh(W x_t + U h_{t-1} + b)$

    In a net it reads its own last output by itself: `{type: SimpleRNN, from: x, hidden_size: 128}` is
    `from: [x, rnn@-1]` for a block called rnn.

    Args:
        input_size: numbers that it reads per example.
        hidden_size: numbers that it sends.
        nonlinearity: `tanh` or `relu`.
        bias: whether b is there.

    Returns:
        h_t, [batch, hidden_size].

    Example:
        >>> cell = SimpleRNN(2, 3)
        >>> cell(torch.zeros(5, 2), torch.zeros(5, 3)).shape
        torch.Size([5, 3])

    Source:
        J. L. Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """

    def __init__(
        self, input_size: Count, hidden_size: Count, nonlinearity: Literal["tanh", "relu"] = "tanh", bias: bool = True
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.nonlinearity = input_size, hidden_size, nonlinearity
        self.weight = nn.Parameter(torch.empty(hidden_size, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters evenly from +-1/sqrt(hidden_size), as torch.nn.RNN does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    @classmethod
    def reads_itself(cls, arguments: Mapping[str, Any]) -> Reads:
        """Its only output."""
        return (None,)

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """The hidden state."""
        return hidden_state(arguments, known)

    def forward(self, x_ND: Tensor, h_NH: Tensor) -> Tensor:
        total = functional.linear(x_ND, self.weight, self.bias) + functional.linear(h_NH, self.recurrent_weight)
        return total.tanh() if self.nonlinearity == "tanh" else total.relu()

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity}"


class LSTMCell(nn.LSTMCell):
    r"""The long short-term memory cell, with its hidden state and its cell state as two outputs.

    $i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad g = \tanh(W x_t + U h_{t-1} + b)$
    $c_t = f c_{t-1} + i g, \quad h_t = o \tanh(c_t)$

    It has the parameters of torch.nn.LSTMCell and computes the same. In a net it reads its own last state by
    itself: `from: x` is `from: [x, "lstm@-1", "lstm[1]@-1"]` for a block called lstm.

    Args:
        input_size: numbers that it reads per example.
        hidden_size: numbers in each of its outputs.
        bias: whether b is there.

    Returns:
        h_t and c_t, [batch, hidden_size] each.

    Example:
        >>> h, c = LSTMCell(2, 3)(torch.zeros(5, 2), torch.zeros(5, 3), torch.zeros(5, 3))
        >>> h.shape, c.shape
        (torch.Size([5, 3]), torch.Size([5, 3]))

    Source:
        S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
    """

    def __init__(self, input_size: Count, hidden_size: Count, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias)

    @classmethod
    def reads_itself(cls, arguments: Mapping[str, Any]) -> Reads:
        """Its hidden state and its cell state."""
        return (None, 1)

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """The hidden state and the cell state."""
        state = hidden_state(arguments, known)
        return None if state is None else (state, state)

    def forward(self, x_ND: Tensor, h_NH: Tensor, c_NH: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x_ND, (h_NH, c_NH))


class ConvLSTMCell(nn.Module):
    r"""The convolutional LSTM cell: an LSTM cell at every pixel that sees its neighbours.

    $i, f, o = \sigma(W * x_t + U * h_{t-1} + b), \quad g = \tanh(W * x_t + U * h_{t-1} + b)$
    $c_t = f c_{t-1} + i g, \quad h_t = o \tanh(c_t)$

    In a net it reads its own last state by itself, as `LSTMCell` does.

    Args:
        in_channels: features of the images that it reads.
        hidden_channels: features of each of its outputs.
        kernel_size: pixels that a pixel sees, in each direction.
        dilation: spacing of these pixels.
        bias: whether b is there.

    Returns:
        h_t and c_t, [batch, hidden_channels, x, y] each, as large as what it reads.

    Example:
        >>> state = torch.zeros(5, 3, 8, 8)
        >>> h, c = ConvLSTMCell(2, 3)(torch.zeros(5, 2, 8, 8), state, state)
        >>> h.shape
        torch.Size([5, 3, 8, 8])

    Source:
        X. Shi et al., "Convolutional LSTM network", NIPS 2015, arXiv:1506.04214; without its peepholes.
    """

    def __init__(
        self,
        in_channels: Count,
        hidden_channels: Count,
        kernel_size: Count | tuple[Count, Count] = 3,
        dilation: Count | tuple[Count, Count] = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels, self.hidden_channels = in_channels, hidden_channels
        self.kernel_size, self.dilation = kernel_size, dilation
        self.gates = nn.Conv2d(
            in_channels + hidden_channels,
            4 * hidden_channels,
            kernel_size,
            padding="same",
            dilation=dilation,
            bias=bias,
        )

    @classmethod
    def reads_itself(cls, arguments: Mapping[str, Any]) -> Reads:
        """Its hidden state and its cell state."""
        return (None, 1)

    @classmethod
    def sends(cls, arguments: Mapping[str, Any], known: Sequence[Output]) -> Output | None:
        """Images as large as those of its first source, with `hidden_channels` features."""
        channels = arguments.get("hidden_channels")
        if not known or not isinstance(channels, int):
            return None
        read: Signature = pick(known[0], None)
        state = Signature((channels, *read.shape[1:]), read.dtype)
        return (state, state)

    @property
    def bias(self) -> bool:
        """Whether b is there."""
        return self.gates.bias is not None

    def forward(self, x_NCXY: Tensor, h_NHXY: Tensor, c_NHXY: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = self.gates(torch.cat([x_NCXY, h_NHXY], dim=1)).chunk(4, dim=1)
        c_next = f.sigmoid() * c_NHXY + i.sigmoid() * g.tanh()
        return o.sigmoid() * c_next.tanh(), c_next
