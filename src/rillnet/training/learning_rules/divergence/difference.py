"""What rules of energy models have in common: an optimiser follows the difference of data and samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import mse_loss

from rillnet.model.layers.energy import Units
from rillnet.model.net import Net
from rillnet.random import derive
from rillnet.training.learning_rules.divergence.pair import check_data, flat
from rillnet.training.learning_rules.divergence.turns import reached
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.learning_rules.live import LiveRule
from rillnet.training.learning_rules.optimized import OptimizedRule
from rillnet.training.optimizers import Implementation
from rillnet.training.spans import parse_span
from rillnet.types import LearningContext

_OPTIMIZER = "optimizer/"


class Gathered(NamedTuple):
    """What a frame comes to, before any rule changes a parameter.

    Args:
        gradients: by address of the parameter; none where the rule does not act.
        streams: where its chains go on, by name.
        told: the scalars that it tells.
    """

    gradients: Mapping[str, Tensor]
    streams: Mapping[str, Tensor]
    told: dict[str, Tensor]


class DifferenceRule(LiveRule, OptimizedRule):
    """Base of rules that lower the energy of data and raise that of samples.

    The difference of statistics of both takes the place of a gradient, for any optimiser. A rule defines what it
    expects of all layers where data are seen (`expect`), and how it comes to samples (`sample`).

    Attributes:
        units: the blocks of each layer, upwards, the visible ones first.
        parameters: what it changes, by address: the weights between the layers, then the biases, both upwards.
        gradients: where the difference is put, one for each parameter.
        streams: chains that go on from step to step, by name; they belong to the state of a run.
    """

    uses_graph = False
    """That it goes back through no graph, so that a frame for it alone is computed without one."""

    live: ClassVar[tuple[str, ...]] = ("k",)

    def __init__(
        self,
        net: Net,
        data: str,
        units: Sequence[Units],
        parameters: Mapping[str, Parameter],
        *,
        k: int | Sequence[Sequence[Any]],
        centred: bool,
        optimizer: Any,
        rate: Any,
        factors: dict[str, Any] | None,
        start: str | int,
        stop: str | int | None,
        implementation: Implementation | None,
        address: str,
    ) -> None:
        check_data(net, data, units[0], address)
        self.address, self.data, self.reads = address, data, (data,)
        self.units, self.parameters = tuple(units), dict(parameters)
        self.k, self.centred = k, centred
        self.use_optimizer(optimizer, self.parameters, rate=rate, factors=factors, implementation=implementation)
        self.start = parse_span(start, zero=True)
        self.stop = None if stop is None else parse_span(stop, zero=True)
        self.seed = net.seed
        self.streams: dict[str, Tensor] = {}
        self.gradients = [torch.empty_like(parameter) for parameter in self.parameters.values()]
        self._guard = Guard(address)
        self._gathered: Gathered | None = None
        self._generator: torch.Generator | None = None

    @property
    def computes(self) -> tuple[str, ...]:
        """The blocks whose samples it takes by itself."""
        return tuple(dict.fromkeys(name.removeprefix("net/").rpartition("/")[0] for name in self.parameters))

    def acts_at(self, context: LearningContext) -> bool:
        """Whether it learns in this step."""
        return reached(self.start, context) and (self.stop is None or not reached(self.stop, context))

    # --- what a rule defines ------------------------------------------------------------------

    def expect(self, v_NV: Tensor) -> list[Tensor]:
        """The data, and what units of all other layers are expected to be given them, upwards."""
        raise TypeError(f"{type(self).__name__} must define expect")

    def sample(
        self, data: Sequence[Tensor], context: LearningContext, generator: torch.Generator
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """What the model makes of itself.

        Args:
            data: what `expect` gave.
            context: where the run is.
            generator: draws.

        Returns:
            Samples of all layers, upwards; and where chains go on, by name.
        """
        raise TypeError(f"{type(self).__name__} must define sample")

    def reconstruct(self, data: Sequence[Tensor]) -> Tensor | None:
        """What the machine makes of the data, once samples are taken; None if that is not known.

        Args:
            data: what `expect` gave.
        """
        return None

    # --- learning -----------------------------------------------------------------------------

    @torch.no_grad()
    def gather(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool = False) -> None:
        """Takes samples, and compares them with the data; neither a parameter nor a chain is changed.

        Raises:
            UpdateError: a change holds NaN or infinity.
        """
        if not self.acts_at(context):
            self._gathered = Gathered({}, {}, {})
            return
        v_NV = flat(outputs[self.data], self.units[0].bias)
        seen = self.expect(v_NV)
        sampled, streams = self.sample(seen, context, self.seeded(context.step, v_NV.device))
        self.compare(seen, sampled)
        made_NV, told = self.reconstruct(seen), {}
        if made_NV is not None:
            told[f"{self.address.rpartition('/')[2]}/reconstruction"] = (
                mse_loss(made_NV, v_NV, reduction="sum") / v_NV.shape[0]
            )
        passed = self._guard(dict(zip(self.parameters, self.gradients, strict=True)), context.step)
        self._gathered = Gathered(passed, streams, told)

    def drop(self) -> None:
        """Forgets a frame that is not learned from; the chains are where they were."""
        self._gathered = None

    @torch.no_grad()
    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Changes the weights and the biases, and lets the chains go on.

        Returns:
            The squared error of a reconstruction of the data, per example, where there is one.

        Raises:
            UpdateError: a change holds NaN or infinity; it is not applied.
        """
        if self._gathered is None:
            self.gather(outputs, context)
        found, self._gathered = self._gathered, None
        if found is None or not found.gradients:
            return {}
        for name, tensor in found.streams.items():
            self._go_on(name, tensor)
        self._apply(found.gradients, context)
        return found.told

    def compare(self, data: Sequence[Tensor], model: Sequence[Tensor]) -> None:
        """Puts the difference of the statistics of both where gradients are.

        Args:
            data: units of all layers, upwards, one row for each example.
            model: the same of samples.
        """
        weights, biases = self.gradients[: len(data) - 1], self.gradients[len(data) - 1 :]
        gains = [units.kind.gain for units in self.units]
        for place, weight in enumerate(weights):
            difference_of_products((data[place], data[place + 1]), (model[place], model[place + 1]), weight)
        for place, bias in enumerate(biases):
            difference_of_means(gains[place], model[place], data[place], bias)
        if self.centred:
            centre(weights, biases, [(d.mean(0) + m.mean(0)) / 2 for d, m in zip(data, model, strict=True)], gains)

    def seeded(self, step: int, device: torch.device) -> torch.Generator:
        """Draws of a step depend on the seed and the step alone, so that a resumed run draws the same."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator.manual_seed(derive(self.seed, self.address, step))

    def _go_on(self, name: str, stream: Tensor) -> None:
        """Keeps where a chain is; what it comes from is memory that is used again."""
        known = self.streams.get(name)
        if known is None or known.shape != stream.shape:
            self.streams[name] = stream.clone()
        else:
            known.copy_(stream)

    def _apply(self, gradients: Mapping[str, Tensor], context: LearningContext) -> None:
        """Lets the optimiser follow the difference."""
        self.set_rates(context)
        kept = [parameter.grad for parameter in self.parameters.values()]  # what another rule gathers
        for name, parameter in self.parameters.items():
            parameter.grad = gradients[name]
        self.optimizer.step()
        for parameter, gradient in zip(self.parameters.values(), kept, strict=True):
            parameter.grad = gradient

    # --- state --------------------------------------------------------------------------------

    def state_tensors(self) -> dict[str, Tensor]:
        """The chains, and the optimizer's state."""
        self._guard.look()
        state = self.optimizer.state_tensors()
        return self.streams | {_OPTIMIZER + name: tensor for name, tensor in state.items()}

    def state_values(self) -> dict[str, Any]:
        """The optimizer's numbers, and what draws depend on."""
        return {"optimizer": self.optimizer.state_values(), "seed": self.seed}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Sets what was saved."""
        device = next(iter(self.parameters.values())).device
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(_OPTIMIZER)}
        self.streams = {name: tensor.to(device, copy=True) for name, tensor in own.items()}
        state = {n.removeprefix(_OPTIMIZER): t for n, t in tensors.items() if n.startswith(_OPTIMIZER)}
        self.optimizer.load_state(state, values["optimizer"])
        self.seed = values["seed"]


def difference_of_means(gain: float, model: Tensor, data: Tensor, out: Tensor) -> None:
    """The gradient of a bias: what the model's units are on average, less what the data's are."""
    torch.mean(model, 0, out=out)
    out.sub_(data.mean(0))
    if gain != 1:
        out.div_(gain)


def difference_of_products(data: tuple[Tensor, Tensor], model: tuple[Tensor, Tensor], out_HV: Tensor) -> None:
    """The gradient of a weight: the mean of h v^T in the model, less that in the data.

    Args:
        data: units below and units above, one row for each example.
        model: the same of samples.
        out_HV: what is written to.
    """
    (v_NV, h_NH), (v_CV, h_CH) = data, model
    torch.mm(h_NH.T, v_NV, out=out_HV)
    torch.addmm(out_HV, h_CH.T, v_CV, beta=-1 / v_NV.shape[0], alpha=1 / v_CV.shape[0], out=out_HV)


def centre(
    weights: Sequence[Tensor], biases: Sequence[Tensor], means: Sequence[Tensor], gains: Sequence[float]
) -> None:
    r"""Turns differences of statistics into those of a machine whose units count from their means.

    $\Delta W \leftarrow \Delta W - \mu_h \Delta b_v^T - \Delta b_h \mu_v^T$, and then
    $\Delta b_v \leftarrow \Delta b_v - \Delta W^T \mu_h$, $\Delta b_h \leftarrow \Delta b_h - \Delta W \mu_v$. It is
    the same whichever of its two states a unit calls 1.

    Args:
        weights: differences, between each layer and the next, one row for each unit of the next.
        biases: differences, of each layer.
        means: what units are on average, half of it in the data and half in the model.
        gains: of the kinds of units, which differences of biases are divided by.

    Source:
        Cho, Raiko, Ilin: Enhanced gradient for training restricted Boltzmann machines, Neural Computation 25 (2013).
        Melchior, Fischer, Wiskott: How to center deep Boltzmann machines, JMLR 17 (2016).
    """
    raw = [bias * gain for bias, gain in zip(biases, gains, strict=True)]
    for place, weight in enumerate(weights):
        weight.addr_(means[place + 1], raw[place], alpha=-1).addr_(raw[place + 1], means[place], alpha=-1)
    for place, weight in enumerate(weights):
        biases[place].addmv_(weight.T, means[place + 1], alpha=-gains[place])
        biases[place + 1].addmv_(weight, means[place], alpha=-gains[place + 1])
