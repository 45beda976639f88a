"""Annealed importance sampling: the partition function of a machine that is too large to enumerate."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rillnet.model.layers.boltzmann import RestrictedBoltzmann


@dataclass(frozen=True)
class Estimate:
    """An estimate of log Z.

    Args:
        value: log of the mean weight, times the partition function of the base.
        low: the same with three standard errors less in the mean weight; minus infinity where that is negative.
        high: with three standard errors more.
        effective: how many chains count: (sum of weights)^2 / sum of squares.
    """

    value: float
    low: float
    high: float
    effective: float


def ladder(count: int) -> Tensor:
    """Inverse temperatures from 0 to 1, dense near 1: a tenth below 0.5, four tenths below 0.9, half above.

    Example:
        >>> ladder(10)[0].item(), ladder(10)[-1].item(), len(ladder(10))
        (0.0, 1.0, 11)

    Source:
        The proportions of Salakhutdinov and Murray 2008, who take 500, 4,000 and 10,000 steps.
    """
    first, second = max(1, count * 5 // 145), max(1, count * 40 // 145)
    parts = [
        torch.linspace(0, 0.5, first + 1, dtype=torch.float64)[:-1],
        torch.linspace(0.5, 0.9, second + 1, dtype=torch.float64)[:-1],
        torch.linspace(0.9, 1, max(1, count - first - second) + 1, dtype=torch.float64),
    ]
    return torch.cat(parts)


@torch.no_grad()
def annealed_log_partition(
    machine: RestrictedBoltzmann,
    *,
    chains: int = 100,
    temperatures: int = 1000,
    base_bias_V: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Estimate:
    r"""Estimates log Z by chains that go from independent units to the machine, in small steps.

    $p_\beta(v, h) \propto \exp(s_v(v, (1 - \beta) a + \beta b) + s_h(h, c) + \beta h^T W v)$; a chain's weight is
    the product of $p^*_{\beta_k}(v_k) / p^*_{\beta_{k-1}}(v_k)$, and all chains are one batch.

    Args:
        machine: the machine.
        chains: how many.
        temperatures: how many steps each takes.
        base_bias_V: biases a of the visible units without the machine's weight; the log-odds of the data's mean are
            good, the machine's own biases are taken if None.
        generator: draws.

    Returns:
        The estimate; weights are added up in float64.

    Source:
        Neal: Annealed importance sampling, Statistics and Computing 11 (2001); Salakhutdinov and Murray: On the
        quantitative analysis of deep belief networks, ICML 2008.
    """
    weight_VH = machine.weight_HV.T.contiguous()
    b_V, c_H = machine.visible_bias_V, machine.hidden_bias_H
    a_V = b_V if base_bias_V is None else base_bias_V.to(b_V)
    none_V, none_H = torch.zeros_like(b_V), torch.zeros_like(c_H)
    base = machine.visible.log_sum(none_V.double(), a_V.double())
    base = base + machine.hidden.log_sum(none_H.double(), c_H.double())
    v_CV = machine.visible.draw(none_V.expand(chains, -1), a_V, generator)
    log_weight_C = torch.zeros(chains, dtype=torch.float64, device=v_CV.device)
    betas = ladder(temperatures).tolist()
    for before, now in itertools.pairwise(betas):
        bias_V = torch.lerp(a_V, b_V, now)
        field_CH = v_CV @ weight_VH
        gained_C = _gained(machine, v_CV, field_CH, (before, now), (torch.lerp(a_V, b_V, before), bias_V))
        log_weight_C += gained_C
        h_CH = machine.hidden.draw(now * field_CH, c_H, generator)
        v_CV = machine.visible.draw(now * (h_CH @ machine.weight_HV), bias_V, generator)
    return _estimate(log_weight_C, float(base))


def _gained(
    machine: RestrictedBoltzmann,
    v_CV: Tensor,
    field_CH: Tensor,
    betas: tuple[float, float],
    biases: tuple[Tensor, Tensor],
) -> Tensor:
    """The logarithm of p*(v) at the second inverse temperature, less that at the first."""
    before, now = (
        machine.hidden.log_sum((beta * field_CH).double(), machine.hidden_bias_H.double())
        + machine.visible.own(v_CV.double(), bias_V.double())
        for beta, bias_V in zip(betas, biases, strict=True)
    )
    return now - before


def _estimate(log_weight_C: Tensor, base: float) -> Estimate:
    count = log_weight_C.numel()
    largest = float(log_weight_C.max())
    weight_C = (log_weight_C - largest).exp()
    mean, error = float(weight_C.mean()), float(weight_C.std()) / math.sqrt(count) if count > 1 else math.inf
    effective = float(weight_C.sum() ** 2 / weight_C.square().sum())

    def at(weight: float) -> float:
        return base + largest + math.log(weight) if weight > 0 else -math.inf

    return Estimate(at(mean), at(mean - 3 * error), at(mean + 3 * error), effective)
