"""Parallel tempering: chains at several strengths of the weight, which swap places."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.training.learning_rules.divergence.pair import Pair


class Tempered:
    r"""Gibbs steps of chains of $p_\beta(v, h) \propto \exp(s_v(v) + s_h(h) + \beta h^T W v)$, and swaps.

    Chains of low $\beta$ move freely, and hand on where they are to those that belong to the machine itself.
    Neighbours swap with probability $\min(1, \exp((\beta_t - \beta_{t+1}) (c_{t+1} - c_t)))$, c = h^T W v.

    Args:
        pair: the machine.
        temperatures: how many strengths, evenly from 1 to 0.

    Source:
        Desjardins, Courville, Bengio, Vincent, Delalleau: Tempered Markov chain Monte Carlo for training of restricted
        Boltzmann machines, AISTATS 2010.
    """

    def __init__(self, pair: Pair, temperatures: int) -> None:
        self.pair, self.temperatures = pair, temperatures

    def steps(self, h_MH: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """So many turns of all chains, each with swaps.

        Args:
            h_MH: drawn hidden units of all chains; first those of strength 1.
            count: how many turns.
            generator: draws.

        Returns:
            Of the chains of strength 1, visible units and the hidden units that are expected then; and the drawn hidden
            units of all.
        """
        machine, temperatures = self.pair.machine, self.temperatures
        beta_T = torch.linspace(1, 0, temperatures, device=h_MH.device, dtype=h_MH.dtype)
        beta_M1 = beta_T.repeat_interleave(h_MH.shape[0] // temperatures)[:, None]
        for _ in range(count):
            v_MV = machine.visible.draw(beta_M1 * (h_MH @ machine.weight_HV), machine.visible_bias_V, generator)
            field_MH = v_MV @ machine.weight_HV.T
            h_MH = machine.hidden.draw(beta_M1 * field_MH, machine.hidden_bias_H, generator)
            coupled_M = (field_MH * h_MH).sum(-1)
            order_M = self._swapped(coupled_M.view(temperatures, -1), beta_T, generator)
            v_MV, h_MH = v_MV[order_M], h_MH[order_M]
        first = h_MH.shape[0] // temperatures
        v_CV = v_MV[:first]
        return v_CV, machine.hidden_mean(v_CV), h_MH

    def _swapped(self, coupled_TC: Tensor, beta_T: Tensor, generator: torch.Generator) -> Tensor:
        """Which chain goes where: neighbours at even places are tried, then those at odd places."""
        temperatures, chains = coupled_TC.shape
        place_TC = torch.arange(temperatures * chains, device=beta_T.device).view(temperatures, chains)
        coupled_TC = coupled_TC.clone()
        for offset in (0, 1):
            stop = offset + (temperatures - offset) // 2 * 2
            even_PC = torch.rand((stop - offset) // 2, chains, device=beta_T.device, generator=generator)
            lower, upper = slice(offset, stop, 2), slice(offset + 1, stop, 2)
            more_P1 = (beta_T[lower] - beta_T[upper])[:, None]
            swaps_PC = even_PC < (more_P1 * (coupled_TC[upper] - coupled_TC[lower])).exp()
            for tensor in (coupled_TC, place_TC):
                one, other = tensor[lower].clone(), tensor[upper].clone()
                tensor[lower] = torch.where(swaps_PC, other, one)
                tensor[upper] = torch.where(swaps_PC, one, other)
        return place_TC.flatten()
