"""What rules of energy models have in common: when they act, what they draw by, how a difference is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from rillnet.model.net import Net
from rillnet.random import derive
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.learning_rules.live import LiveRule
from rillnet.training.learning_rules.optimized import OptimizedRule
from rillnet.training.optimizers import Implementation
from rillnet.training.spans import parse_span
from rillnet.types import LearningContext

_OPTIMIZER = "optimizer/"
_ROUNDING = 1e-9


class DifferenceRule(LiveRule, OptimizedRule):
    """Base of rules that lower the energy of data and raise that of samples.

    The difference of statistics of both takes the place of a gradient, for any optimiser.

    Attributes:
        parameters: what it changes, by address.
        gradients: where the difference is put, one for each parameter.
        streams: chains that go on from step to step, by name; they belong to the state of a run.
    """

    uses_graph = False
    """That it goes back through no graph, so that a frame for it alone is computed without one."""

    def __init__(
        self,
        net: Net,
        data: str,
        parameters: Mapping[str, Parameter],
        *,
        optimizer: Any,
        rate: Any,
        factors: dict[str, Any] | None,
        start: str | int,
        stop: str | int | None,
        implementation: Implementation | None,
        address: str,
    ) -> None:
        self.address, self.data, self.reads = address, data, (data,)
        self.parameters = dict(parameters)
        self.use_optimizer(optimizer, self.parameters, rate=rate, factors=factors, implementation=implementation)
        self.start = parse_span(start, zero=True)
        self.stop = None if stop is None else parse_span(stop, zero=True)
        self.seed = net.seed
        self.streams: dict[str, Tensor] = {}
        self.gradients = [torch.empty_like(parameter) for parameter in self.parameters.values()]
        self._guard = Guard(address)
        self._generator: torch.Generator | None = None

    @property
    def computes(self) -> tuple[str, ...]:
        """The blocks whose samples it takes by itself."""
        return tuple(dict.fromkeys(name.removeprefix("net/").rpartition("/")[0] for name in self.parameters))

    def acts_at(self, context: LearningContext) -> bool:
        """Whether it learns in this step."""
        begun = self._reached(self.start, context)
        return begun and (self.stop is None or not self._reached(self.stop, context))

    def _reached(self, span: Any, context: LearningContext) -> bool:
        position = context.epoch if span.unit == "epoch" else context.step
        return bool(position >= span.count - _ROUNDING * max(1.0, span.count))

    def apply(self, context: LearningContext) -> None:
        """Lets the optimiser follow the difference.

        Raises:
            UpdateError: it holds NaN or infinity, and is not applied.
        """
        passed = self._guard(dict(zip(self.parameters, self.gradients, strict=True)), context.step)
        self.set_rates(context)
        parameters = list(self.parameters.values())
        kept = [parameter.grad for parameter in parameters]  # what another rule gathers
        for parameter, gradient in zip(parameters, passed.values(), strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        for parameter, gradient in zip(parameters, kept, strict=True):  # type: ignore[assignment]
            parameter.grad = gradient

    def seeded(self, step: int, device: torch.device) -> torch.Generator:
        """Draws of a step depend on the seed and the step alone, so that a resumed run draws the same."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator.manual_seed(derive(self.seed, self.address, step))

    def scalar(self, name: str) -> str:
        """What a number that the rule tells is called."""
        return f"{self.address.rpartition('/')[2]}/{name}"

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
