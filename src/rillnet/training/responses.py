"""Accuracy per response: how early and how well a net answers about what it is shown, in numbers and as a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError
from rillnet.model.layers.metrics import AccuracyByDelay
from rillnet.model.response_drawing import Curve, responses_svg
from rillnet.model.responses import onset_of, response_steps
from rillnet.model.rollout import Rollout
from rillnet.runtime.durable import failures_named, write_atomically
from rillnet.runtime.session import Session
from rillnet.spec import Phase
from rillnet.training.extensions import Extension

NUMBERS, PICTURE = "responses.json", "responses.svg"
"""What is written into the run directory."""


@dataclass(frozen=True, slots=True)
class Responses:
    """How well a net answers, response by response.

    Args:
        rollout: what the rollout is called.
        block: the block that answers.
        first_response: in which frame after a stimulus appears the first answer comes that depends on it.
        update_steps: when each response comes, if blocks that wait for nothing work at once.
        accuracy: the share of right answers of each.
    """

    rollout: str
    block: str
    first_response: int
    update_steps: list[int]
    accuracy: list[float]


class AccuracyPerResponse(Extension):
    """Writes the accuracy of each response as numbers and as a picture, beside other rollouts of the same experiment.

    It reads `AccuracyByDelay` blocks: answers about a stimulus count from the first on that depends on it. The
    picture holds this run's curve, and those of the newest runs of the same name in other rollouts.

    Args:
        every: how often; `end` is once, when the run is done.
    """

    def __init__(self, every: str = "end") -> None:
        super().__init__("accuracy_per_response", every)

    def begin(self, session: Session) -> None:
        """Looks for what tells the accuracy by delay.

        Raises:
            RequestError: there is no such metric, or nothing to evaluate on.
        """
        phase = self._phase(session)
        if not _metrics_of(session.rollout, phase):
            hint = "add {type: AccuracyByDelay, from: [scores, label, onset], delays: 12}"
            rule = f"AccuracyPerResponse needs an AccuracyByDelay block in the {phase} phase"
            raise RequestError(Fault("run.extensions", rule, hint=hint))

    def __call__(self, session: Session) -> None:
        """Writes both files, if there is a run directory."""
        phase = self._phase(session)
        is_known = self.trigger.at_end and session.run_spec.evaluate.every != "never" and phase in session.metrics
        metrics = session.metrics[phase] if is_known else session.evaluate(phase)
        found = responses_of(session.rollout, metrics, phase, rollout_name(session))
        if session.record is not None:
            write_responses(session.record.directory.path, session.spec.experiment, phase, found)

    def _phase(self, session: Session) -> Phase:
        phase = session.run_spec.evaluate.phase or (session.data.evaluation_phase if session.data is not None else None)
        if phase is None:
            raise RequestError(Fault("run.extensions", "AccuracyPerResponse needs data of a val or test phase"))
        return phase


def rollout_name(session: Session) -> str:
    """What a session's rollout is called in pictures: its policy, `aligned` where it is."""
    spec = session.spec.rollout
    policy = spec.default if isinstance(spec.default, str) else f"delay {spec.default}"
    return f"{policy}, aligned" if spec.align else policy


def responses_of(rollout: Rollout, metrics: Mapping[str, float], phase: Phase, name: str) -> list[Responses]:
    """The responses that an evaluation has measured, for each block whose accuracy by delay it tells.

    Args:
        rollout: the delays.
        metrics: of an evaluation, `by_delay/0`, `by_delay/1` ...
        phase: val or test.
        name: what the rollout is called.
    """
    found = []
    for metric in _metrics_of(rollout, phase):
        answer = rollout.sources(metric)[0]
        first = onset_of(rollout, answer.block) + answer.delay
        shares: list[float] = []
        while math.isfinite(share := metrics.get(f"{metric}/{first + len(shares)}", math.nan)):
            shares.append(round(share, 6))
        steps = response_steps(rollout, answer.block, len(shares))
        found.append(Responses(name, answer.block, first, steps, shares))
    return found


def write_responses(folder: Path, experiment: str, phase: Phase, responses: list[Responses]) -> None:
    """Writes the numbers of a run and the picture of it and of its neighbours.

    Args:
        folder: the run directory.
        experiment: its name.
        phase: what was evaluated.
        responses: of the run.
    """
    told = {"experiment": experiment, "phase": phase, "responses": [asdict(one) for one in responses]}
    own = {one.rollout for one in responses}
    drawn = [*responses, *(one for one in _others(folder) if one.rollout not in own)]
    newest = {(one.rollout, one.block): one for one in reversed(drawn)}
    has_several = len({block for _, block in newest}) > 1
    curves = [
        Curve(f"{rollout}: {block}" if has_several else rollout, one.update_steps, one.accuracy)
        for (rollout, block), one in sorted(newest.items(), reverse=True)
    ]
    with failures_named(folder, "be written"):
        write_atomically(folder / NUMBERS, (json.dumps(told, indent=1) + "\n").encode())
        if any(curve.steps for curve in curves):
            picture = responses_svg(curves, f"{experiment}: accuracy per response ({phase})")
            write_atomically(folder / PICTURE, picture.encode())


def read_responses(folder: Path) -> list[Responses]:
    """The responses that a run has written; none if it has not, or they cannot be read."""
    try:
        told: Any = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
        return [Responses(**one) for one in told["responses"]]
    except (OSError, ValueError, KeyError, TypeError):  # of another version, or damaged: it is left out of the picture
        return []


def _metrics_of(rollout: Rollout, phase: Phase) -> list[str]:
    return [
        name
        for name, block in rollout.flat.blocks.items()
        if phase not in block.exclude and isinstance(rollout.flat.module(name), AccuracyByDelay)
    ]


def _others(folder: Path) -> list[Responses]:
    """What other runs of the same experiment have written, the newest first."""
    numbered = [path for path in folder.parent.iterdir() if path.name.isdecimal() and path != folder]
    newest_first = sorted(numbered, key=lambda path: int(path.name), reverse=True)
    return [one for path in newest_first for one in read_responses(path)]
