"""Back-propagation of one or several losses, with optimisers on all of the net or on parts of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.reach import late, out_of_reach
from rillnet.model.rollout import Rollout
from rillnet.runtime.masks import FRAMES
from rillnet.runtime.placement.sharing import Sharing
from rillnet.runtime.windows import Memory
from rillnet.training.clipping import build_clip, check_clip
from rillnet.training.learning_rules.feedback import Feedback, Way
from rillnet.training.learning_rules.finite import Guard
from rillnet.training.learning_rules.live import LiveRule
from rillnet.training.learning_rules.optimized import OptimizedRule, check_optimized
from rillnet.training.optimizer_state import laid_out_as
from rillnet.training.optimizers import Implementation
from rillnet.training.selection import no_match, select
from rillnet.types import LearningContext

_GRADIENT = "#gradient"
_NAMED = 5

Lag = Annotated[int, Field(ge=0)] | Literal["auto"]
"""Frames, or that they are taken from the rollout."""


class Backprop(LiveRule, OptimizedRule):
    r"""Follows the gradient of a loss: $w \leftarrow w - \eta \, \partial L / \partial w$, by an optimiser.

    Args:
        net: the net whose parameters it changes.
        loss: the block that is the loss; several are added, `{loss: 1, penalty: 0.1}` with weights.
        optimizer: `{type: SGD, lr: 0.1}`, or a list of them on parts of the net (`of: "conv*"`).
        rate: the learning-rate curve; constant if left out.
        parameters: a glob of what it changes, `conv*` or `*.bias`.
        clip: a limit for the gradient's norm, or `{norm: 1.0}`, `{value: 0.5}`.
        factors: rate and decay factors by glob, `{"*/bias": {rate: 2, decay: 0}}`.
        accumulate: over how many steps gradients are averaged before the parameters change.
        window: how many frames one step looks back over (truncated back-propagation through time).
        every: after how many new frames it steps; `window` if left out, so that windows do not overlap.
        over_frames: whether the losses of the new frames are averaged or added up; of a loss with a mask what it marks,
            added up over the frames and averaged over the streams.
        lag: by how many frames the losses read their targets later, all that they read but the first; `auto` takes it
            from the rollout, so that each target meets the first response of the prediction.
        feedback: `random` sends errors back through fixed random weights (feedback alignment), `direct` from the output
            straight to every layer (direct feedback alignment).
        start: the first step in which it learns, counted from 0.
        period: it learns in one of so many steps.
        memory: `low` computes the frames of a window again on the way back, rather than keeping all they computed.
        implementation: how the optimiser's step is executed.
        address: where it stands in a document, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (1,), "y": (1,)}, seed=1)
        >>> _ = net.add("fit", rn.Linear(out_features=1), source="x")
        >>> _ = net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
        >>> Backprop(net, optimizer={"type": "SGD", "lr": 0.1}).reads
        ('loss',)

    Source:
        D. E. Rumelhart, G. E. Hinton, R. J. Williams, Nature 323, 1986; windows: R. J. Williams, J. Peng, Neural
        Computation 2, 1990; other ways back: T. P. Lillicrap et al., Nature Communications 7, 2016, and A. Nokland,
        NeurIPS 2016, arXiv:1609.01596.
    """

    live = ("accumulate", "clip", "every", "start", "period")
    stands: ClassVar[Mapping[str, str]] = {"clip": "limit"}

    def __init__(
        self,
        net: Net,
        *,
        loss: str | list[str] | dict[str, float] = "loss",
        optimizer: Any = "SGD",
        rate: Any = None,
        parameters: str = "*",
        clip: Any = None,
        factors: dict[str, Any] | None = None,
        accumulate: Annotated[int, Field(ge=1)] = 1,
        window: Annotated[int, Field(ge=1)] = 1,
        every: Annotated[int, Field(ge=1)] | None = None,
        over_frames: Literal["mean", "sum"] = "mean",
        lag: Lag | None = None,
        memory: Memory = "high",
        feedback: Way = "weights",
        start: Annotated[int, Field(ge=0)] = 0,
        period: Annotated[int, Field(ge=1)] = 1,
        implementation: Implementation | None = None,
        address: str = "learning/main",
    ) -> None:
        self.address = address
        self.weights = _weights(loss)
        self.reads = tuple(self.weights)
        for name in self.weights:
            if name not in net.blocks:
                raise RequestError(Fault(f"{address}.loss", "unknown block", name, hint=suggest(name, net.blocks)))
        known = net.parameters_by_address()
        if not known:
            raise RequestError(Fault(address, "has nothing to change, as the net has no parameters"))
        chosen = {name: known[name] for name in select(parameters, known)}
        if not chosen:
            raise RequestError(no_match(parameters, list(known), f"{address}.parameters"))
        self.use_optimizer(optimizer, chosen, rate=rate, factors=factors, implementation=implementation)
        self.clip = build_clip(clip, f"{address}.clip")
        self.accumulate = accumulate
        self.window, self.every = window, window if every is None else every
        self.over_frames, self.memory, self.lag = over_frames, memory, lag
        if lag is not None and not self.delays({"loss": self.weights, "lag": lag}, net):
            raise RequestError(Fault(f"{address}.lag", "needs a loss with a target: one that reads two blocks or more"))
        self.start, self.period = start, period
        self.feedback = None if feedback == "weights" else Feedback(net, feedback, f"{address}.feedback")
        if self.feedback is not None:
            self.reads = tuple(dict.fromkeys([*self.reads, *self.feedback.layers]))
        self.pending = 0
        self._is_gathered = False
        self._apart: dict[str, Tensor] = {}
        self._guard = Guard(address)
        self._skip: Tensor | None = None
        self._scaler: torch.amp.GradScaler | None = None
        self._sharing: Sharing | None = None
        own = {id(parameter) for parameter in chosen.values()}
        others = [p for p in net.parameters() if p.requires_grad and id(p) not in own]
        # gradients of what other rules change are none of this rule's business
        self._inputs = [p for p in chosen.values() if p.requires_grad] if others else None
        self._others = others

    @classmethod
    def check(cls, arguments: Mapping[str, Any], address: str) -> list[Fault]:
        """Every fault of its nested records."""
        faults = []
        if not isinstance(arguments.get("loss", "loss"), str) and not arguments["loss"]:
            faults.append(Fault(f"{address}.loss", "must name at least one block", arguments["loss"]))
        own: list[Fault] = []
        if arguments.get("clip") is not None:
            own += check_clip(arguments["clip"], f"{address}.clip")
        window, every = arguments.get("window", 1), arguments.get("every")
        if isinstance(every, int) and isinstance(window, int) and every > window:
            own.append(Fault(f"{address}.every", f"must be at most the window, {window}", every))
        if arguments.get("feedback", "weights") != "weights" and window != 1:
            own.append(Fault(f"{address}.feedback", "goes with a window of 1 only", arguments["feedback"]))
        return faults + check_optimized(arguments, address, own)

    @classmethod
    def delays(cls, arguments: Mapping[str, Any], net: Net) -> dict[str, int | str]:
        """The delays that its arguments ask of a rollout, by edge: those of the targets of its losses.

        Args:
            arguments: what a record gives.
            net: the net.

        Example:
            >>> import rillnet as rn
            >>> net = rn.Net("line", inputs={"x": (1,), "y": (1,)})
            >>> _ = net.add("fit", rn.Linear(out_features=1)).add("loss", rn.MeanSquaredError(), source=["fit", "y"])
            >>> Backprop.delays({"lag": "auto"}, net)
            {'*->loss#1': 'auto'}
        """
        lag, loss = arguments.get("lag"), arguments.get("loss", "loss")
        listed = [loss] if isinstance(loss, str) else loss if isinstance(loss, list | tuple | Mapping) else []
        # what is wrong with these is told with the other faults of the record
        losses = [name for name in listed if isinstance(name, str) and name in net.blocks]
        if lag is None or not (lag == "auto" or (type(lag) is int and lag >= 0)):
            return {}
        return {f"*->{name}#{port}": lag for name in losses for port in range(1, len(net.blocks[name].sources))}

    def notes(self, rollout: Rollout, *, in_time: bool) -> list[str]:
        """What goes wrong in silence: blocks that no gradient reaches, losses that compare what is of two examples.

        Args:
            rollout: the delay of every edge.
            in_time: whether a batch is the frame after the one before it, of the same streams.
        """
        told = []
        far = out_of_reach(rollout, self.weights, self.window)
        if far:
            names = list(far)
            listed = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            frames = f"{self.window} frame{'s' * (self.window != 1)}"
            rule = f"{listed} {'learn' if len(names) > 1 else 'learns'} nothing, as the window of {frames} is too short"
            told.append(f"{self.address}: {rule}; window: {max(far.values()) + 1} reaches every block")
        for loss, (source, frames_late) in late(rollout, self.weights).items() if not in_time else ():
            rule = f"{loss} compares examples with the {source} of others, {abs(frames_late)} batches away"
            told.append(f"{self.address}: {rule}; rollout: {{default: streaming, align: true}} brings them together")
        return told

    def share(self, sharing: Sharing) -> None:
        """Has gradients added up over processes, each of which has a part of the net.

        Args:
            sharing: of this rule's parameters.

        Raises:
            RequestError: what it does with a parameter needs all of it in one process.
        """
        needs_whole = sharing.splits_any and not self.optimizer.is_elementwise
        if needs_whole or (sharing.splits_filters and self.optimizer.limits_filters):
            how, hint = (
                ("shards", "leave out shard") if sharing.shards_any else ("splits", "partition these blocks by batch")
            )
            rule = f"needs each parameter whole in one process, and the placement {how} some"
            raise RequestError(Fault(f"{self.address}.optimizer", rule, hint=hint))
        if sharing.takes_own_steps and self.accumulate > 1:
            rule = "must be 1 where every process takes steps of its own"
            raise RequestError(Fault(f"{self.address}.accumulate", rule, self.accumulate, hint="take larger batches"))
        self.optimizer.take_share(sharing.share)
        self._sharing = sharing

    def gather(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool) -> None:
        """Goes back from the losses, and adds to the gradients gathered so far.

        They stand apart until `learn`, as other rules may have gradients of the same parameters.

        Raises:
            RequestError: no parameter is within reach of the window.
            UpdateError: a gradient holds NaN or infinity.
        """
        self._is_gathered = True
        if self._learns_in(context):
            self._take_up()
            self._go_back(outputs, context, keep_graph)
            if self._sharing is None:
                self._check(context)
            self._put_aside()

    def drop(self) -> None:
        """Forgets the gradients of a frame that is not learned from, and those that were gathered with them."""
        self._is_gathered, self._apart, self.pending = False, {}, 0
        self.optimizer.zero_grad()

    @property
    def limit(self) -> float | dict[str, float] | None:
        """The limit for gradients as a document says it; None for none."""
        return None if self.clip is None else self.clip.record

    @limit.setter
    def limit(self, value: Any) -> None:
        self.clip = build_clip(value, f"{self.address}.clip")

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether an argument can be set to a value, as the constructor takes it."""
        if name == "clip":
            faults = check_clip(value, address)
            if faults:
                raise RequestError(faults)
            return
        super().check_setting(name, value, address)
        if name == "every" and value > self.window:
            raise RequestError(Fault(address, f"must be at most the window, {self.window}", value))
        if name == "accumulate" and value > 1 and getattr(self._sharing, "takes_own_steps", False):
            raise RequestError(Fault(address, "must be 1 where every process takes steps of its own", value))

    def set_setting(self, name: str, value: Any) -> None:
        """Sets an argument; of gradients that are half gathered the mean goes on to count."""
        if name == "accumulate" and self.pending:
            counted = min(self.pending, value - 1)
            share = self.accumulate / self.pending * counted / value
            apart = [parameter.grad for parameter in self.optimizer.parameters.values()]
            for gradient in (*self._apart.values(), *apart):
                if gradient is not None:
                    gradient.mul_(share)
            self.pending = counted
        super().set_setting(name, value)

    def _check(self, context: LearningContext) -> None:
        """Looks at the gradients before any rule changes a parameter; a scaler looks at its own."""
        if self._scaler is None:
            self._skip = self._guard.check_gradients(self.optimizer.parameters, context.step)

    def _learns_in(self, context: LearningContext) -> bool:
        step = context.step // self.every
        return step >= self.start and (step - self.start) % self.period == 0

    def _take_up(self) -> None:
        """Puts the gradients gathered so far where torch adds to them."""
        for name, parameter in self.optimizer.parameters.items():
            parameter.grad = self._apart.get(name)
        self._apart = {}

    def _put_aside(self) -> None:
        self._apart = {name: p.grad for name, p in self.optimizer.parameters.items() if p.grad is not None}
        for parameter in self.optimizer.parameters.values():
            parameter.grad = None

    def _go_back(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool) -> None:
        if self.feedback is not None:
            self.feedback.attach(outputs)
        total = self._total(outputs)
        if not total.requires_grad:
            frames = f"{self.window} frame{'s' if self.window > 1 else ''}"
            rule = f"must reach back to a block with parameters, and within {frames} the loss depends on none"
            hint = "make it as many frames as the delays add up to from such a block to the loss, plus one"
            raise RequestError(Fault(f"{self.address}.window", rule, self.window, hint=hint))
        scaler = self._scaler_for(total, context)
        scaled = total if self.accumulate == 1 else total / self.accumulate
        scaled = scaled if scaler is None else scaler.scale(scaled)
        if self._sharing is None:
            torch.autograd.backward(scaled, retain_graph=keep_graph, inputs=self._inputs)
        else:
            self._go_back_together(scaled, self._sharing, keep_graph)

    def _go_back_together(self, scaled: Tensor, sharing: Sharing, keep_graph: bool) -> None:
        """Goes back through all of the graph, as other processes wait for its exchanges whatever this one changes."""
        kept = [parameter.grad for parameter in self._others]
        is_due = self.pending + 1 >= self.accumulate
        sharing.begin(is_due=is_due)
        torch.autograd.backward(scaled, retain_graph=keep_graph)
        sharing.finish(is_due=is_due)
        for parameter, gradient in zip(self._others, kept, strict=True):
            parameter.grad = gradient

    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        """Goes back from the losses and, when enough steps are gathered, changes the parameters.

        Raises:
            UpdateError: a gradient holds NaN or infinity; nothing is changed. An accelerator, which is not waited for,
                leaves the step out, and tells of it some frames later.
        """
        is_gathered, self._is_gathered = self._is_gathered, False
        if not self._learns_in(context):
            return {}
        if is_gathered or self._apart:
            self._take_up()
        if not is_gathered:
            self._go_back(outputs, context, keep_graph=False)
            if self._sharing is None:  # else some are slices, that are shown later
                self._check(context)
        self.pending += 1
        if self.pending < self.accumulate:
            if is_gathered:
                self._put_aside()
            return {}
        self.pending = 0
        self.set_rates(context)
        with self._sharing.changing() if self._sharing is not None else contextlib.nullcontext():
            return self._change(context)

    def _change(self, context: LearningContext) -> dict[str, Tensor]:
        """Changes the parameters by the gradients that they have, within limits."""
        if self._sharing is not None:
            self._check(context)
        scaler = self._scaler
        reported = {}
        if self.clip is not None:
            if scaler is not None:
                scaler.unscale_(self.optimizer)  # type: ignore[arg-type]
            norm_of = self._sharing.norm if self._sharing is not None else None
            norm = self.clip(self.optimizer.parameters.values(), norm_of)
            if norm is not None:
                reported["gradient_norm"] = norm
        self._step(scaler)
        self.optimizer.zero_grad()
        return reported

    def _step(self, scaler: torch.amp.GradScaler | None) -> None:
        if scaler is None:
            self.optimizer.step(self._skip)
        else:
            scaler.step(self.optimizer)  # type: ignore[arg-type]
            scaler.update()

    def _total(self, outputs: Mapping[str, Any]) -> Tensor:
        parts = [outputs[name] if weight == 1 else outputs[name] * weight for name, weight in self.weights.items()]
        if self.over_frames == "sum":
            frames = [outputs.get(name + FRAMES, self.every) for name in self.weights]
            parts = [part * count for part, count in zip(parts, frames, strict=True)]
        total: Tensor = parts[0]
        for part in parts[1:]:
            total = total + part
        return total if total.dim() == 0 else total.mean()

    def _scaler_for(self, total: Tensor, context: LearningContext) -> torch.amp.GradScaler | None:
        """float16 needs its gradients scaled, lest the small ones vanish."""
        if self._scaler is None and context.precision == "fp16":
            self._scaler = torch.amp.GradScaler(total.device.type)
        return self._scaler

    def state_tensors(self) -> dict[str, Tensor]:
        """The optimisers' state, and the gradients gathered so far."""
        self._guard.look()
        tensors = self.optimizer.state_tensors()
        if self.pending:
            if self._sharing is not None:
                self._sharing.settle()
            gathered = {name: p.grad for name, p in self.optimizer.parameters.items() if p.grad is not None}
            gathered |= self._apart
            if self._sharing is not None:
                gathered |= self._sharing.gathered_so_far(self.optimizer.parameters)
            tensors |= {name + _GRADIENT: gradient for name, gradient in gathered.items()}
        return tensors

    def state_values(self) -> dict[str, Any]:
        """The optimisers' numbers, and how many steps are gathered."""
        values: dict[str, Any] = {"optimizer": self.optimizer.state_values(), "pending": self.pending}
        if self._scaler is not None:
            values["scaler"] = self._scaler.state_dict()
        return values

    def merged_values(self, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The numbers of several processes, each with a part of the net, as one process has them."""
        merged = dict(values[0])
        merged["optimizer"] = self.optimizer.merged_values([one["optimizer"] for one in values])
        return merged

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Sets what was saved."""
        own = {name: tensor for name, tensor in tensors.items() if not name.endswith(_GRADIENT)}
        with self._sharing.shown() if self._sharing is not None else contextlib.nullcontext():
            self.optimizer.load_state(own, values["optimizer"])
        self.pending = values["pending"]
        for name, parameter in self.optimizer.parameters.items():
            gradient = tensors.get(name + _GRADIENT)
            if gradient is not None and self._sharing is not None:
                gradient = self._sharing.take(parameter, gradient)
            parameter.grad = None if gradient is None else laid_out_as(parameter, gradient.to(parameter.device))
        if "scaler" in values:
            device = next(iter(self.optimizer.parameters.values())).device
            self._scaler = torch.amp.GradScaler(device.type)
            self._scaler.load_state_dict(values["scaler"])


def _weights(loss: str | Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    if isinstance(loss, str):
        return {loss: 1.0}
    if isinstance(loss, Mapping):
        return dict(loss)
    return dict.fromkeys(loss, 1.0)
