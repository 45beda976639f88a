"""Trying an edit: a frame of the net as it would be, on the data that come next, such that nothing is left of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from rillnet.data import Data
from rillnet.data.feed import Feed
from rillnet.errors import DataError, Fault, RequestError, RillnetError
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.carrying import Carrying
from rillnet.runtime.clock import Clock
from rillnet.runtime.evaluator import Evaluator, streams_of
from rillnet.runtime.execution import Choice
from rillnet.runtime.executor import Executor
from rillnet.runtime.observers.untouched import untouched
from rillnet.runtime.placement.placed import Placement
from rillnet.runtime.state import State, expanded
from rillnet.spec import ExecutionSpec, ExperimentSpec


class Trying(Protocol):
    """A session, as far as an edit of its net is tried."""

    net: Net
    rollout: Rollout
    spec: ExperimentSpec
    clock: Clock
    data: Data | None
    choice: Choice | None
    placement: Placement | None

    @property
    def feed(self) -> Feed:
        """The train phase's examples, drawn into batches."""

    @property
    def made_executor(self) -> Executor | None:
        """What runs its frames, if it has been made."""


def check_frame(session: Trying, net: Net, rollout: Rollout, carrying: Carrying) -> None:
    """Looks whether an edited net can compute the next training frame; nothing is learned, and nothing changed.

    A net that fails already as it is can be edited all the same, as that may mend it. Of several processes each
    computes all of the frame, without the others, and all refuse what one refuses.

    Args:
        session: whose net was edited.
        net: as it would be.
        rollout: the delay of every edge of it.
        carrying: how the state of now fits it.

    Raises:
        RequestError: a block fails on the next batch; names it.
    """
    failure = _failure(session, net, rollout, carrying)
    if session.placement is not None:
        said = session.placement.processes.everyone(failure)
        failure = next((text for text in said if text is not None), None)
    if failure is not None:
        raise RequestError(Fault("net", f"would fail on the next batch: {failure}"))


def told(error: Exception) -> str:
    """What went wrong in a frame, in one line: the error, and the block in which it was raised.

    Args:
        error: it; a program notes the block.

    Example:
        >>> error = IndexError("Target 9 is out of bounds.")
        >>> error.add_note("in net/loss, which read [8, 9], [8]")
        >>> told(error)
        'IndexError: Target 9 is out of bounds (in net/loss, which read [8, 9], [8])'
    """
    first = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    kind = "" if isinstance(error, RillnetError) else f"{type(error).__name__}{': ' if first else ''}"
    notes = getattr(error, "__notes__", ())
    return f"{kind}{first}{f' ({notes[0]})' if notes else ''}"


def _failure(session: Trying, net: Net, rollout: Rollout, carrying: Carrying) -> str | None:
    """Why the next frame of an edited net would fail; None if it would not, or if that cannot be told."""
    if session.data is None:
        return None
    try:
        fields = session.feed.peek().fields
    except (DataError, RequestError):  # there are no data for another frame, and the next one says why
        return None
    executor = session.made_executor
    kept = executor.state if executor is not None and session.placement is None else None
    streams = None if executor is None else executor.streams_kept
    found = _raised(session, net, rollout, fields, None if kept is None else (carrying, kept, streams))
    if found is None or _raised(session, session.net, session.rollout, fields, None) is not None:
        return None
    return found


def _raised(
    session: Trying,
    net: Net,
    rollout: Rollout,
    fields: Mapping[str, Tensor],
    before: tuple[Carrying, State, int | None] | None,
) -> str | None:
    """What a training frame of a net raises, from the state that the last one left, or from zeros."""
    execution = ExecutionSpec() if session.choice is None else session.choice.execution
    executor = session.made_executor
    evaluator = Evaluator(
        net,
        rollout,
        execution=execution.model_copy(update={"compile": False, "group": "off"}),
        precision=session.spec.run.precision,
        seed=session.spec.run.seed,
        reset=session.spec.run.reset,
        interventions=None if executor is None else executor.interventions,
    )
    names = rollout.order()
    try:
        with untouched([net], evaluator.device):
            state = None if before is None else _state(evaluator, names, fields, *before)
            evaluator.look(fields, names, "train", session.clock.step, state)
    except Exception as error:  # whatever a block raises on data that it cannot work on
        return told(error)
    return None


def _state(
    evaluator: Evaluator,
    names: list[str],
    fields: Mapping[str, Tensor],
    carrying: Carrying,
    kept: State,
    streams: int | None,
) -> State | None:
    """What the last frame left, as the edited net would go on from it; None for zeros, as with other streams."""
    if streams != streams_of(evaluator.place(fields)):
        return None
    zeros = evaluator.program("train", names).initial_state(streams)
    return carrying.state(expanded(kept), expanded(zeros))
