"""Places of learning rules: their rates, whether they are active, and the numbers of their optimisers."""

from __future__ import annotations

import math
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.places import Place, Undo
from rillnet.types import LearningRule, NumberedRule, RatedRule, SettableRule, WindowedRule


class RatePlace(Place):
    """A learning rate, or all of a rule.

    Args:
        address: where.
        rule: whose.
        part: of the net; None is all.
    """

    kind = "rate"

    def __init__(self, address: str, rule: LearningRule, part: str | None) -> None:
        super().__init__(address)
        self._rule, self._part = rule, part

    @property
    def is_writable(self) -> bool:
        """Whether the rule takes a rate."""
        return isinstance(self._rule, RatedRule)

    def read(self) -> Any:
        """The rate in force; of a rule with optimisers on several parts all of them, by part."""
        rates = self._rule.rates()
        if self._part is not None:
            return rates[self._part]
        return rates if len(rates) > 1 else next(iter(rates.values()))

    def check(self, value: Any) -> None:
        """Looks whether it is a rate."""
        if not isinstance(self._rule, RatedRule):
            raise RequestError(Fault(self.address, "cannot be set, as the learning rule takes no rate"))
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and math.isfinite(value) and value >= 0):
            hint = "None gives it back to its curve"
            raise RequestError(Fault(self.address, "must be a number, at least 0", value, hint=hint))

    def write(self, value: Any) -> Undo:
        """Holds the rate; None gives it back to its curve."""
        assert isinstance(self._rule, RatedRule)
        rule, part = self._rule, self._part
        rates = rule.rates()
        held = rule.held_rates() if hasattr(rule, "held_rates") else dict.fromkeys(rates)
        rule.hold_rate(None if value is None else float(value), part)

        def put_back() -> None:
            for name, rate in rates.items():
                rule.hold_rate(rate, name)  # in force until the curve is asked again
                rule.hold_rate(held[name], name)

        return put_back


class ActivePlace(Place):
    """Whether a rule learns.

    Args:
        session: whose.
        address: where.
        name: the rule's.
    """

    kind = "active"

    def __init__(self, session: Controlled, address: str, name: str) -> None:
        super().__init__(address)
        self._session, self._name = session, name

    def read(self) -> bool:
        """Whether it learns."""
        return self._name not in self._session.executor.resting

    def check(self, value: Any) -> None:
        """Looks whether it is true or false."""
        if not isinstance(value, bool):
            raise RequestError(Fault(self.address, "must be true or false", value))

    def write(self, value: Any) -> Undo:
        """Has it learn, or rest."""
        executor = self._session.executor
        before = self.read()
        executor.rest(executor.resting - {self._name} if value else executor.resting | {self._name})
        return self.back_to(before)


class NumberPlace(Place):
    """A number of a rule's optimiser: momentum, weight_decay.

    Args:
        address: where.
        rule: whose.
        name: of the number.
    """

    def __init__(self, address: str, rule: NumberedRule, name: str) -> None:
        super().__init__(address)
        self._rule, self._name = rule, name

    def read(self) -> float:
        """The number."""
        return self._rule.numbers()[self._name]

    def check(self, value: Any) -> None:
        """Looks whether the optimiser takes it."""
        self._rule.check_number(self._name, value, self.address)

    def write(self, value: Any) -> Undo:
        """Sets it."""
        before = self.read()
        self._rule.set_number(self._name, float(value))
        return lambda: self._rule.set_number(self._name, before)


class ArgumentPlace(Place):
    """An argument of a rule that it reads anew in every frame: `every`, `period`, `mode`.

    Args:
        session: whose.
        address: where.
        rule: its name.
        name: of the argument.
    """

    kind = "setting"

    def __init__(self, session: Controlled, address: str, rule: str, name: str) -> None:
        super().__init__(address)
        self._session, self._rule_name, self._name = session, rule, name

    @property
    def _rule(self) -> SettableRule:
        rule = self._session.executor.rules[self._rule_name]
        assert isinstance(rule, SettableRule)
        return rule

    def read(self) -> Any:
        """What it is."""
        return self._rule.settings()[self._name]

    def check(self, value: Any) -> None:
        """Looks whether the rule takes it, and the others with it."""
        self._rule.check_setting(self._name, value, self.address)
        windowed = [rule for rule in self._session.executor.rules.values() if isinstance(rule, WindowedRule)]
        if self._name == "every" and self._session.executor.window is not None and len(windowed) > 1:
            raise RequestError(Fault(self.address, "must be the same for all rules, as they share a window", value))

    def write(self, value: Any) -> Undo:
        """Sets it, from the next frame on."""
        before = self.read()
        self._rule.set_setting(self._name, value)
        self._session.executor.renew_window()
        self._session.control.settings.note(self.address, before, value)
        return self.back_to(before)
