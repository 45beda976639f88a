"""What is in a net: every block with its sources, its output's shape, its parameters and its multiply-adds."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rillnet.model.block import Block
from rillnet.model.layers import LocalResponseNorm
from rillnet.model.layers.function import Function
from rillnet.model.net import Net
from rillnet.model.parameters import parameters_in
from rillnet.model.registry import key_of
from rillnet.model.shapes import Output, pick, written
from rillnet.spec import BlockSpec

_PROBE_BATCH = 2  # one example is too few for batch normalisation


@dataclass(frozen=True, slots=True)
class Row:
    """One input or block.

    Args:
        path: its name, those of nested blocks as `res1/conv1`.
        depth: how many nets it is nested in.
        type: its class; `input` for an input, `Net` for a nested net.
        sources: what it reads, as in a document.
        output: the shape of what it sends for one example, with the element type where that is not float32.
        parameters: how many of its own; one that is shared counts where it comes first.
        multiply_adds: of one example; None where they cannot be counted.
        exclude: the phases it is left out of.
    """

    path: str
    depth: int
    type: str
    sources: str
    output: str
    parameters: int
    multiply_adds: int | None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """All rows of a net, and its totals over all blocks whether they have a row or not.

    Args:
        name: the net's.
        rows: in the order of the document, a nested net before its blocks.
        parameters: of the whole net, shared ones once.
        trainable: those of them that learn.
        multiply_adds: of one example, through all blocks for which they can be counted.
    """

    name: str
    rows: list[Row]
    parameters: int
    trainable: int
    multiply_adds: int

    def as_dict(self) -> dict[str, Any]:
        """Numbers, words, lists and mappings, to be written as JSON."""
        return asdict(self) | {"rows": [asdict(row) | {"exclude": list(row.exclude)} for row in self.rows]}


def summarise(net: Net, *, depth: int | None = None) -> Summary:
    """Lists what is in a net. Nothing is computed but shapes; nets on the meta device are welcome.

    Multiply-adds are those of convolutions, matrix products and attention, as is usual; adding a bias,
    normalising and pooling are not counted.

    Args:
        net: the net; it is not changed.
        depth: how many levels of nested nets are opened; None opens all.

    Example:
        >>> net = Net("tiny", {"x": (3,)}).add("y", nn.Linear(3, 2))
        >>> summary = summarise(net)
        >>> summary.parameters, summary.multiply_adds, summary.rows[1].output
        (8, 6, '[2]')
    """
    parameters = list(net.parameters())
    rows = [Row(name, 0, "input", "", str(output), 0, 0) for name, output in net.inputs.items()]
    blocks = list(_rows(net, "", 0, _Counted(set(), {})))
    total = sum(row.multiply_adds or 0 for row in blocks if row.type != "Net")
    return Summary(
        name=net.name,
        rows=rows + [row for row in blocks if depth is None or row.depth <= depth],
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        multiply_adds=total,
    )


def blocks_text(net: Net) -> str:
    """How many blocks a net has, and how many those are with its nested nets opened.

    Example:
        >>> print(blocks_text(Net("tiny", {"x": (3,)}).add("y", nn.Linear(3, 2))))
        1 block
    """
    count, leaves = len(net.blocks), len(list(net.leaves()))
    text = f"{count:,} block{'' if count == 1 else 's'}"
    return text if leaves == count else f"{text} ({leaves:,} with nested nets opened)"


def type_of(block: Block, module: nn.Module | None) -> str:
    """What a block's type is called: its class, or the function that a traced call calls."""
    if isinstance(module, Function):
        return module.label
    return type(module).__name__ if module is not None else block.spec.type if block.spec else "?"


class _Counted(NamedTuple):
    """What need not be counted again: parameters by identity, and the work of blocks by what they are and read."""

    parameters: set[int]
    work: dict[Hashable, int | None]


def _rows(net: Net, prefix: str, depth: int, counted: _Counted) -> Iterator[Row]:
    """The rows of a net's blocks."""
    for name, block in net.blocks.items():
        module = net._modules[name]
        sources = ", ".join(str(source) for source in block.sources)
        shape = "" if block.output is None else written(block.output)
        place = (sources, shape)
        if isinstance(module, Net):
            inner = list(_rows(module, f"{prefix}{name}/", depth + 1, counted))
            own = [row for row in inner if row.type != "Net"]
            parameters = sum(row.parameters for row in own)
            yield Row(prefix + name, depth, "Net", *place, parameters, _added(own), tuple(sorted(block.exclude)))
            yield from inner
            continue
        fresh = [] if module is None else [p for p in module.parameters() if id(p) not in counted.parameters]
        counted.parameters.update(map(id, fresh))
        parameters = sum(parameter.numel() for parameter in fresh)
        work = None if module is None else _work(module, block.spec, _read(net, block), counted)
        yield Row(prefix + name, depth, type_of(block, module), *place, parameters, work, tuple(sorted(block.exclude)))


def _work(module: nn.Module, spec: BlockSpec | None, sources: Sequence[Output], counted: _Counted) -> int | None:
    """The multiply-adds of a block; where an equal one was counted before, those of that."""
    key = _kind(module, spec)
    if key is None:
        return multiply_adds(module, sources)
    key = (key, *sources)
    if key not in counted.work:
        counted.work[key] = multiply_adds(module, sources)
    return counted.work[key]


def _kind(module: nn.Module, spec: BlockSpec | None) -> Hashable | None:
    """What blocks have in common that need the same work; None where that cannot be told."""
    if type(module).__module__.startswith("torch.nn.modules."):
        return repr(module)
    if spec is None or (key := key_of(spec)) is None:
        return None
    return type(module), key, tuple(parameter.shape for parameter in parameters_in(module))


def _added(rows: Sequence[Row]) -> int | None:
    counts = [row.multiply_adds for row in rows]
    return None if any(count is None for count in counts) else sum(count for count in counts if count is not None)


def _read(net: Net, block: Block) -> list[Output]:
    found = []
    for source in block.sources:
        other = net.blocks.get(source.block)
        output = net.inputs.get(source.block) if other is None else other.output
        if output is not None:
            found.append(pick(output, source.output))
    return found


def multiply_adds(module: nn.Module, sources: Sequence[Output]) -> int | None:
    """How many multiply-adds a block needs for one example, or None where its code cannot run on shapes alone.

    Args:
        module: the block, on any device; it is not changed.
        sources: what it reads.

    Example:
        >>> from rillnet.model.shapes import Signature
        >>> multiply_adds(nn.Conv2d(1, 2, 3), [Signature((1, 5, 5))])
        162
    """
    if isinstance(module, LocalResponseNorm):
        return 0  # the convolution is a way to compute its sum, not the layer's work
    try:
        shadow = _on_meta(module)
        with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
            shadow(*(_tensors(source) for source in sources))
    except Exception:  # a foreign forward may do anything with values, which tensors without storage do not have
        return None
    return int(counter.get_total_flops()) // 2 // _PROBE_BATCH


def _on_meta(module: nn.Module) -> nn.Module:
    """A copy without storage."""
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): _without_storage(tensor) for tensor in tensors})


def _without_storage(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _tensors(output: Output) -> Any:
    if isinstance(output, tuple):
        return tuple(_tensors(item) for item in output)
    return output.zeros(_PROBE_BATCH, "meta")


# --- printing -----------------------------------------------------------------------------------

_COLUMNS = ("block", "type", "reads", "sends", "parameters", "multiply-adds")

MOST_ROWS = 400
"""Larger nets are shown by their first and last blocks."""

_FIRST, _LAST = 20, 10


def text(summary: Summary) -> str:
    """The summary as a plain table for terminals and logs."""
    cells = [_COLUMNS, *_cells(summary)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    lines = []
    for row in cells:
        aligned = [
            cell.rjust(width) if column >= 4 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def table(summary: Summary) -> Table:
    """The summary as a table for rich's console."""
    found = Table(title=summary.name, title_justify="left", show_footer=True)
    *rows, totals = _cells(summary)
    for number, (column, footer) in enumerate(zip(_COLUMNS, totals, strict=True)):
        found.add_column(
            column, footer=footer, justify="right" if number >= 4 else "left", overflow="fold", no_wrap=number >= 4
        )
    for row in rows:
        found.add_row(*row)
    return found


def _cells(summary: Summary) -> list[tuple[str, ...]]:
    """The rows as text, blocks of nested nets indented; the last row is the totals."""
    total = ("total", "", "", "", *_counts(summary.parameters, summary.multiply_adds))
    rows = summary.rows
    if len(rows) <= MOST_ROWS:
        return [*map(_cells_of, rows), total]
    left_out = rows[_FIRST:-_LAST]
    types = Counter(row.type for row in left_out).most_common()
    shown = ", ".join(f"{count:,} {name}" for name, count in types[:3]) + (" ..." if len(types) > 3 else "")
    own = [row for row in left_out if row.type != "Net"]
    counts = _counts(sum(row.parameters for row in own), sum(row.multiply_adds or 0 for row in own))
    middle = (f"... {len(left_out):,} more", shown, "", "", *counts)
    return [*map(_cells_of, rows[:_FIRST]), middle, *map(_cells_of, rows[-_LAST:]), total]


def _cells_of(row: Row) -> tuple[str, ...]:
    excluded = f" (not in {', '.join(row.exclude)})" if row.exclude else ""
    return (
        "  " * row.depth + row.path.rpartition("/")[2],
        row.type + excluded,
        row.sources,
        row.output,
        f"{row.parameters:,}" if row.parameters else "",
        "?" if row.multiply_adds is None else f"{row.multiply_adds:,}" if row.multiply_adds else "",
    )


def _counts(parameters: int, multiply_adds: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{multiply_adds:,}"
