"""What a document says of a placement."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from rillnet.spec import Record

AXES = ("data", "model")
"""What an axis of a mesh may be called."""

Count = Annotated[int, Field(ge=1)]
Kind = Literal["batch", "feature", "space", "none"]
Sharded = Literal["none", "optimizer", "parameters"]
Statistics = Literal["whole", "local"]

_STEPS = re.compile(r"(\d+) steps?")


class BlockPlacement(Record):
    """Where a block is computed.

    Args:
        partition: what is split over the processes: the examples of the batch, the features (channels) of the
            output, the rows of images; `none` computes all of it everywhere.
        partition_dim: Apache SINGA's word for it: 0 for batch, 1 for feature, -1 for none.
        location: the one process that computes the block.
        shard: what each of the processes that have the same parameters keeps only a slice of: the `optimizer`'s state,
            or the `parameters` as well, which are gathered where the block is computed; the default's if left out.
        statistics: what batch normalisation normalises by in training: the `whole` batch, or the part of it that each
            process has (`local`), for which nobody waits and which is not the numbers of one process; the default's if
            left out, else `whole`.
    """

    partition: Kind | None = None
    partition_dim: Literal[-1, 0, 1] | None = None
    location: Annotated[int, Field(ge=0)] | None = None
    shard: Sharded | None = None
    statistics: Statistics | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, given: Any) -> Any:
        return {"partition": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_of_them(self) -> BlockPlacement:
        given = [name for name in ("partition", "partition_dim", "location") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} must not stand side by side; leave one out")
        return self

    @property
    def kind(self) -> str | None:
        """What is split, in whichever words it was said."""
        if self.partition_dim is not None:
            return {0: "batch", 1: "feature", -1: "none"}[self.partition_dim]
        return self.partition


class Elastic(Record):
    """How few processes a run may go on with when some are lost.

    Args:
        min: the fewest.
    """

    min: Count = 1


class Averaging(Record):
    """Local steps: each process changes parameters of its own, and all take their mean every few steps.

    Args:
        every: `8 steps`, or the number alone.
    """

    every: Count

    @field_validator("every", mode="before")
    @classmethod
    def _from_words(cls, given: Any) -> Any:
        found = _STEPS.fullmatch(given) if isinstance(given, str) else None
        if isinstance(given, str) and found is None:
            raise ValueError("must be a number of steps, as in '8 steps'")
        return int(found[1]) if found is not None else given


class PlacementSpec(Record):
    """Which process holds which slice of which block.

    Args:
        processes: how many there are; the product of the mesh if left out.
        mesh: sizes of the axes that processes are arranged on, by name. What splits features or rows goes along the
            axis `model` where there is one, and the batch along all others.
        default: for blocks that no pattern below matches.
        blocks: by name or glob; the first that matches holds.
        micro_batches: parts of a batch that follow one another through the locations.
        elastic: whether the run goes on with fewer processes when one is lost; None starts as many again.
        max_restarts: how often the processes are started again after one was lost.
        timeout: seconds after which a process that waits for another gives up.
        averaging: each process has parameters of its own, averaged every few steps (local SGD); not the numbers of one
            process.
        hogwild: all processes of one host change the same parameters in its memory, at once and without locks; not the
            numbers of one process, and not the same ones twice.
    """

    processes: Count | None = None
    mesh: dict[str, Count] = Field(default_factory=dict)
    default: BlockPlacement = Field(default_factory=lambda: BlockPlacement(partition="batch"))
    blocks: dict[str, BlockPlacement] = Field(default_factory=dict)
    micro_batches: Count = 1
    elastic: Elastic | None = None
    max_restarts: Annotated[int, Field(ge=0)] = 3
    timeout: Annotated[float, Field(gt=0)] = 60.0
    averaging: Averaging | None = None
    hogwild: bool = False

    @model_validator(mode="after")
    def _sizes_agree(self) -> PlacementSpec:
        unknown = [name for name in self.mesh if name not in AXES]
        if unknown:
            raise ValueError(f"an axis of a mesh is called {' or '.join(AXES)}, not {unknown[0]!r}")
        product = math.prod(self.mesh.values())
        if self.mesh and self.processes is not None and product != self.processes:
            sizes = " x ".join(str(size) for size in self.mesh.values())
            told = f"the mesh holds {sizes} = {product} processes, and processes says {self.processes}"
            raise ValueError(f"{told}; leave one out")
        return self

    @model_validator(mode="after")
    def _one_way_to_change(self) -> PlacementSpec:
        if self.averaging is not None and self.hogwild:
            raise ValueError("averaging and hogwild must not stand side by side; leave one out")
        way = "averaging" if self.averaging is not None else "hogwild" if self.hogwild else ""
        if way and any(one.shard not in (None, "none") for one in (self.default, *self.blocks.values())):
            raise ValueError(f"shard and {way} must not stand side by side; leave one out")
        return self

    @property
    def takes_own_steps(self) -> bool:
        """Whether each process changes parameters by gradients of its own."""
        return self.averaging is not None or self.hogwild

    @property
    def mesh_size(self) -> int | None:
        """How many processes the mesh holds; None without one."""
        return math.prod(self.mesh.values()) if self.mesh else None

    @property
    def axes(self) -> Mapping[str, int]:
        """The mesh, one axis where none is given."""
        return self.mesh or {"all": self.processes or 1}
