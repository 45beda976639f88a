"""Commands that act on what blocks send: clamp, noise, lesion, restore."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.values import plain
from rillnet.runtime.interventions.interventions import Changed
from rillnet.runtime.interventions.records import Clamp, Lesion, Noise, What

_MOST_TOLD = 20

_AT = Parameter("at", "text", required=False, doc="a region of it, as in [:, 4:10], after the batch")
_MASK = Parameter("mask", "value", required=False, doc='units that were drawn: {shape: [8, 8], bits: "base64"}')


def _target(block: str, at: str | None) -> str:
    """A block with a region, as one text."""
    if at is None:
        return block
    inner = at.strip()
    return f"{block}{inner}" if inner.startswith("[") else f"{block}[{inner}]"


def _applied(session: Controlled, changed: Changed) -> Applied:
    return Applied(_told(changed.targets), lambda: session.executor.interventions.undo(changed))


def _told(targets: Sequence[str]) -> dict[str, Any]:
    """The targets; of many the first."""
    if len(targets) <= _MOST_TOLD:
        return {"targets": list(targets)}
    return {"targets": [*targets[:_MOST_TOLD], "..."], "count": len(targets)}


class _Setting(CommandType):
    """A command that puts an intervention in force."""

    @abstractmethod
    def what(self, arguments: Mapping[str, Any]) -> What:
        """The intervention that is asked for."""

    def target(self, arguments: Mapping[str, Any]) -> str:
        """What it acts on."""
        return _target(arguments["block"], arguments.get("at"))

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether its target is there, and takes it."""
        session.executor.interventions.check(self.target(arguments), self.what(arguments), arguments.get("mask"))

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Puts it in force."""
        mask = arguments.get("mask")
        changed = session.executor.interventions.set(self.target(arguments), self.what(arguments), mask)
        return _applied(session, changed)


@register
class ClampBlock(_Setting):
    """Has a block, an input or some of its units send a value in every frame, whatever they compute.

    Nothing is learned through units that are clamped. A value is a number, a list of the shape of what is clamped, a
    picture (its pixels from 0 to 1) or `.npy` file, or a distribution that is drawn from in every frame:
    `clamp hidden1 0.5`, `clamp image digit.png`, `clamp hidden1 "normal(0, 1)" at=[:, 4:10]`.
    """

    name = "clamp"
    summary = "have a block send a value"
    parameters = (
        Parameter("block", "block", doc="a block or an input, or some of its units: hidden1[3]"),
        Parameter("value", "value", doc="a number, a list, a file, normal(mean, std) or uniform(low, high)"),
        _AT,
        _MASK,
    )

    def what(self, arguments: Mapping[str, Any]) -> What:
        """The clamp."""
        return Clamp(arguments["value"])

    def noted(self, session: Controlled, arguments: Mapping[str, Any], applied: Applied) -> Mapping[str, Any]:
        """With the numbers in the place of a file's name, as the file may be another when it is read again."""
        if not isinstance(arguments["value"], str):
            return arguments
        interventions = session.executor.interventions
        targets = interventions.check(self.target(arguments), self.what(arguments), arguments.get("mask"))
        numbers = targets[0].value
        if len(targets) != 1 or not isinstance(numbers, Tensor):
            return arguments
        return {**arguments, "value": plain(numbers)}


@register
class NoiseOnBlock(_Setting):
    """Adds normal noise to what a block, an input or some of its units send, drawn anew in every frame."""

    name = "noise"
    summary = "add noise to what a block sends"
    parameters = (
        Parameter("block", "block", doc="a block or an input, or some of its units: hidden1[3]"),
        Parameter("std", "number", doc="standard deviation, at least 0"),
        _AT,
        _MASK,
    )

    def what(self, arguments: Mapping[str, Any]) -> What:
        """The noise."""
        return Noise(arguments["std"])


@register
class LesionTarget(_Setting):
    """Has a block, some of its units, or an edge send zeros; nothing is learned through them.

    `lesion hidden1`, `lesion hidden1[3]` (a unit or channel), `lesion hidden1[:, 4:10, 4:10]` (a region),
    `lesion image->hidden1` (an edge: its reader sees zeros), `lesion unit*` (all that match).
    """

    name = "lesion"
    summary = "have a block, units or an edge send zeros"
    parameters = (
        Parameter("target", "block", doc="a block, an edge, units or a region, or a pattern"),
        _MASK,
    )

    def target(self, arguments: Mapping[str, Any]) -> str:
        """What it acts on."""
        return str(arguments["target"])

    def what(self, arguments: Mapping[str, Any]) -> What:
        """The lesion."""
        return Lesion()


@register
class Restore(CommandType):
    """Ends clamps, noise and lesions: of a block, of units, of an edge, of all that match a pattern, or all of them."""

    name = "restore"
    summary = "end clamps, noise and lesions"
    parameters = (
        Parameter("target", "pattern", doc="a block, an edge, units or a region, a pattern, or all"),
        _MASK,
    )

    def check(self, session: Controlled, *, target: str, mask: Any = None, **arguments: Any) -> None:
        """Looks whether anything is in force there."""
        if not target:
            raise RequestError(Fault("restore.target", "must name something", target))
        session.executor.interventions.to_remove(target, mask)

    def apply(self, session: Controlled, *, target: str, mask: Any = None, **arguments: Any) -> Applied:
        """Ends them."""
        return _applied(session, session.executor.interventions.remove(target, mask))
