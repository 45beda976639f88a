"""How the net of a session is executed: as asked, as remembered, or as measured before the first step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, device

from rillnet.data import Data
from rillnet.data.feed import Feed
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.clock import Clock
from rillnet.runtime.evaluator import lay_out
from rillnet.runtime.execution import Choice, choices_file, choose, copied, plain, unmeasured
from rillnet.runtime.executor import Context, Executor
from rillnet.runtime.parts import Assembly
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.record import Record
from rillnet.runtime.sparing import Spared
from rillnet.spec import ExecutionSpec, ExperimentSpec
from rillnet.types import LearningRule, NotingRule


class Preparing:
    """The part of a session that makes its executor."""

    experiment: Assembly
    spec: ExperimentSpec
    net: Net
    rollout: Rollout
    device: device
    placement: Placement | None
    data: Data | None
    clock: Clock
    choice: Choice | None
    rules: dict[str, LearningRule]
    total_steps: int | None
    scalars: dict[str, Tensor]
    say: Callable[[str], None]
    control: Any
    _executor: Executor | None
    _record: Record | None

    @property
    def feed(self) -> Feed:
        """The train phase's examples, drawn into batches."""
        raise AttributeError("feed")

    @property
    def executor(self) -> Executor:
        """What runs frames. Until `prepare` or the first step decides how, it does so as asked and by default."""
        if self._executor is None:
            choice = self.choice or self._unmeasured()
            self._executor = self._make_executor(self.net, choice.execution)
            self.rules = dict(self._executor.rules)
        return self._executor

    @property
    def made_executor(self) -> Executor | None:
        """What runs frames, if it has been made."""
        return self._executor

    def prepare(self) -> None:
        """Decides how the net is executed, by measuring where that pays, if it was not decided yet."""
        is_new = self.choice is None
        if is_new:
            remembered = self._remembered_choice() if self.placement is None else None
            self.choice = remembered or self._choose()
            before, self._executor = self._executor, None  # one that has only been looked at with is made anew
            self.say(str(self.choice))
            if self.placement is not None and self.placement.note:
                self.say(self.placement.note)
            for lag in self.rollout.lags:
                self.say(str(lag))
            if before is not None and (self.control.history or before.interventions):  # or commanded
                self.executor.take_over(before)
        if self._executor is None:
            self._executor = self.executor
        if is_new:
            for text in _not_offered(self.rules, self._executor.execution):
                self.say(text)
        if is_new and self.data is not None:
            for rule in self.rules.values():
                in_time = self.feed.continuous
                for text in rule.notes(self.rollout, in_time=in_time) if isinstance(rule, NotingRule) else ():
                    self.say(text)

    def make_executor(self) -> Executor:
        """Another one for the net as it is now, which has not run any frame."""
        return self._make_executor(self.net, (self.choice or self._unmeasured()).execution)

    def use_executor(self, executor: Executor | None) -> None:
        """Has frames run by another executor from now on.

        Args:
            executor: it; None for one that is made when it is needed.
        """
        self._executor = executor
        self.rules = dict(executor.rules) if executor is not None else {}

    def _make_executor(self, net: Net, execution: ExecutionSpec) -> Executor:
        rules = self.experiment.build_rules(lay_out(net, execution), execution.optimizer)
        self.control.settings.renew(rules)
        rollout = self.rollout if net is self.net else self.experiment.build_rollout(net)
        run = self.spec.run
        placement = self.placement if net is self.net else None
        before = self._executor if net is self.net else None
        executor = Executor(
            net,
            rollout,
            rules,
            execution=execution,
            precision=run.precision,
            seed=run.seed,
            reset=run.reset,
            placement=placement,
            interventions=None if before is None else before.interventions,
        )
        if run.if_not_finite == "pause" and net is self.net:
            executor.spared = Spared(net)
        if placement is not None:
            placement.share(rules)
        return executor

    def _asked(self) -> ExecutionSpec:
        execution = self.spec.run.execution
        if isinstance(execution, ExecutionSpec):
            return execution
        if execution == "eager":
            return plain(self.device).model_copy(update={"group": "off"})  # Python runs as it is written
        if execution == "compiled":
            return unmeasured(ExecutionSpec(compile=True), self.device)
        return ExecutionSpec()

    def _unmeasured(self) -> Choice:
        asked = self._asked()
        is_told = all(value is not None for value in asked.model_dump(exclude={"threads", "group"}).values())
        return Choice(unmeasured(asked, self.device), reason="asked for" if is_told else "not measured")

    def _choose(self) -> Choice:
        given = self._unmeasured()
        if (
            self.placement is not None
            or given.reason == "asked for"
            or self.data is None
            or not self.spec.learning
            or self.total_steps is None
        ):
            return given

        def scratch(execution: ExecutionSpec) -> Executor:
            return self._make_executor(copied(self.net), execution)

        run = self.spec.run
        return choose(
            scratch,
            self.feed.peek().fields,
            net=self.net,
            asked=self._asked(),
            device=self.device,
            context=Context(self.clock.step, self.clock.epoch, self.total_steps, self.clock.batches, run.precision),
            memory=choices_file(),
            details=[run.precision, repr(self.spec.learning), self.rollout.delays],
        )

    def _remembered_choice(self) -> Choice | None:
        """The choice of a run that was killed after choosing and before its first checkpoint."""
        return self._record.choice() if self._record is not None else None


def _not_offered(rules: Mapping[str, LearningRule], execution: ExecutionSpec) -> Iterator[str]:
    """Where an optimizer's step is taken in another way than the execution says, as torch does not offer that one."""
    for name, rule in rules.items():
        used = getattr(getattr(rule, "optimizer", None), "implementation_used", None)
        if used is not None and execution.optimizer not in (None, used):
            yield f"learning/{name}.optimizer: torch offers no {execution.optimizer} step of it here; {used} is taken"
