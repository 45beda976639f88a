"""Some units of torch's layers for sequences: computed element by element, as each reads all others of the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box
from rillnet.runtime.placement.exchange import SummedByAll
from rillnet.runtime.placement.local import Computed, Local, gru_step, lstm_step
from rillnet.runtime.placement.local_statistics import HALF
from rillnet.runtime.placement.sums import add_up

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class LocalSequence(Local):
    """Some units of every layer of an RNN, GRU or LSTM.

    After each element the units of all processes are put together, but for the last element of the last layer, whose
    units nobody here reads. What is read from the layer below is multiplied for the whole sequence at once. T is the
    length of the sequence, N the batch, F what is read, H all units, U those of this process, L layers, G rows of
    gates.

    Args:
        module: the block's module, with the rows of its units.
        assigned: how the block is split.
        box: the part of its output.
        group: the processes that compute the other units of the same examples.
    """

    def __init__(self, module: nn.Module, assigned: Assigned, box: Box, group: Any) -> None:
        super().__init__(module, assigned, box)
        self.group, self.is_alone = group, dist.get_world_size(group) == 1
        low, high = box[-1]
        self.own, self.around = slice(low, high), (low, self.module.hidden_size - high)

    def __call__(self, values: Sequence[Any], box: Box, batch: int, token: Tensor | None) -> Computed:
        x, *given = values
        module = self.module
        x_TNF = x.transpose(0, 1) if module.batch_first else x
        h_LNH, c_LNU = self._initial(x_TNF, given[0] if given else None)
        hidden, cells = [], []
        for layer in range(module.num_layers):
            sent, all_sent, cell, token = self._layer(layer, x_TNF, h_LNH[layer], c_LNU[layer], token)
            hidden.append(sent[-1])
            cells.append(cell)
            if layer + 1 < module.num_layers:
                x_TNF = torch.stack(all_sent)
        sequence_TNU, last_LNU = torch.stack(sent), torch.stack(hidden)
        sequence = sequence_TNU.transpose(0, 1) if module.batch_first else sequence_TNU
        state = (last_LNU, torch.stack(cells)) if module.mode == "LSTM" else last_LNU
        return (sequence, state), token

    def _initial(self, x_TNF: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        """The state before the first element: all hidden units, and the cells of the own ones."""
        h, c = given if isinstance(given, tuple) else (given, None)
        zeros = x_TNF.new_zeros(self.module.num_layers, x_TNF.shape[1], self.module.hidden_size)
        return zeros if h is None else h, (zeros if c is None else c)[..., self.own]

    def _layer(
        self, layer: int, x_TNF: Tensor, h_NH: Tensor, c_NU: Tensor, token: Tensor | None
    ) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor | None]:
        """One layer: own units and all units after each element, the last cells, and the token."""
        weights: list[Any] = [getattr(self.module, f"{name}_l{layer}", None) for name in _WEIGHTS]
        w_x, w_h, b_x, b_h = weights
        read_TNG = functional.linear(x_TNF, w_x, b_x)
        h_NU = h_NH[:, self.own]
        sent: list[Tensor] = []
        all_sent: list[Tensor] = []
        last = len(read_TNG) - (layer + 1 == self.module.num_layers)
        for number, read_NG in enumerate(read_TNG):
            h_NU, c_NU = self._step(read_NG, functional.linear(h_NH, w_h, b_h), h_NU, c_NU)
            sent.append(h_NU)
            if number < last:
                h_NH, token = self._gathered(h_NU, token)
                all_sent.append(h_NH)
        return sent, all_sent, c_NU, token

    def _step(self, read_NG: Tensor, kept_NG: Tensor, h_NU: Tensor, c_NU: Tensor) -> tuple[Tensor, Tensor]:
        mode = self.module.mode
        if mode == "LSTM":
            return lstm_step(read_NG + kept_NG, c_NU)
        if mode == "GRU":
            return gru_step(read_NG, kept_NG, h_NU), c_NU
        total = read_NG + kept_NG
        return (total.tanh() if mode == "RNN_TANH" else total.relu()), c_NU

    def _gathered(self, h_NU: Tensor, token: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """All units: each process adds its own to zeros, so that gradients come back as sums over all readers."""
        if self.is_alone:
            return h_NU, token
        part_NH = functional.pad(h_NU.float() if h_NU.dtype in HALF else h_NU, self.around)
        if token is None:
            add_up(part_NH, self.group)
            return part_NH.to(h_NU.dtype), None
        total_NH, token = SummedByAll.apply(part_NH, token, self.group)  # type: ignore[no-untyped-call]
        return total_NH.to(h_NU.dtype), token
