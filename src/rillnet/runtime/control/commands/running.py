"""Commands that have a run do at once what it does by itself from time to time: evaluate, and save."""

from __future__ import annotations

from typing import Any

from rillnet.errors import Fault, Interrupted, RequestError, RunError
from rillnet.runtime.control.command import Applied, CommandType, Parameter, register
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.trying import told
from rillnet.spec import Phase


@register
class Evaluate(CommandType):
    """Evaluates on a whole phase now, and writes the metrics down; nothing is decided by them."""

    name = "evaluate"
    summary = "evaluate now"
    parameters = (
        Parameter(
            "phase", "text", required=False, doc="val or test; val where there is such data", choices=("val", "test")
        ),
    )
    lasting = False

    def check(self, session: Controlled, *, phase: Any, **arguments: Any) -> None:
        """Looks whether there are such data."""
        if session.data is None:
            raise RequestError(Fault("evaluate", "needs data, and the experiment has none"))
        there = [one for one in session.data.phases if one != "train"]
        if phase not in (None, *there):
            known = f"there is {' and '.join(there)}" if there else "there are none to evaluate on"
            raise RequestError(Fault("evaluate.phase", "has no data", phase, hint=known))
        if not there:
            raise RequestError(Fault("evaluate", "there are no data to evaluate on"))

    def apply(self, session: Controlled, *, phase: Any, **arguments: Any) -> Applied:
        """Evaluates."""
        assert session.data is not None
        chosen: Phase | None = phase or session.data.evaluation_phase
        assert chosen is not None
        try:
            metrics = session.evaluate(chosen)
        except (RequestError, RunError, Interrupted):
            raise
        except Exception as error:  # whatever a block raises on data that it cannot work on; nothing is changed
            raise RequestError(Fault("evaluate", f"fails on the {chosen} data: {told(error)}")) from error
        session.metrics[chosen] = metrics
        record = session.open_record
        if record is not None:
            record.metrics.write(session.clock.step, session.clock.epoch, chosen, metrics)
        return Applied({"phase": chosen, "metrics": metrics})


@register
class Checkpoint(CommandType):
    """Saves everything that the next step depends on."""

    name = "checkpoint"
    summary = "save now"
    lasting = False

    def check(self, session: Controlled, **arguments: Any) -> None:
        """Looks whether there is a run directory to save into."""
        if not session.keeps_record:
            raise RequestError(Fault("checkpoint", "this session keeps no record, so it has no checkpoints"))

    def apply(self, session: Controlled, **arguments: Any) -> Applied:
        """Saves."""
        return Applied(str(session.checkpoint()))
