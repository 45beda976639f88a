"""Learning-rate curves.

A curve is a pure function of how far the run is, so that a resumed run needs nothing but its clock.
Each is asked before a step for the rate of that step: t counts the steps done, base is the
optimiser's own `lr`. Times are steps (a bare number) or text, `500 steps`, `2 epochs`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Protocol, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from rillnet.errors import Fault, RequestError
from rillnet.registry import Family, check_arguments, value_rule
from rillnet.training.spans import SpanText, TimeText, check_ascending, completed, parse_span
from rillnet.training.typed import typed_spec

Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NonNegative: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Positive: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, before a step.

    Args:
        step: steps done.
        epoch: epochs done, a fraction in the middle of one.
        total_steps: steps of the whole run; None if it has no end.
        steps_per_epoch: steps of one epoch; 0 if the source does not tell.
    """

    step: int
    epoch: float
    total_steps: int | None
    steps_per_epoch: int


class Rate(Protocol):
    """A learning-rate curve."""

    def __call__(self, base: float, progress: Progress, /) -> float:
        """The rate of the next step."""


class _Curve:
    """Checks the arguments of a curve made in Python as a document's are."""

    def __post_init__(self) -> None:
        arguments = {item.name: getattr(self, item.name) for item in fields(self) if item.init}  # type: ignore[arg-type]
        faults = check_arguments(type(self), arguments, "rate")
        if faults:
            raise RequestError(faults)


@dataclass(frozen=True)
class Constant(_Curve):
    """One rate for the whole run: rate = value, or base.

    Args:
        value: the rate; None takes the optimiser's own.
    """

    value: NonNegative | None = None

    def __call__(self, base: float, progress: Progress) -> float:
        return base if self.value is None else self.value


@dataclass(frozen=True)
class Step(_Curve):
    """A staircase: rate = base * factor ** floor(t / every).

    Args:
        every: length of a step of the stairs.
        factor: what it is multiplied by at each.

    Example:
        >>> Step(every=10, factor=0.5)(1.0, Progress(20, 0.2, None, 100))
        0.25
    """

    every: SpanText
    factor: NonNegative = 0.1

    def __call__(self, base: float, progress: Progress) -> float:
        return base * self.factor ** completed(progress.step, _steps(self.every, progress))


def _is_times(value: object) -> object:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError('must be a list of times, such as [1000, "3 epochs"]')
    for item in value:
        parse_span(item, zero=True)
    return value


@dataclass(frozen=True)
class MultiStep(_Curve):
    """A staircase with steps of unequal length: rate = base * factor ** (how many of `at` are reached).

    Args:
        at: when it is multiplied, a list of times.
        factor: by what.
    """

    at: Annotated[Any, BeforeValidator(_is_times)]
    factor: NonNegative = 0.1

    def __call__(self, base: float, progress: Progress) -> float:
        reached = sum(_steps(time, progress) <= progress.step for time in self.at)
        return base * self.factor**reached


@dataclass(frozen=True)
class Exponential(_Curve):
    """Exponential decay: rate = base * factor ** (t / every).

    Args:
        factor: what the rate is multiplied by in every span of that length.
        every: the length.
        staircase: change the rate at the end of each span only.
    """

    factor: NonNegative
    every: SpanText = "1 epoch"
    staircase: bool = False

    def __call__(self, base: float, progress: Progress) -> float:
        every = _steps(self.every, progress)
        exponent = completed(progress.step, every) if self.staircase else progress.step / every
        return float(base * self.factor**exponent)


@dataclass(frozen=True)
class Inverse(_Curve):
    """Inverse decay, Caffe's `inv`: rate = base * (1 + gamma * t / every) ** -power.

    Args:
        gamma: how fast.
        power: how far.
        every: the unit t is counted in.
    """

    gamma: NonNegative = 1e-4
    power: Number = 0.75
    every: SpanText = 1

    def __call__(self, base: float, progress: Progress) -> float:
        return float(base * (1 + self.gamma * progress.step / _steps(self.every, progress)) ** -self.power)


@dataclass(frozen=True)
class Polynomial(_Curve):
    """Polynomial decay: rate = end + (base - end) * max(0, 1 - t / over) ** power.

    Args:
        power: the exponent; 1 is a straight line.
        end: the last rate.
        over: how long it takes; None is the whole run.
    """

    power: NonNegative = 1.0
    end: NonNegative = 0.0
    over: SpanText | None = None

    def __call__(self, base: float, progress: Progress) -> float:
        fraction = _fraction(self.over, progress, "Polynomial")
        return float(self.end + (base - self.end) * (1 - fraction) ** self.power)


@dataclass(frozen=True)
class Linear(_Curve):
    """A straight line: base until `after`, then evenly to `end` in the time of `over`.

    Args:
        end: the last rate.
        over: how long it takes; None is the rest of the run.
        after: when it begins.
    """

    end: NonNegative = 0.0
    over: SpanText | None = None
    after: TimeText = 0

    def __call__(self, base: float, progress: Progress) -> float:
        fraction = _fraction(self.over, _shifted(progress, round(_steps(self.after, progress))), "Linear")
        return base + (self.end - base) * fraction


@dataclass(frozen=True)
class Cosine(_Curve):
    """Half a cosine: rate = end + (base - end) * (1 + cos(pi * t / over)) / 2.

    Args:
        end: the last rate.
        cycles: how often it goes down from base to end, equally long each time.
        over: how long all of it takes; None is the whole run.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """

    end: NonNegative = 0.0
    cycles: Annotated[int, Field(strict=True, ge=1)] = 1
    over: SpanText | None = None

    def __call__(self, base: float, progress: Progress) -> float:
        fraction = _fraction(self.over, progress, "Cosine")
        if fraction >= 1:
            return self.end
        position = fraction * self.cycles
        within = max(0.0, position - completed(position, 1))
        return self.end + (base - self.end) * (1 + math.cos(math.pi * within)) / 2


@dataclass(frozen=True)
class Warmup(_Curve):
    """A straight line from `start` to the first rate of another curve.

    rate = (t * then(0) + (steps - t) * start) / steps. The other curve begins
    after the warm-up and lasts for the rest of the run.

    Args:
        steps: how long the warm-up takes.
        start: the rate of the first step.
        then: the other curve; None is constant.

    Source: Goyal et al. 2017, https://arxiv.org/abs/1706.02677.
    """

    steps: SpanText
    start: NonNegative = 0.0
    then: Any = None
    _curve: Rate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_curve", build_rate(self.then, "rate.then"))

    def __call__(self, base: float, progress: Progress) -> float:
        length = round(_steps(self.steps, progress))
        if progress.step >= length:
            return self._curve(base, _shifted(progress, length))
        goal = self._curve(base, _shifted(replace(progress, step=length), length))
        return (progress.step * goal + (length - progress.step) * self.start) / length


def _is_points(value: object) -> object:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError('must be a list of [time, rate], such as [[0, 0.1], ["2 epochs", 0.01]]')
    spans = []
    for item in value:
        if not isinstance(item, Sequence) or isinstance(item, str) or len(item) != 2:
            raise ValueError('must be a list of [time, rate], such as [[0, 0.1], ["2 epochs", 0.01]]')
        spans.append(parse_span(item[0], zero=True))
        broken = value_rule(NonNegative, item[1])
        if broken:
            raise ValueError(f"has the rate {item[1]!r}, which {broken}")
    check_ascending(spans)
    return value


@dataclass(frozen=True)
class Points(_Curve):
    """Rates at given times, whatever the optimiser's own.

    Args:
        points: a list of (time, rate).
        linear: draw straight lines between the points; otherwise each rate holds until the next point.
            Before the first point the rate is the first point's if linear, and the optimiser's own if not.

    Example:
        >>> Points([(0, 0.1), (100, 0.01)])(1.0, Progress(99, 0.99, None, 100))
        0.1
    """

    points: Annotated[Any, AfterValidator(_is_points)]
    linear: bool = False

    def __call__(self, base: float, progress: Progress) -> float:
        points = sorted((_steps(time, progress), float(rate)) for time, rate in self.points)
        reached = [point for point in points if point[0] <= progress.step]
        if not reached:
            return points[0][1] if self.linear else base
        (start, rate) = reached[-1]
        if not self.linear or len(reached) == len(points):
            return rate
        end, goal = points[len(reached)]
        return rate + (goal - rate) * (progress.step - start) / (end - start)


@dataclass(frozen=True)
class Factor(_Curve):
    """What a Python function of the step says: rate = base * function(t).

    Args:
        function: from steps done to a factor.

    Example:
        >>> Factor(lambda step: 1 / (1 + step))(0.5, Progress(4, 0.04, None, 100))
        0.1
    """

    function: Callable[[int], float]

    def __call__(self, base: float, progress: Progress) -> float:
        return base * self.function(progress.step)


RATES: Family[Rate] = Family(
    "rate",
    {
        "Constant": Constant,
        "Step": Step,
        "MultiStep": MultiStep,
        "Exponential": Exponential,
        "Inverse": Inverse,
        "Polynomial": Polynomial,
        "Linear": Linear,
        "Cosine": Cosine,
        "Warmup": Warmup,
        "Points": Points,
    },
)


def build_rate(spec: object, address: str = "rate") -> Rate:
    """The curve that a record describes.

    Args:
        spec: a record; a name; a number, the rate of the whole run; a list of (time, rate); a function
            from the step to a factor; a curve of your own, a function of base and `Progress`; None, constant.
        address: where it stands, for messages.

    Returns:
        The curve.

    Raises:
        RequestError: it is none of these, or its arguments are wrong.

    Example:
        >>> build_rate([[0, 0.1], [100, 0.01]])(1.0, Progress(100, 1.0, None, 100))
        0.01
    """
    faults = check_rate(spec, address)
    if faults:
        raise RequestError(faults)
    if spec is None:
        return Constant()
    if isinstance(spec, int | float):
        return Constant(float(spec))
    if isinstance(spec, list | tuple):
        return Points(spec)
    if callable(spec):
        return spec if _takes_progress(spec) else Factor(spec)
    return RATES.build(typed_spec(spec, address))


def check_rate(spec: object, address: str) -> list[Fault]:
    """Every fault of what `build_rate` takes."""
    if spec is None or (callable(spec) and not isinstance(spec, Mapping)):
        return []
    if isinstance(spec, int | float):
        broken = value_rule(NonNegative, spec)
        return [Fault(address, broken, spec)] if broken else []
    if isinstance(spec, list | tuple):
        try:
            _is_points(spec)
        except ValueError as error:
            return [Fault(address, str(error), spec)]
        return []
    try:
        record = typed_spec(spec, address)
    except RequestError as error:
        return error.faults
    faults = RATES.check(record, address)
    if record.type == "Warmup":
        faults += check_rate(record.arguments.get("then"), f"{address}.then")
    return faults


def _takes_progress(function: Callable[..., Any]) -> bool:
    """Whether a function is a curve, of base and progress, rather than a factor by step."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters) == 2


def _steps(span: object, progress: Progress) -> float:
    parsed = parse_span(span, zero=True)
    if parsed.unit == "epoch" and progress.steps_per_epoch < 1:
        rule = "must be in steps, as the source does not tell how many steps an epoch has"
        raise RequestError(Fault("rate", rule, span))
    return parsed.steps(progress.steps_per_epoch)


def _fraction(over: object, progress: Progress, name: str) -> float:
    """How much of a span (of the whole run if None) is over, from 0 to 1."""
    length = progress.total_steps if over is None else _steps(over, progress)
    if length is None:
        raise RequestError(
            Fault(
                "rate.over", f"is required by {name}, as this run has no end", hint='say how long, such as "10 epochs"'
            )
        )
    return 1.0 if length <= 0 else min(1.0, max(0.0, progress.step / length))


def _shifted(progress: Progress, steps: int) -> Progress:
    """The same moment on a clock that starts so many steps later."""
    total = None if progress.total_steps is None else progress.total_steps - steps
    return replace(
        progress,
        step=progress.step - steps,
        epoch=progress.epoch - (steps / progress.steps_per_epoch if progress.steps_per_epoch else 0.0),
        total_steps=total,
    )
