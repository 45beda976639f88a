"""The records of a whole experiment: a net, its data, how it learns, how long and how exactly it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from rillnet.spec.net import NetSpec, RolloutSpec
from rillnet.spec.record import Count, Flag, Moment, Name, Natural, Record, TypedSpec


class DataSpec(Record):
    """What the net sees: a source and how its examples are drawn into batches.

    Args:
        source: where examples come from.
        batch_size: examples per step.
        evaluation_batch_size: examples per batch when evaluating; batch_size if None.
        shuffle: draw a new order every epoch.
        drop_last: leave out a short last batch while training.
        validation: how many training examples (or which fraction) are held out as the val phase.
        prepare: transforms of every phase (rescale, whiten ...), in order.
        augment: random transforms of the train phase (crop, flip ...), in order, before `prepare`.
        workers: processes that decode files; 0 decodes in the run's own process.
    """

    source: TypedSpec
    batch_size: Count = 128
    evaluation_batch_size: Count | None = None
    shuffle: Flag = True
    drop_last: Flag = False
    validation: Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, lt=1)] = 0
    prepare: list[TypedSpec] = Field(default_factory=list)
    augment: list[TypedSpec] = Field(default_factory=list)
    workers: Natural = 0

    @field_validator("validation", mode="before")
    @classmethod
    def _number_or_fraction(cls, value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not whole and not (isinstance(value, float) and 0 <= value < 1):
            raise ValueError("must be a whole number of examples, or a fraction of them below 1")
        return value


class CheckpointSpec(Record):
    """When a run is saved and what is kept.

    Args:
        every: a trigger, `1 epoch` or `500 steps`; the end of a run is always saved.
        keep: how many of the newest are kept.
        best: a metric; the checkpoint with its best value is kept besides.
        mode: whether the best value is the largest or the smallest; None tells by the metric's name.
        background: write while the run goes on, from a copy in memory; one at a time, and the end waits for it.
    """

    every: Moment = "1 epoch"
    keep: Count = 3
    best: str | None = None
    mode: Literal["max", "min"] | None = None
    background: Flag = True


class EvaluateSpec(Record):
    """When a running net is evaluated, and on what.

    Args:
        every: a trigger, or `never`.
        phase: `val` or `test`; None takes val where there is such data and test otherwise.
    """

    every: Moment = "1 epoch"
    phase: Literal["val", "test"] | None = None


class EarlyStoppingSpec(Record):
    """Ends a run when a metric no longer improves.

    Args:
        metric: a metric of the evaluation, such as `accuracy`.
        patience: evaluations without improvement that are waited for.
        mode: `max`, `min`; None tells by the metric's name.
        min_delta: what counts as an improvement.
    """

    metric: str
    patience: Count = 3
    mode: Literal["max", "min"] | None = None
    min_delta: Annotated[float, Field(ge=0, strict=True)] = 0.0


class ExecutionSpec(Record):
    """How a net is executed; None is measured (or left at torch's default with `eager`).

    Args:
        compile: run frames through torch.compile.
        memory_format: layout of image tensors.
        optimizer: which implementation of the optimiser's step.
        threads: threads of one process.
        group: whether isomorphic blocks are computed at once: where it pays (as if left out), wherever it can be
            done, or never.
    """

    compile: Flag | None = None
    memory_format: Literal["contiguous", "channels_last"] | None = None
    optimizer: Literal["single", "foreach", "fused"] | None = None
    threads: Count | None = None
    group: Literal["auto", "on", "off"] | None = None


class RunSpec(Record):
    """How long, where and how exactly a run goes; one of epochs, steps, frames says how long.

    Args:
        epochs: how many times it goes over the training data.
        steps: how many learning steps it takes.
        frames: how many frames it computes.
        seed: what parameters, shuffling and noise are drawn from.
        start_from: a run or checkpoint whose parameters a new run begins with, where name and shape agree.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        execution: `auto` measures what is fastest, `eager` runs Python as written, `compiled` compiles frames.
        precision: the element type that frames are computed in.
        reset: the field of the data that says which streams begin anew, from a state of zeros: where it is true, or
            where it is 0 if it counts frames.
        checkpoint: when the run is saved.
        evaluate: when the net is evaluated.
        early_stopping: what ends the run before its time.
        if_not_finite: what a change of parameters that holds NaN or infinity does, which is never applied: `stop` ends
            the run; `pause` leaves the frame out and holds the run until it is told to play on.
        average: how much of its past a moving average of the parameters, used for evaluation, keeps at each step.
        log: how often metrics are reported, `50 steps`.
        extensions: what else is done while it runs, by name or import path.
    """

    epochs: Count | None = None
    steps: Count | None = None
    frames: Count | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    start_from: str | None = None
    device: str = "auto"
    execution: Literal["auto", "eager", "compiled"] | ExecutionSpec = "auto"
    precision: Literal["fp32", "bf16", "fp16", "fp64"] = "fp32"
    reset: str | None = None
    checkpoint: CheckpointSpec = Field(default_factory=CheckpointSpec)
    evaluate: EvaluateSpec = Field(default_factory=EvaluateSpec)
    early_stopping: EarlyStoppingSpec | None = None
    if_not_finite: Literal["stop", "pause"] = "stop"
    average: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None
    log: Moment = "50 steps"
    extensions: list[TypedSpec] = Field(default_factory=list)

    @field_validator("steps", "frames")
    @classmethod
    def _one_length(cls, value: int | None, info: ValidationInfo) -> int | None:
        other = next((name for name in ("epochs", "steps") if info.data.get(name) is not None), None)
        if value is not None and other not in (None, info.field_name):
            raise ValueError(f"must not stand beside {other}: one of epochs, steps and frames says how long")
        return value


class ExperimentSpec(Record):
    """The document that says all of an experiment.

    Args:
        experiment: its name; runs are kept in a directory of this name.
        net: what is trained.
        rollout: which edges carry a delay.
        data: what the net sees.
        learning: learning rules by name.
        placement: which process holds which slice of which block.
        observe: what is recorded besides metrics.
        run: how long, where and how exactly.
    """

    experiment: str = "experiment"
    net: NetSpec
    rollout: RolloutSpec = Field(default_factory=RolloutSpec)
    data: DataSpec | None = None
    learning: dict[Name, TypedSpec] = Field(default_factory=dict)
    placement: dict[str, Any] = Field(default_factory=dict)
    observe: list[TypedSpec] = Field(default_factory=list)
    run: RunSpec = Field(default_factory=RunSpec)

    @field_validator("learning", mode="before")
    @classmethod
    def _rules_have_names(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            raise ValueError("must be learning rules by name, as in {main: {type: Backprop, ...}}")
        for name, rule in value.items() if isinstance(value, Mapping) else ():
            if name in RunSpec.model_fields and not isinstance(rule, Mapping):
                raise ValueError(f"must be learning rules by name, and {name!r} is none; 'run.{name}' says that")
        return value

    @field_validator("experiment")
    @classmethod
    def _names_a_directory(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value):
            raise ValueError("must be letters, digits, '.', '_' and '-' only, as it names a directory")
        return value
