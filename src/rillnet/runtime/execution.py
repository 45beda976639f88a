"""How a net is executed, chosen by measuring: memory format, optimiser, threads, eager or compiled.

Guessing is wrong in both directions: compiling loses on many CPUs, channels-last wins on some nets
and loses on others. So the first batch is learned from on scratch copies, two ways at a time in turn,
and the faster way is kept. The net itself is not touched, and the choice is kept with the run, so
that a resumed run does the same arithmetic.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rillnet.errors import UpdateError
from rillnet.model.net import Net
from rillnet.runtime.evaluator import threads
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec

Make = Callable[[ExecutionSpec], Executor]

_WORTH = {"optimizer": 1.03, "memory_format": 0.97, "threads": 0.9, "compile": 0.97}
"""At most this share of the time must a change take to be kept, so that noise does not decide.

The fused optimiser is kept unless it is slower, as it wins by less than noise nearly everywhere. Fewer threads
must win by far: they look good whenever others use the cores, and the choice outlasts that.
"""

_SHORT_RUN_S = 20.0
"""A run shorter than this is over before a measurement has paid."""

_LONG_RUN_S = 1200.0
"""A run longer than this has time to wait for the compiler once."""


@dataclass(frozen=True)
class Choice:
    """How a net is executed, and why.

    Args:
        execution: nothing in it is left open.
        gain: how many times faster than torch's defaults a step is; 1 where nothing was measured.
        step_ms: milliseconds a step took.
        reason: `measured`, `remembered`, `short run`, `not measured`, or `asked for`.
        measured: milliseconds a step, by what was tried; None for what failed.
    """

    execution: ExecutionSpec
    gain: float = 1.0
    step_ms: float | None = None
    reason: str = "asked for"
    measured: dict[str, float | None] = field(default_factory=dict)

    def __str__(self) -> str:
        how = describe(self.execution)
        if self.reason in ("measured", "remembered"):
            told = f"execution: {how}; {self.gain:.2f}x plain eager ({self.reason})"
            return f"{told}; to fix it: run.execution={as_text(self.execution)}"
        return f"execution: {how} ({self.reason})"

    def as_dict(self) -> dict[str, Any]:
        """What the run's journal and a checkpoint keep."""
        return {
            "execution": self.execution.model_dump(),
            "gain": self.gain,
            "step_ms": self.step_ms,
            "reason": self.reason,
            "measured": self.measured,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Choice:
        """Of what was kept."""
        return cls(**{**kept, "execution": ExecutionSpec.model_validate(kept["execution"])})


def describe(execution: ExecutionSpec) -> str:
    """An execution in words.

    Example:
        >>> describe(ExecutionSpec(compile=False, memory_format="channels_last", optimizer="fused", threads=2))
        'eager, channels-last, fused optimiser, 2 threads'
    """
    words = ["compiled" if execution.compile else "eager"]
    words.append((execution.memory_format or "contiguous").replace("_", "-"))
    words.append(f"{execution.optimizer or 'default'} optimiser")
    if execution.threads:
        words.append(f"{execution.threads} thread{'s' if execution.threads > 1 else ''}")
    return ", ".join(words)


def as_text(execution: ExecutionSpec) -> str:
    """An execution as a document writes it, and `--set run.execution=...` takes it.

    Example:
        >>> as_text(ExecutionSpec(compile=False, memory_format="contiguous", optimizer="fused", threads=2))
        '{compile: false, memory_format: contiguous, optimizer: fused, threads: 2}'
    """
    kept = {key: value for key, value in execution.model_dump().items() if value is not None}
    words = (f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in kept.items())
    return "{" + ", ".join(words) + "}"


def plain(device: torch.device) -> ExecutionSpec:
    """Torch's defaults."""
    return ExecutionSpec(compile=False, memory_format="contiguous", optimizer="foreach", threads=_threads(device))


def unmeasured(asked: ExecutionSpec, device: torch.device) -> ExecutionSpec:
    """What is taken without measuring: as asked, and otherwise the fused optimiser and torch's defaults."""
    default = plain(device).model_copy(update={"optimizer": "fused"})
    return default.model_copy(update={key: value for key, value in asked.model_dump().items() if value is not None})


def _threads(device: torch.device) -> int | None:
    return torch.get_num_threads() if device.type == "cpu" else None


class NotCopiedError(Exception):
    """A net of which no scratch copy can be made."""


def copied(net: Net) -> Net:
    """A scratch copy of a net.

    Raises:
        NotCopiedError: a block cannot be copied.
    """
    try:
        return copy.deepcopy(net)
    except Exception as error:  # whatever a foreign module raises that holds a lock, a file, a tensor of a graph
        raise NotCopiedError from error


def choose(
    make: Make,
    fields: Mapping[str, Tensor],
    *,
    net: nn.Module,
    asked: ExecutionSpec,
    device: torch.device,
    context: Context,
    memory: Path | None,
    details: object = None,
) -> Choice:
    """Measures how a net is best executed.

    Args:
        make: an executor on scratch copies of net and rules, executed as told.
        fields: a batch to learn from.
        net: the net, to recognise it by.
        asked: what is not None is not measured.
        device: where it runs.
        context: where the run is and how many steps it will have; None is very many.
        memory: a file of earlier choices on this machine, or None.
        details: what else tells a run from another, as JSON has it: precision, optimiser ...

    Returns:
        The choice; the same one for the same net on the same machine as long as it is remembered.
    """
    key = _key(net, fields, asked, device, details)
    kept = _recall(memory, key)
    if kept is not None:
        return Choice.from_dict({**kept, "reason": "remembered"})
    first = _with(plain(device), asked)
    try:
        trial = _Trial(make(first), fields, context)
    except NotCopiedError:
        return Choice(unmeasured(asked, device), reason="not measured")
    expected_s = trial.median_s(rounds=2) * (10**9 if context.total_steps is None else context.total_steps)
    if expected_s < _SHORT_RUN_S:
        return Choice(unmeasured(asked, device), 1.0, None, "short run")
    choice = _climb(make, fields, first, trial, asked, budget_s=min(30.0, 0.02 * expected_s + 1.0), long=expected_s)
    _remember(memory, key, choice)
    return choice


def _climb(
    make: Make,
    fields: Mapping[str, Tensor],
    best: ExecutionSpec,
    trial: _Trial,
    asked: ExecutionSpec,
    *,
    budget_s: float,
    long: float,
) -> Choice:
    """Tries one change after the other against the best so far, both in turn, and keeps what pays."""
    measured: dict[str, float | None] = {}
    changes = [c for c in _changes(trial.executor, long) if all(getattr(asked, key) is None for key in c)]
    slice_s = budget_s / max(len(changes), 1)
    gain, best_s = 1.0, trial.median_s(rounds=3)
    for change in changes:
        rival_spec = best.model_copy(update=change)
        try:
            rival = _Trial(make(rival_spec), fields, trial.context)
            ours, theirs = _in_turn(trial, rival, slice_s)
        except Exception:  # whatever a layout or a compiler makes a foreign block raise, the best so far works
            measured[describe(rival_spec)] = None
            continue
        measured[describe(best)] = round(ours * 1e3, 3)
        measured[describe(rival_spec)] = round(theirs * 1e3, 3)
        best_s = ours
        if all(theirs < _WORTH[key] * ours for key in change):
            # a ratio of two measured in turn, so that how busy the machine is cancels
            best, trial, best_s, gain = rival_spec, rival, theirs, gain * ours / theirs
    return Choice(best, round(gain, 3), round(best_s * 1e3, 3), "measured", measured)


def _changes(executor: Executor, expected_s: float) -> list[dict[str, Any]]:
    """What may pay, in the order in which it is tried."""
    changes: list[dict[str, Any]] = [{"optimizer": "fused"}]
    if any(parameter.dim() == 4 for parameter in executor.net.parameters()):
        changes.insert(0, {"memory_format": "channels_last"})
    count = _threads(executor.device)
    if count is not None and count > 1:
        changes.append({"threads": 1})
    if expected_s > _LONG_RUN_S:
        changes.append({"compile": True})
    return changes


class _Trial:
    """An executor on scratch copies that learns from one batch again and again."""

    def __init__(self, executor: Executor, fields: Mapping[str, Tensor], context: Context) -> None:
        self.executor, self.fields, self.context = executor, fields, context
        with threads(executor.execution.threads):
            for _ in range(2):
                self._step()

    def median_s(self, rounds: int) -> float:
        """Seconds a step takes."""
        return statistics.median(self.time_s(1) for _ in range(rounds))

    def time_s(self, steps: int) -> float:
        """Seconds a step takes, over some steps in a row."""
        with threads(self.executor.execution.threads):
            begin = time.perf_counter()
            for _ in range(steps):
                self._step()
            if self.executor.device.type == "cuda":
                torch.cuda.synchronize(self.executor.device)
            return (time.perf_counter() - begin) / steps

    def _step(self) -> None:
        # a change that is not finite is not applied; the run itself tells of it, if it comes to that
        with contextlib.suppress(UpdateError):
            self.executor.learn(self.fields, self.context)


def _in_turn(a: _Trial, b: _Trial, budget_s: float) -> tuple[float, float]:
    """The least seconds a step of both took, in turn until the budget is spent, 3 rounds at least.

    Whatever else the machine does only ever adds to what a step takes.
    """
    steps = max(1, min(20, int(0.02 / max(a.median_s(1), 1e-6))))
    times_a: list[float] = []
    times_b: list[float] = []
    begin = time.perf_counter()
    while len(times_a) < 3 or (time.perf_counter() - begin < budget_s and len(times_a) < 25):
        times_a.append(a.time_s(steps))
        times_b.append(b.time_s(steps))
    return min(times_a), min(times_b)


def _with(execution: ExecutionSpec, asked: ExecutionSpec) -> ExecutionSpec:
    return execution.model_copy(update={key: value for key, value in asked.model_dump().items() if value is not None})


# --- choices made before on this machine --------------------------------------------------------


def choices_file() -> Path:
    """Where this machine's choices are kept: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rillnet" / "execution.json"


def _key(
    net: nn.Module, fields: Mapping[str, Tensor], asked: ExecutionSpec, device: torch.device, details: object
) -> str:
    layers = [repr(module) for module in net.modules() if not list(module.children())]
    shapes = [(name, list(p.shape), str(p.dtype)) for name, p in net.named_parameters()]
    batch = [(name, list(tensor.shape), str(tensor.dtype)) for name, tensor in sorted(fields.items())]
    where = [torch.__version__, platform.processor(), platform.node(), str(device), torch.get_num_threads()]
    text = json.dumps([layers, shapes, batch, asked.model_dump(), where, details])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _recall(memory: Path | None, key: str) -> dict[str, Any] | None:
    try:
        kept = json.loads(memory.read_text()) if memory is not None else {}
        found = kept.get(key)
        return dict(found) if found is not None else None
    except (OSError, ValueError, AttributeError, TypeError):  # a cache that cannot be read is no cache
        return None


def _remember(memory: Path | None, key: str, choice: Choice) -> None:
    if memory is None:
        return
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        kept = json.loads(memory.read_text()) if memory.exists() else {}
        aside = memory.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({**kept, key: choice.as_dict()}, indent=1))
        aside.replace(memory)
    except (OSError, ValueError, TypeError):  # the run does not depend on the cache
        return
