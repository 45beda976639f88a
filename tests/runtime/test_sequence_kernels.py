"""Cells over whole sequences, against the same cells frame by frame, in values and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.model.layers.cells import LSTMCell, SimpleRNN
from rillnet.runtime.sequence_kernels import run_cell, takes_beginnings

FRAMES, STREAMS, SIZE, UNITS = 5, 3, 2, 4
BEGAN = [torch.tensor([True, False, False]), None, torch.tensor([False, True, True]), None, None]


def framewise(cell: Any, x_TND: Tensor, state: list[Tensor], began: list[Tensor | None]) -> list[Tensor]:
    sent = []
    for x, mask in zip(x_TND, began, strict=True):
        state = [part if mask is None else part * ~mask[:, None] for part in state]
        found = cell(x, *state)
        state = list(found) if isinstance(found, tuple) else [found]
        sent.append(state[0])
    return [torch.stack(sent), *state[1:]]


@pytest.mark.parametrize(
    "cell",
    [
        SimpleRNN(SIZE, UNITS),
        SimpleRNN(SIZE, UNITS, nonlinearity="relu", bias=False),
        nn.RNNCell(SIZE, UNITS),
        nn.RNNCell(SIZE, UNITS, nonlinearity="relu", bias=False),
        nn.GRUCell(SIZE, UNITS),
        LSTMCell(SIZE, UNITS),
        LSTMCell(SIZE, UNITS, bias=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("begins", ["never", "first", "within"])
def test_a_sequence_is_its_frames(cell: nn.Module, begins: str) -> None:
    if begins == "within" and not takes_beginnings(cell):
        pytest.skip("its kernel runs through; such windows go frame by frame")
    began = {"never": [None] * FRAMES, "first": [BEGAN[0], *[None] * 4], "within": BEGAN}[begins]
    x = torch.randn(FRAMES, STREAMS, SIZE, requires_grad=True)
    state = [torch.randn(STREAMS, UNITS, requires_grad=True) for _ in range(2 if isinstance(cell, LSTMCell) else 1)]
    leaves = [x, *state, *cell.parameters()]

    found = run_cell(cell, x, state, began)
    expected = framewise(cell, x, state, began)

    given = [torch.randn(part.shape) for part in expected]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    gradients = (
        torch.autograd.grad(sum((part * g).sum() for part, g in zip(parts, given, strict=True)), leaves)
        for parts in (found, expected)
    )
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
