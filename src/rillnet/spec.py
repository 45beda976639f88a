"""Plain records of what a document says: a net, its data, how it learns, how it is run.

Front ends and Python code make these records; each package validates and builds its own part from
them. They hold numbers, words, lists and mappings only, so that they can be written out again.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from rillnet.wiring import unfolded

NAME = re.compile(r"[A-Za-z0-9_]+")
"""What a block, an input, a learning rule may be called."""

_SOURCE = re.compile(r"(?P<block>[A-Za-z0-9_/]+)(\[(?P<output>\d+)\])?(@(?P<delay>-\d+|0))?")
_SOURCE_RULE = "must be a block's name, name[output] or name@-frames"

PHASES = ("train", "val", "test")
Phase = Literal["train", "val", "test"]


def _is_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("must be letters, digits and _ only")
    return value


# Strict, as a document's `on`, "3" and 3.0 are a word, a text and a fraction: none of them is read as another kind.
Name = Annotated[str, AfterValidator(_is_name)]
Natural = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Tag = Annotated[str, Field(min_length=1)]


def _in_steps(value: Any) -> Any:
    return f"{value} steps" if isinstance(value, int) and not isinstance(value, bool) else value


Moment = Annotated[str, BeforeValidator(_in_steps)]
"""A trigger; a bare number is steps."""


class Record(BaseModel):
    """Base of all records: unknown keys are errors, values are not changed behind the user's back."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)


def _source_parts(text: str) -> dict[str, Any]:
    found = _SOURCE.fullmatch(text.strip())
    if not found:
        raise ValueError(_SOURCE_RULE)
    output, delay = found["output"], found["delay"]
    return {"block": found["block"], "output": None if output is None else int(output), "delay": -int(delay or 0)}


class SourceSpec(Record):
    """Where an input of a block comes from: which output of which block, how many frames ago.

    Args:
        block: the name of a block or of an input of the net.
        output: which of its outputs, counted from 0; None is the first (or only) one.
        delay: frames; 0 reads this frame.

    Example:
        >>> SourceSpec.parse("lstm[1]@-2")
        SourceSpec(block='lstm', output=1, delay=2)
        >>> str(SourceSpec(block="h", delay=1))
        'h@-1'
    """

    block: str
    output: Natural | None = None
    delay: Natural = 0

    @classmethod
    def parse(cls, text: str) -> SourceSpec:
        """Reads `name`, `name[1]`, `name@-1` or `name[1]@-1`.

        Raises:
            ValueError: the text has another form.
        """
        return cls(**_source_parts(text))

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return _source_parts(value)
        if not isinstance(value, Mapping | cls):
            raise ValueError(_SOURCE_RULE)
        if isinstance(value, Mapping) and {"source", "via"} & set(value):
            raise ValueError("must name a source and a type, as in {source: image, via: Conv2d, kernel_size: 5}")
        return value

    @model_serializer
    def _to_text(self) -> str:
        return str(self)

    def __str__(self) -> str:
        text = self.block
        if self.output is not None:
            text += f"[{self.output}]"
        return text + (f"@-{self.delay}" if self.delay else "")


class TypedSpec(Record):
    """A member of an interchangeable family: its type's name and the arguments to build it with.

    In a document it is a mapping with `type` and the arguments side by side, or the bare name.

    Example:
        >>> TypedSpec.model_validate({"type": "SGD", "lr": 0.1})
        TypedSpec(type='SGD', arguments={'lr': 0.1})
        >>> TypedSpec.model_validate("Cosine").model_dump()
        {'type': 'Cosine'}
    """

    type: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_arguments(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if not isinstance(value, Mapping | TypedSpec):
            raise ValueError("must be a type's name, or a mapping with type and arguments")
        if isinstance(value, Mapping) and not isinstance(value.get("arguments"), Mapping):
            keys = _keys_of(cls)
            own = {key: item for key, item in value.items() if key in keys}
            rest = {key: item for key, item in value.items() if key not in keys}
            return {**own, "arguments": rest}
        return value

    @model_serializer(mode="wrap")
    def _side_by_side(self, handler: Any) -> dict[str, Any]:
        dumped = handler(self)
        arguments = dumped.pop("arguments", {})
        kept = {key: value for key, value in dumped.items() if key == "type" or value not in (None, [], {}, False)}
        return {**kept, **arguments}


@functools.cache
def _keys_of(kind: type[TypedSpec]) -> frozenset[str]:
    """The keys of a typed record that are no arguments."""
    aliases = {field.alias for field in kind.model_fields.values() if field.alias}
    return frozenset(aliases | (set(kind.model_fields) - {"arguments"}))


class InputSpec(Record):
    """An input of a net: the shape of one example and its element type.

    Args:
        shape: sizes without the batch; `[]` is one number per example.
        dtype: a torch element type by name.

    Example:
        >>> InputSpec.model_validate([1, 28, 28])
        InputSpec(shape=(1, 28, 28), dtype='float32')
    """

    shape: tuple[Count, ...] = ()
    dtype: Literal[
        "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"
    ] = "float32"

    @model_validator(mode="before")
    @classmethod
    def _from_shape(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"shape": value}
        if not isinstance(value, Mapping | cls):
            raise ValueError("must be a shape such as [1, 28, 28], or a mapping with shape and dtype")
        return value


class ShareSpec(Record):
    """Which parameter of which block this one is, transposed on demand (the first two dimensions)."""

    of: str
    transpose: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"of": value}
        if not isinstance(value, Mapping | cls):
            raise ValueError("must be block.parameter, or a mapping with of and transpose")
        return value

    @field_validator("of")
    @classmethod
    def _names_a_parameter(cls, value: str) -> str:
        if "." not in value:
            raise ValueError("must be block.parameter")
        return value


class BlockSpec(TypedSpec):
    """A block: its type, the arguments of its constructor, and how it stands in the net.

    Args:
        type: a torch.nn class, a block of rillnet's, `Net` for a nested net, or `package.module:Class`.
        sources: what it reads, `from` in a document; None is the block before it.
        exclude: the phases it is left out of.
        share: its parameters that are another block's, `{weight: other.weight}`.
        initial: how its parameters are drawn, `{weight: {type: normal_, std: 0.01}, bias: 0}`.
        shape: its output's shape, needed only where a cycle hides it.
        repeat: how many copies stand one after another.
        tags: words that it can be told by among others.
        arguments: all other keys.
    """

    sources: list[SourceSpec] | None = Field(default=None, alias="from")
    exclude: list[Phase] = Field(default_factory=list)
    share: dict[str, ShareSpec] = Field(default_factory=dict)
    initial: dict[str, Any] = Field(default_factory=dict)
    shape: tuple[Count, ...] | None = None
    repeat: Count | None = None
    tags: list[Tag] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _with_blocks_is_a_net(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "blocks" in value and "type" not in value:
            return {"type": "Net", **value}
        return value

    @field_validator("arguments")
    @classmethod
    def _check_inside(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if info.data.get("type") == "Net":
            value = unfolded(value)
            NestedSpec.model_validate(value)
        return value

    @field_validator("sources", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping | SourceSpec) else value

    @field_validator("exclude", "tags", mode="before")
    @classmethod
    def _one_word(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_serializer(mode="wrap")
    def _as_document(self, handler: Any) -> dict[str, Any]:
        dumped = handler(self)
        dumped = dumped if "type" in dumped else {"type": self.type, **dumped}
        arguments = dumped.pop("arguments", {})
        sources = dumped.pop("sources", None)
        document = {"type": dumped.pop("type")}
        if sources is not None:
            document["from"] = sources[0] if len(sources) == 1 else sources
        # An empty list of sources and an empty shape say something; other empty values are defaults.
        says = {key: key in ("from", "shape") or value not in ([], {}) for key, value in dumped.items()}
        document |= {key: value for key, value in dumped.items() if value is not None and says[key]}
        return {**document, **arguments}


class NestedSpec(Record):
    """The arguments of a block of type `Net`; its blocks may be nets again.

    Args:
        blocks: by name, in order.
        inputs: the names that its blocks read its sources by; the first is what a first block without `from` reads.
        outputs: what it sends on; the last block if empty.
    """

    blocks: dict[Name, BlockSpec]
    inputs: list[Name] = Field(default_factory=list)
    outputs: list[SourceSpec] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, value: Any) -> Any:
        return unfolded(value)

    @field_validator("inputs", "outputs", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping | SourceSpec) else value


class NetSpec(Record):
    """A net: its inputs and its blocks, in order.

    Args:
        name: what it is called.
        inputs: by name; the first is what a first block without `from` reads.
        blocks: by name, in order.
        outputs: what a nested net sends on; the last block if empty.
    """

    name: str = "net"
    inputs: dict[Name, InputSpec] = Field(default_factory=dict)
    blocks: dict[Name, BlockSpec] = Field(default_factory=dict)
    outputs: list[SourceSpec] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _unfold(cls, value: Any) -> Any:
        return unfolded(value)

    @field_validator("outputs", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | Mapping | SourceSpec) else value


class RolloutSpec(Record):
    """A rollout: a policy by name, or delays edge by edge on top of one.

    Args:
        default: `sequential`, `streaming`, `sampling`, or the delay of every edge that `delays` does not name.
        delays: frames by edge, `{"a->b": 2}`; `auto` is as many as the first source of b takes longer than a.
        align: lengthen the shorter of two joining paths until they are equally long.
    """

    default: Literal["sequential", "streaming", "sampling"] | Natural = "sequential"
    delays: dict[str, Natural | Literal["auto"]] = Field(default_factory=dict)
    align: Flag = False

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if isinstance(value, str | int):
            return {"default": value}
        if not isinstance(value, Mapping | cls):
            raise ValueError("must be sequential, streaming, sampling, or a mapping with default, delays and align")
        return value


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
