"""A net's graph as a picture: one stand-alone SVG, nested nets as boxes in boxes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from torch import nn

from rillnet.model.block import Block
from rillnet.model.graph import Edge
from rillnet.model.layers.function import Function
from rillnet.model.layers.merge import Merge
from rillnet.model.layers.metrics import Metric
from rillnet.model.layout import Layout, Link, Point, arrange
from rillnet.model.lettering import fitted, text_width
from rillnet.model.net import Net
from rillnet.model.shapes import Output
from rillnet.model.summary import blocks_text, type_of

COLOURS: dict[str, tuple[str, str]] = {
    "input": ("#eceff4", "#7b8794"),
    "weights": ("#dbeafe", "#3b76d4"),
    "normalisation": ("#e6e4fb", "#7468cf"),
    "activation": ("#fdeacb", "#cf8a1e"),
    "pooling": ("#dcf1df", "#439a55"),
    "merge": ("#d3f1ef", "#23918a"),
    "metric": ("#fbdfe0", "#cc4b52"),
    "other": ("#f6f7f9", "#9aa5b1"),
    "net": ("#ffffff", "#6f7f95"),
}
"""Fill and border of each kind of block."""

_BY_MODULE = {
    "pooling": "pooling",
    "activation": "activation",
    "batchnorm": "normalisation",
    "instancenorm": "normalisation",
    "normalization": "normalisation",
    "loss": "metric",
}

_BY_FUNCTION = {
    "activation": (
        "relu",
        "gelu",
        "elu",
        "silu",
        "tanh",
        "sigmoid",
        "softmax",
        "softplus",
        "hardtanh",
        "swish",
        "mish",
    ),
    "pooling": ("_pool",),
    "normalisation": ("_norm", "normalize"),
    "merge": ("add", "sub", "mul", "div", "truediv", "cat", "stack", "concat", "matmul", "bmm", "einsum", "where"),
    "weights": ("linear", "conv1d", "conv2d", "conv3d", "embedding"),
    "metric": ("cross_entropy", "_loss"),
}
"""Words in the names of torch's functions; those of up to four letters must be the whole name."""

_LINES = {"edge": "#8593a3", "delayed": "#c7701c", "sizes": "#bcc5cf"}
"""Colour of each kind of line."""

_STYLE = """
text { font-family: Inter, "Helvetica Neue", Helvetica, Arial, sans-serif; }
.name { font-size: 12px; font-weight: 600; fill: #1f2933; text-anchor: middle; }
.kind { font-size: 10.5px; fill: #52606d; text-anchor: middle; }
.title { font-size: 12px; font-weight: 600; fill: #3e4c59; }
.note { font-size: 10.5px; fill: #52606d; }
.mark { font-size: 10px; fill: #b4530a; text-anchor: middle; }
.edge { fill: none; stroke: #8593a3; stroke-width: 1.4; }
.sizes { fill: none; stroke: #bcc5cf; stroke-width: 1.2; stroke-dasharray: 1.5 3; }
.delayed { fill: none; stroke: #c7701c; stroke-width: 1.4; stroke-dasharray: 5 3; }
"""
_HEAD = 24.0
_PAD = 14.0
_MARGIN = 20.0
_GAP = 26.0
_WIDEST = 240.0  # pixels of a label; of a longer one the ends are shown, and all of it on hovering
_MARKED_GAP = 46.0


@dataclass(slots=True)
class _Figure:
    """Something drawn with its top left corner at (0, 0), and where lines reach and leave it, from its middle."""

    width: float
    height: float
    elements: list[str]
    inputs: list[float] = field(default_factory=list)
    outputs: list[float] = field(default_factory=list)


def svg(net: Net, *, depth: int | None = None) -> str:
    """The graph of a net, from top to bottom.

    A block shows its name, its type and the shape that it sends for one example. An edge with a delay is
    dashed and marked as in a document, `@-1`; one that is only read for its shape is dotted. A nested net is
    a box around its blocks; of a repeated one, one copy is drawn.

    Args:
        net: the net; nothing is computed.
        depth: how many levels of nested nets are opened; None opens all.

    Returns:
        An SVG document.

    Example:
        >>> net = Net("tiny", {"x": (2,)}).add("y", nn.Tanh())
        >>> svg(net).startswith("<svg xmlns=")
        True
    """
    figure = _inside(net, depth)
    heading, heading_width = _heading(net, figure)
    width = max(figure.width, heading_width) + 2 * _MARGIN
    height = figure.height + 2 * _MARGIN + 50
    indent = (width - figure.width) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<title>{escape(net.name)}</title>",
            f"<style>{_STYLE}</style>",
            "<defs>",
            *(_arrow(f"arrow-{kind}", colour) for kind, colour in _LINES.items()),
            "</defs>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
            *heading,
            "</g>",
            f'<g transform="translate({indent:.1f} {_MARGIN + 50:.0f})">',
            *figure.elements,
            "</g>",
            "</svg>",
        ]
    )


def kind_of(module: nn.Module | None) -> str:
    """Which of `COLOURS` a block is drawn in: by its class's place in torch.nn, else by whether it has parameters."""
    if isinstance(module, Net):
        return "net"
    if isinstance(module, Merge):
        return "merge"
    if isinstance(module, Metric):
        return "metric"
    if isinstance(module, Function):
        return kind_of(module.function) if isinstance(module.function, nn.Module) else _kind_of_call(module.label)
    place = type(module).__module__
    if place.startswith("torch.nn.modules.") and not isinstance(module, nn.MultiheadAttention):
        known = _BY_MODULE.get(place.rpartition(".")[2])
        if known:
            return known
    return "weights" if module is not None and next(module.parameters(), None) is not None else "other"


def _kind_of_call(name: str) -> str:
    for kind, parts in _BY_FUNCTION.items():
        if name in parts or any(part in name for part in parts if len(part) > 4):
            return kind
    return "other"


# --- a net and its blocks -----------------------------------------------------------------------


def _inside(net: Net, depth: int | None, *, is_nested: bool = False) -> _Figure:
    """The inputs, the blocks and the edges of a net."""
    figures = {f"input {name}": _input(name, output, is_nested) for name, output in net.inputs.items()}
    for name in net.order():
        figures[name] = _block(net, net.blocks[name], depth)
    keys = {name: f"input {name}" for name in net.inputs}
    links: list[Link] = []
    marks: list[tuple[str, str, str]] = []
    for edge in net.edges:
        source = keys.get(edge.source, edge.source)
        if source not in figures:
            continue
        mark = ("" if edge.output is None else f"[{edge.output}]") + (f"@-{edge.delay}" if edge.delay else "")
        leaves = _at(figures[source].outputs, edge.output or 0)
        arrives = _at(figures[edge.target].inputs, edge.port)
        links.append(Link(source, edge.target, f"{_line_of(net, edge)} {edge.output or 0} {mark}", leaves, arrives))
        marks.append((_line_of(net, edge), mark, f"{edge.source}{mark} to {edge.target}"))
    sinks = _sinks(net, figures, keys) if is_nested else []
    for sink, (source, leaves) in sinks:
        figures[sink] = _Figure(8, 0, [])
        links.append(Link(source, sink, "edge 0 ", leaves))
        marks.append(("edge", "", "output"))
    sizes = {name: (figure.width, figure.height) for name, figure in figures.items()}
    gap = _MARKED_GAP if any(mark for _, mark, _ in marks) else _GAP
    layout = arrange(sizes, links, layer_gap=gap, at_bottom={sink for sink, _ in sinks})
    outputs = [layout.centres[sink][0] - layout.width / 2 for sink, _ in sinks]
    inputs = [layout.centres[key][0] - layout.width / 2 for key in keys.values()]
    return _Figure(layout.width, layout.height, _elements(layout, figures, links, marks), inputs, outputs)


def _line_of(net: Net, edge: Edge) -> str:
    """How an edge is drawn: delayed, only read for its shape, or plain."""
    module = net._modules[edge.target]
    if edge.delay:
        return "delayed"
    return "sizes" if isinstance(module, Function) and edge.port in module.read_for_sizes else "edge"


def _sinks(net: Net, figures: dict[str, _Figure], keys: dict[str, str]) -> list[tuple[str, tuple[str, float | None]]]:
    """For each output of a nested net, a point at its lower border and what sends it."""
    sent = [(source.block, source.output) for source in net.output_sources]
    if not sent and net.blocks:
        sent = [(next(reversed(net.blocks)), None)]
    return [
        (f"output {number}", (keys.get(name, name), _at(figures[keys.get(name, name)].outputs, output or 0)))
        for number, (name, output) in enumerate(sent)
    ]


def _at(ports: Sequence[float], number: int) -> float | None:
    return ports[number] if number < len(ports) else None


def _input(name: str, output: Output, is_nested: bool) -> _Figure:
    caption = "" if is_nested else _shape(output)
    shown = fitted(name, _WIDEST, 12, bold=True)
    caption = fitted(caption, _WIDEST, 10.5)
    width = max(_name_width(shown), _note_width(caption)) + 26
    height = 36.0 if caption else 22.0
    fill, border = COLOURS["input"]
    return _Figure(
        width,
        height,
        [
            "<g>",
            f"<title>{escape(f'input {name} {output}')}</title>",
            f'<rect width="{width:.1f}" height="{height:.0f}" rx="{height / 2:.0f}" fill="{fill}" stroke="{border}"/>',
            f'<text class="name" x="{width / 2:.1f}" y="15">{escape(shown)}</text>',
            *([f'<text class="kind" x="{width / 2:.1f}" y="29">{escape(caption)}</text>'] if caption else []),
            "</g>",
        ],
    )


def _block(net: Net, block: Block, depth: int | None) -> _Figure:
    module = net._modules[block.name]
    repeat = (block.spec.repeat or 1) if block.spec is not None else 1
    if not isinstance(module, Net):
        return _plain(net, block, module)
    one = module._modules[next(iter(module.blocks))] if repeat > 1 else module
    title = f"{block.name} \u00d7 {repeat}" if repeat > 1 else block.name
    if not isinstance(one, Net) or (depth is not None and depth < 1):
        return _plain(net, block, one, repeat)
    return _framed(_inside(one, None if depth is None else depth - 1, is_nested=True), title, repeat > 1, module)


def _framed(inner: _Figure, title: str, is_stack: bool, net: Net) -> _Figure:
    """A nested net: a titled box around its blocks; a second border behind it where it is repeated."""
    shown = fitted(title, max(inner.width, _WIDEST), 12, bold=True)
    width = max(inner.width, _name_width(shown)) + 2 * _PAD
    height = inner.height + _HEAD + (0.0 if inner.outputs else _PAD)
    indent = (width - inner.width) / 2
    fill, border = COLOURS["net"]
    behind = f'<rect x="5" y="5" width="{width:.1f}" height="{height:.1f}" rx="8" fill="{fill}" stroke="{border}"/>'
    elements = [
        f"<g><title>{escape(f'{net.address}: {_count(net)} parameters')}</title>",
        *([behind] if is_stack else []),
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="8" fill="#fafbfd" stroke="{border}"/>',
        f'<text class="title" x="{_PAD:.0f}" y="16">{escape(shown)}</text></g>',
        f'<g transform="translate({indent:.1f} {_HEAD:.0f})">',
        *inner.elements,
        "</g>",
    ]
    return _Figure(width, height, elements, inner.inputs, inner.outputs)


def _plain(net: Net, block: Block, module: nn.Module | None, repeat: int = 1) -> _Figure:
    """A block: its name, and below it its type and what it sends."""
    kind = f"Net of {len(module.blocks)}" if isinstance(module, Net) else type_of(block, module)
    kind += f" \u00d7 {repeat}" if repeat > 1 else ""
    caption = " \u2192 ".join(filter(None, (kind, _shape(block.output))))
    caption = fitted(caption, _WIDEST, 10.5)
    shown = fitted(block.name, _WIDEST, 12, bold=True)
    width = max(_name_width(shown), _note_width(caption)) + 20
    fill, border = COLOURS[kind_of(module)]
    rect = f'<rect width="{width:.1f}" height="38" rx="5" fill="{fill}" stroke="{border}"'
    if block.exclude:
        rect += ' stroke-dasharray="4 2"'
    return _Figure(
        width,
        38.0,
        [
            f"<g><title>{escape(_told(net, block, kind))}</title>",
            rect + "/>",
            f'<text class="name" x="{width / 2:.1f}" y="16">{escape(shown)}</text>',
            f'<text class="kind" x="{width / 2:.1f}" y="30">{escape(caption)}</text></g>',
        ],
    )


def _told(net: Net, block: Block, kind: str) -> str:
    """What hovering over a block shows."""
    module = net._modules[block.name]
    lines = [f"{net.address}/{block.name}: {kind}", "reads " + (", ".join(map(str, block.sources)) or "nothing")]
    if block.output is not None:
        lines.append(f"sends {_shape(block.output)}")
    if module is not None:
        lines.append(f"{_count(module)} parameters")
    if block.exclude:
        lines.append("excluded from " + ", ".join(sorted(block.exclude)))
    return "\n".join(lines)


def _count(module: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in module.parameters()):,}"


def _shape(output: Output | None) -> str:
    """`64 x 28 x 28` and what is no float32; several outputs in parentheses; nothing for one number."""
    if output is None:
        return ""
    if isinstance(output, tuple):
        return "(" + ", ".join(_shape(item) or "1" for item in output) + ")"
    dtype = str(output.dtype).removeprefix("torch.")
    return " ".join([" \u00d7 ".join(map(str, output.shape)), "" if dtype == "float32" else dtype]).strip()


def _name_width(text: str) -> float:
    return text_width(text, 12, bold=True)


def _note_width(text: str) -> float:
    return text_width(text, 10.5)


# --- lines, title, legend -----------------------------------------------------------------------


def _elements(
    layout: Layout, figures: dict[str, _Figure], links: Sequence[Link], marks: Sequence[tuple[str, str, str]]
) -> list[str]:
    found = []
    for link, path, (kind, mark, title) in zip(links, layout.paths, marks, strict=True):
        points = path or _loop(layout.centres[link.source], figures[link.source])
        is_output = link.target.startswith("output ")
        found.append(_line(points, kind, not is_output, title))
        if mark:
            found.append(_mark(points, mark))
    for name, figure in figures.items():
        x, y = layout.centres[name]
        if figure.elements:
            found.append(f'<g transform="translate({x - figure.width / 2:.1f} {y - figure.height / 2:.1f})">')
            found += [*figure.elements, "</g>"]
    return found


def _loop(centre: Point, figure: _Figure) -> list[Point]:
    """From the lower right of a block around to its upper right."""
    x, y = centre[0] + figure.width / 2, centre[1]
    reach = min(12.0, figure.height / 3)
    return [(x, y + reach), (x + 24, y + reach), (x + 24, y - reach), (x, y - reach)]


def _line(points: Sequence[Point], kind: str, has_arrow: bool, title: str) -> str:
    marker = f' marker-end="url(#arrow-{kind})"' if has_arrow else ""
    return f'<path class="{kind}" d="{_path_data(points)}"{marker}><title>{escape(title)}</title></path>'


def _path_data(points: Sequence[Point]) -> str:
    """The points joined by a straight line and a curve in turn; a loop, which starts sideways, by lines only."""
    (x, y), *rest = points
    is_loop = points[0][0] != points[1][0]
    data = [f"M{x:.1f} {y:.1f}"]
    is_vertical = False
    for number, (to_x, to_y) in enumerate(rest):
        is_curve = number % 2 == 1 and abs(to_x - x) >= 0.5 and not is_loop
        if is_curve:
            middle = (y + to_y) / 2
            data.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        elif (x, y) != (to_x, to_y):
            if is_vertical and abs(to_x - x) < 0.05:
                data.pop()  # one line goes on in the next
            data.append(f"L{to_x:.1f} {to_y:.1f}")
            is_vertical = abs(to_x - x) < 0.05
        if is_curve:
            is_vertical = False
        x, y = to_x, to_y
    return " ".join(data)


def _mark(points: Sequence[Point], text: str) -> str:
    """What an edge says, on a white ground: a delay in the middle of its longest stretch, an output near its source."""
    share = 0.5 if "@" in text else 0.25
    (x1, y1), (x2, y2) = max(itertools.pairwise(points), key=lambda ends: abs(ends[0][1] - ends[1][1]))
    x, y = x1 + (x2 - x1) * (3 - 2 * share) * share**2, y1 + (y2 - y1) * share
    width = text_width(text, 10) + 6
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 7:.1f}" width="{width:.1f}" height="14" rx="3" fill="#ffffff"/>'
        f'<text class="mark" x="{x:.1f}" y="{y + 3.5:.1f}">{escape(text)}</text>'
    )


def _arrow(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0.5 L8 4 L0 7.5 Z" fill="{colour}"/></marker>'
    )


def _heading(net: Net, figure: _Figure) -> tuple[list[str], float]:
    """The net's name and size, and the colours that occur in the picture."""
    title = f"{net.name}: {blocks_text(net)}, {_count(net)} parameters"
    elements = [f'<text class="title" x="0" y="12">{escape(title)}</text>']
    drawn = "\n".join(figure.elements)
    x = 0.0
    for kind, (fill, border) in COLOURS.items():
        if kind != "net" and f'fill="{fill}" stroke="{border}"' in drawn:
            elements.append(f'<rect x="{x:.1f}" y="24" width="11" height="11" rx="2" fill="{fill}" stroke="{border}"/>')
            elements.append(f'<text class="note" x="{x + 16:.1f}" y="33.5">{kind}</text>')
            x += 30 + _note_width(kind)
    return elements, max(x, _name_width(title))
