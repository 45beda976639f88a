"""Gibbs steps of many chains at once, in memory that is used again."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.training.learning_rules.divergence.pair import Pair


class Walk:
    """Draws the two sides of a machine in turn.

    Args:
        pair: the machine.
        visible_draws: draw visible units; otherwise their expected values are taken.
    """

    def __init__(self, pair: Pair, visible_draws: bool = True) -> None:
        self.pair, self.visible_draws = pair, visible_draws
        self._memory: dict[str, Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Looks at the parameters anew: they may have been replaced or moved."""
        pair = self.pair
        self._weight_HV, self._visible_bias_V = pair.hidden.weight.detach(), pair.visible.bias.detach()
        self._hidden_bias_H = pair.hidden.bias.detach()

    @property
    def first_mean(self) -> Tensor:
        """The expected visible units of the first step of the last walk, [N, V]; lost with the next."""
        return self._memory["first"]

    def hidden_mean(self, v_NV: Tensor, place: str = "hidden") -> Tensor:
        """The expected hidden units, [N, H], in a place of memory of this name."""
        kind, out = self.pair.hidden.kind, self._at(place, v_NV.shape[0], self._hidden_bias_H)
        torch.addmm(self._hidden_bias_H, v_NV, self._weight_HV.T, alpha=kind.gain, out=out)
        return kind.squash_(out)

    def visible_mean(self, h_NH: Tensor, place: str = "visible") -> Tensor:
        """The expected visible units, [N, V], in a place of memory of this name."""
        kind, out = self.pair.visible.kind, self._at(place, h_NH.shape[0], self._visible_bias_V)
        torch.addmm(self._visible_bias_V, h_NH, self._weight_HV, alpha=kind.gain, out=out)
        return kind.squash_(out)

    def draw_hidden(self, mean_NH: Tensor, generator: torch.Generator) -> Tensor:
        """Hidden units about their expected values, [N, H]."""
        out = self._at("drawn", mean_NH.shape[0], self._hidden_bias_H)
        return self.pair.hidden.kind.draw_about(mean_NH, generator, out)

    def beginnings(self, count: int, generator: torch.Generator) -> Tensor:
        """Hidden units of chains that begin: of visible units that are independent, [count, H]."""
        visible, hidden = self.pair.visible.kind, self.pair.hidden.kind
        alone_CV = torch.zeros(count, 1, device=self._weight_HV.device, dtype=self._weight_HV.dtype)
        v_CV = visible.draw(alone_CV.expand(-1, self._visible_bias_V.numel()), self._visible_bias_V, generator)
        return hidden.draw_about(self.hidden_mean(v_CV), generator)

    def steps(
        self, h_NH: Tensor, count: int, generator: torch.Generator, goes_on: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """So many turns from drawn hidden units.

        Args:
            h_NH: where the chains begin.
            count: how many turns.
            generator: draws.
            goes_on: also draw the last hidden units, where the chains can go on.

        Returns:
            The last visible units, the hidden units that are expected then, and drawn ones.
        """
        streams, visible = h_NH.shape[0], self.pair.visible.kind
        for number in range(count):
            # the first reconstruction is kept for whoever watches
            mean_NV = self.visible_mean(h_NH, "first" if number == 0 else "visible")
            v_NV = mean_NV
            if self.visible_draws:
                v_NV = visible.draw_about(mean_NV, generator, self._at("shown", streams, self._visible_bias_V))
            mean_NH = self.hidden_mean(v_NV)
            if goes_on or number + 1 < count:
                h_NH = self.draw_hidden(mean_NH, generator)
        return v_NV, mean_NH, h_NH

    def _at(self, place: str, streams: int, like: Tensor) -> Tensor:
        found = self._memory.get(place)
        if found is None or found.shape[0] != streams or found.dtype != like.dtype or found.device != like.device:
            found = self._memory[place] = like.new_empty(streams, like.numel())
        return found
