"""The records of a net: what it reads, its blocks and what each reads, and how many frames its edges take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_serializer, model_validator

from rillnet.spec.record import Count, Flag, Name, Natural, Phase, Record, Tag, TypedSpec
from rillnet.wiring import unfolded

_SOURCE = re.compile(r"(?P<block>[A-Za-z0-9_/]+)(\[(?P<output>\d+)\])?(@(?P<delay>-\d+|0))?")
_SOURCE_RULE = "must be a block's name, name[output] or name@-frames"


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
        seed: what its parameters are drawn from; `run.seed` if left out.
    """

    name: str = "net"
    inputs: dict[Name, InputSpec] = Field(default_factory=dict)
    blocks: dict[Name, BlockSpec] = Field(default_factory=dict)
    outputs: list[SourceSpec] = Field(default_factory=list)
    seed: Annotated[int, Field(strict=True)] | None = None

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
