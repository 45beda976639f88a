"""Contrastive divergence: CD-k from the data, or persistent, from chains that go on from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor
from torch.nn.functional import mse_loss

from rillnet.errors import Fault
from rillnet.model.net import Net
from rillnet.random import derive
from rillnet.training.learning_rules.divergence.pair import check_data, find_pair, flat
from rillnet.training.learning_rules.divergence.tempering import Tempered
from rillnet.training.learning_rules.divergence.walking import Walk
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.optimizers import Implementation, Optimizer, check_factors, check_optimizer
from rillnet.training.rates import Progress, build_rate, check_rate
from rillnet.training.spans import TimeText, parse_span
from rillnet.types import LearningContext

Count = Annotated[int, Field(ge=1)]

_CHAINS, _OPTIMIZER = "chains", "optimizer/"
_ROUNDING = 1e-9


class Sparsity(BaseModel):
    """How often hidden units should be on.

    Args:
        target: the probability that is aimed at.
        cost: how strongly biases are drawn there.
    """

    model_config = ConfigDict(extra="forbid")

    target: Annotated[float, Field(gt=0, lt=1)]
    cost: Annotated[float, Field(ge=0)] = 0.1


class ContrastiveDivergence:
    r"""Lowers the energy of data and raises that of samples of the model.

    $\Delta W \propto \langle h v^T \rangle_{data} - \langle h v^T \rangle_{model}$

    The samples are k Gibbs steps away from the data (CD-k), or, persistent, from where they were in the step before, so
    that they come to follow the model itself. Hidden units count by their probabilities where their draw is not needed.
    The difference takes the place of a gradient, for any optimizer.

    Args:
        net: the net; two of its blocks are a restricted Boltzmann machine.
        data: the block or input whose values the visible units should take.
        visible: the block of visible units.
        hidden: the block of hidden units; the visible ones have its weight, transposed.
        k: Gibbs steps to a sample.
        persistent: go on from the samples of the step before.
        chains: how many persistent samples there are.
        temperatures: of parallel tempering: persistent chains at so many strengths of the weight between 0 and 1 swap
            places; 1 is without it.
        visible_draws: draw the visible units of samples; otherwise their expected values are taken, which is less noisy
            and no longer exact.
        sparsity: `{target: 0.1, cost: 0.1}` draws hidden biases to where their units are on so often.
        optimizer: `{type: SGD, lr: 0.1, momentum: 0.5, weight_decay: 0.0002}`.
        rate: the learning-rate curve; constant if left out.
        factors: rate and decay factors by glob, `{"*/bias": {decay: 0}}`.
        start: when it begins to act, `10 epochs`: layers may learn one after the other.
        stop: when it ends; the end of the run if left out.
        implementation: how the optimiser's step is executed.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("rbm", inputs={"pixels": (4,)}, seed=1)
        >>> tie = {"weight": {"of": "hidden.weight", "transpose": True}}
        >>> _ = net.add("visible", rn.BernoulliUnits(out_features=4), source="hidden@-1", share=tie)
        >>> _ = net.add("hidden", rn.BernoulliUnits(out_features=2), source="visible")
        >>> ContrastiveDivergence(net, data="pixels", k=2).reads
        ('pixels',)

    Source:
        Hinton: Training products of experts by minimizing contrastive divergence, Neural Computation 14 (2002).
        Tieleman: Training restricted Boltzmann machines using approximations to the likelihood gradient, ICML 2008.
        Lee, Ekanadham, Ng: Sparse deep belief net model for visual area V2, NIPS 2007.
    """

    uses_graph = False
    """That it goes back through no graph, so that a frame for it alone is computed without one."""

    def __init__(
        self,
        net: Net,
        *,
        data: str,
        visible: str = "visible",
        hidden: str = "hidden",
        k: Count = 1,
        persistent: bool = False,
        chains: Count = 100,
        temperatures: Count = 1,
        visible_draws: bool = True,
        sparsity: dict[str, float] | None = None,
        optimizer: Any = "SGD",
        rate: Any = None,
        factors: dict[str, Any] | None = None,
        start: TimeText = 0,
        stop: TimeText | None = None,
        implementation: Implementation | None = None,
        address: str = "learning/main",
    ) -> None:
        self.address, self.data, self.reads = address, data, (data,)
        self.pair = find_pair(net, visible, hidden, address)
        check_data(net, data, self.pair.visible, address)
        self.k, self.persistent, self.count, self.temperatures = k, persistent, chains, temperatures
        self.sparsity = None if sparsity is None else Sparsity.model_validate(sparsity)
        self.optimizer = Optimizer(
            optimizer,
            self.pair.parameters,
            factors=factors,
            implementation=implementation,
            address=f"{address}.optimizer",
        )
        self.rate = build_rate(rate, f"{address}.rate")
        self.start = parse_span(start, zero=True)
        self.stop = None if stop is None else parse_span(stop, zero=True)
        self.seed = net.seed
        self.chains: Tensor | None = None
        self._walk = Walk(self.pair, visible_draws)
        self._tempered = Tempered(self.pair, temperatures) if temperatures > 1 else None
        self._gradients = [torch.empty_like(parameter) for parameter in self.pair.parameters.values()]
        self._guard = Guard(address)
        self._generator: torch.Generator | None = None

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        faults = []
        if "optimizer" in arguments:
            faults += check_optimizer(arguments["optimizer"], f"{address}.optimizer")
        if arguments.get("rate") is not None:
            faults += check_rate(arguments["rate"], f"{address}.rate")
        if isinstance(arguments.get("sparsity"), Mapping):
            faults += _check_sparsity(arguments["sparsity"], f"{address}.sparsity")
        temperatures = arguments.get("temperatures", 1)
        if isinstance(temperatures, int) and temperatures > 1 and not arguments.get("persistent", False):
            hint = "add persistent: true"
            faults.append(Fault(f"{address}.temperatures", "needs persistent chains", temperatures, hint=hint))
        return faults + check_factors(arguments.get("factors"), f"{address}.factors")

    # --- learning -----------------------------------------------------------------------------

    def acts_at(self, context: LearningContext) -> bool:
        """Whether it learns in this step."""
        begun = self._reached(self.start, context)
        return begun and (self.stop is None or not self._reached(self.stop, context))

    def _reached(self, span: Any, context: LearningContext) -> bool:
        position = context.epoch if span.unit == "epoch" else context.step
        return bool(position >= span.count - _ROUNDING * max(1.0, span.count))

    @torch.no_grad()
    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Takes samples, and changes the weight and the biases.

        Returns:
            The squared error of the reconstruction, per example, where the samples begin at the data.

        Raises:
            UpdateError: a change holds NaN or infinity; it is not applied.
        """
        if not self.acts_at(context):
            return {}
        v_NV = flat(outputs[self.data], self.pair.hidden.weight)
        generator = self._seeded(context.step, v_NV.device)
        walk = self._walk
        walk.refresh()
        h_NH = walk.hidden_mean(v_NV, "data")
        reported = {}
        if self.persistent:
            model_CV, model_CH = self._go_on(generator)
        else:
            drawn = walk.draw_hidden(h_NH, generator)
            model_CV, model_CH, _ = walk.steps(drawn, self.k, generator)
            name = self.address.rpartition("/")[2]
            error = mse_loss(walk.first_mean, v_NV, reduction="sum") / v_NV.shape[0]
            reported[f"{name}/reconstruction"] = error
        self._change((v_NV, h_NH), (model_CV, model_CH), context)
        return reported

    def _go_on(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Samples of the persistent chains, which go on."""
        walk = self._walk
        if self.chains is None:
            self.chains = walk.beginnings(self.count * self.temperatures, generator)
        if self._tempered is not None:
            v_CV, h_CH, self.chains = self._tempered.steps(self.chains, self.k, generator)
            return v_CV, h_CH
        v_CV, h_CH, self.chains = walk.steps(self.chains, self.k, generator, goes_on=True)
        return v_CV, h_CH

    def _change(self, data: tuple[Tensor, Tensor], model: tuple[Tensor, Tensor], context: LearningContext) -> None:
        weight, visible, hidden = self._gradients
        (v_NV, h_NH), (v_CV, h_CH) = data, model
        examples, samples = v_NV.shape[0], v_CV.shape[0]
        torch.mm(h_NH.T, v_NV, out=weight)
        torch.addmm(weight, h_CH.T, v_CV, beta=-1 / examples, alpha=1 / samples, out=weight)
        kinds = (self.pair.visible.kind, self.pair.hidden.kind)
        _difference(kinds[0].gain, v_CV, v_NV, visible)
        _difference(kinds[1].gain, h_CH, h_NH, hidden)
        if self.sparsity is not None:
            hidden.add_(h_NH.mean(0) - self.sparsity.target, alpha=self.sparsity.cost)
        self._guard(dict(zip(self.pair.parameters, self._gradients, strict=True)), context.step)
        progress = Progress(context.step, context.epoch, context.total_steps, context.steps_per_epoch or 0)
        self.optimizer.set_rate(self.rate, progress)
        parameters = list(self.pair.parameters.values())
        kept = [parameter.grad for parameter in parameters]  # what another rule gathers
        for parameter, gradient in zip(parameters, self._gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        for parameter, gradient in zip(parameters, kept, strict=True):  # type: ignore[assignment]
            parameter.grad = gradient

    def _seeded(self, step: int, device: torch.device) -> torch.Generator:
        """Draws of a step depend on the seed and the step alone, so that a resumed run draws the same."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device)
        return self._generator.manual_seed(derive(self.seed, self.address, step))

    # --- rates and state ----------------------------------------------------------------------

    def rates(self) -> dict[str, float]:
        """The rates of the last step, by part of the net."""
        return self.optimizer.rates()

    def hold_rate(self, value: float | None, part: str | None = None) -> None:
        """Holds the rate at a value, whatever its curve says; None gives it back."""
        self.optimizer.hold_rate(value, part)

    def held_rates(self) -> dict[str, float | None]:
        """What rates are held at, by part of the net; None for those that follow their curves."""
        return self.optimizer.held_rates()

    def numbers(self) -> dict[str, float]:
        """The optimizer's numbers that can be changed."""
        return self.optimizer.numbers()

    def check_number(self, name: str, value: Any, address: str) -> None:
        """Looks whether a number can be set to a value; raises if the optimizer does not take it."""
        self.optimizer.check_number(name, value, address)

    def set_number(self, name: str, value: float) -> None:
        """Sets a number, from the next step on."""
        self.optimizer.set_number(name, value)

    def state_tensors(self) -> dict[str, Tensor]:
        """The chains, and the optimizer's state."""
        self._guard.look()
        tensors = {} if self.chains is None else {_CHAINS: self.chains}
        return tensors | {_OPTIMIZER + name: tensor for name, tensor in self.optimizer.state_tensors().items()}

    def state_values(self) -> dict[str, Any]:
        """The optimizer's numbers, and what draws depend on."""
        return {"optimizer": self.optimizer.state_values(), "seed": self.seed}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Sets what was saved."""
        chains = tensors.get(_CHAINS)
        self.chains = None if chains is None else chains.to(self.pair.hidden.weight.device, copy=True)
        own = {n.removeprefix(_OPTIMIZER): t for n, t in tensors.items() if n.startswith(_OPTIMIZER)}
        self.optimizer.load_state(own, values["optimizer"])
        self.seed = values["seed"]


def _difference(gain: float, model: Tensor, data: Tensor, out: Tensor) -> None:
    """The gradient of a bias: what the model's units are on average, less what the data's are."""
    torch.mean(model, 0, out=out)
    out.sub_(data.mean(0))
    if gain != 1:
        out.div_(gain)


def _check_sparsity(given: Mapping[str, Any], address: str) -> list[Fault]:
    try:
        Sparsity.model_validate(given)
    except ValidationError as error:
        return [
            Fault(".".join([address, *map(str, found["loc"])]), found["msg"], found.get("input"))
            for found in error.errors()
        ]
    return []
