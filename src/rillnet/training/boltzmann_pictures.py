"""Pictures of Boltzmann machines: what hidden units look at, and what a machine makes up."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.deep_boltzmann import DeepBoltzmann, as_layers
from rillnet.random import derive
from rillnet.runtime.durable import failures_named, write_atomically
from rillnet.runtime.session import Session
from rillnet.training.extensions import Extension
from rillnet.training.learning_rules.divergence.pair import find_pair
from rillnet.training.learning_rules.divergence.stack import find_stack
from rillnet.training.tiles import png, tiled

FILTERS, FANTASIES = "filters.png", "fantasies.png"
"""What is written into the run directory."""

_ADDRESS = "run.extensions"

Count = Annotated[int, Field(ge=1)]


class BoltzmannPictures(Extension):
    """Writes the weights of hidden units as images, and images that the machine makes up.

    Made-up images are the expected visible units of chains that begin with independent units and go on for many Gibbs
    steps. Drawing them changes nothing of the run.

    Args:
        visible: the block of visible units, which are the pixels of an image.
        hidden: the block of hidden units.
        layers: the blocks of a deep machine, upwards, in the place of these two; of its hidden units the first layer's
            are shown.
        shape: height and width of an image; a square if left out.
        count: how many images each picture holds at most.
        steps: how many Gibbs steps the chains go.
        every: how often; `end` is once, when the run is done.
    """

    def __init__(
        self,
        visible: str = "visible",
        hidden: str = "hidden",
        layers: list[str] | None = None,
        shape: list[Count] | None = None,
        count: Count = 100,
        steps: Count = 1000,
        every: str = "end",
    ) -> None:
        super().__init__(f"pictures of {' and '.join(layers or [visible, hidden])}", every)
        self.visible, self.hidden, self.layers, self.shape = visible, hidden, layers, shape
        self.count, self.steps = count, steps

    def begin(self, session: Session) -> None:
        """Looks for the machine, and whether its visible units are an image.

        Raises:
            RequestError: there is no such machine, or its units do not fill an image.
        """
        weight_HV, _ = self._machine(session)
        self._sizes(weight_HV.shape[1])

    def _machine(self, session: Session) -> tuple[Tensor, RestrictedBoltzmann | DeepBoltzmann]:
        """The weight of the first hidden layer, and the machine."""
        if self.layers is None:
            restricted = find_pair(session.net, self.visible, self.hidden, _ADDRESS).machine
            return restricted.weight_HV, restricted
        deep = find_stack(session.net, self.layers, _ADDRESS).machine
        return deep.weights[0], deep

    def _sizes(self, units: int) -> tuple[int, int]:
        side = math.isqrt(units)
        high, wide = (self.shape if self.shape is not None and len(self.shape) == 2 else None) or (side, side)
        if high * wide != units or (self.shape is not None and len(self.shape) != 2):
            rule = f"must be the height and width of an image of {units} pixels"
            raise RequestError(Fault(f"{_ADDRESS}.shape", rule, self.shape))
        return high, wide

    @torch.no_grad()
    def __call__(self, session: Session) -> None:
        """Writes both files, if there is a run directory."""
        if session.record is None:
            return
        weight_HV, machine = self._machine(session)
        high, wide = self._sizes(weight_HV.shape[1])
        seed = derive(session.net.seed, self.name, session.clock.step)
        drawn = {FILTERS: filters(weight_HV, self.count), FANTASIES: fantasies(machine, self.count, self.steps, seed)}
        folder = session.record.directory.path
        with failures_named(folder, "be written"):
            for name, images in drawn.items():
                write_atomically(folder / name, png(tiled(images.reshape(-1, high, wide))))


def filters(weight_HV: Tensor, count: int) -> Tensor:
    """The weights of the hidden units that have the largest, in [0, 1] with 0 at one half; [count, V]."""
    weight_HV = weight_HV.float()
    strongest = weight_HV.norm(dim=1).topk(min(count, weight_HV.shape[0])).indices
    chosen = weight_HV[strongest]
    return 0.5 + 0.5 * chosen / chosen.abs().quantile(0.995, dim=1, keepdim=True).clamp(min=1e-12)


def fantasies(machine: RestrictedBoltzmann | DeepBoltzmann, count: int, steps: int, seed: int) -> Tensor:
    """The expected visible units of chains after so many Gibbs steps, [count, V].

    Args:
        machine: the machine.
        count: how many chains.
        steps: how many Gibbs steps each goes.
        seed: draws them.
    """
    deep = machine if isinstance(machine, DeepBoltzmann) else as_layers(machine)
    generator = torch.Generator(deep.biases[0].device).manual_seed(seed)
    return deep.mean(deep.gibbs(deep.alone(count, generator), steps, generator), 0)
