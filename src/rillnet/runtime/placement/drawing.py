"""A placed net as a picture: blocks coloured by how they are split or where they stand, edges by what they send."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rillnet.model.layout import Layout, Link, Point, arrange
from rillnet.model.lettering import fitted, text_width
from rillnet.runtime.placement.costs import Costs
from rillnet.runtime.placement.table import EdgeRow, block_rows, bytes_text, count_text, edge_rows, seconds_text
from rillnet.runtime.placement.traffic import traffic_of

COLOURS = {
    "batch": ("#dbeafe", "#3b76d4"),
    "feature": ("#fdeacb", "#cf8a1e"),
    "space": ("#dcf1df", "#439a55"),
    "none": ("#f6f7f9", "#9aa5b1"),
    "input": ("#ffffff", "#7b8794"),
}
"""Fill and border by kind."""

PROCESSES = (
    ("#dbeafe", "#3b76d4"),
    ("#fbdfe0", "#cc4b52"),
    ("#dcf1df", "#439a55"),
    ("#fdeacb", "#cf8a1e"),
    ("#e6e4fb", "#7468cf"),
    ("#d3f1ef", "#23918a"),
    ("#fce4f3", "#c2529b"),
    ("#ecebdd", "#8a8a4a"),
)
"""Fill and border by process, over again where there are more."""

_LINE, _SENT = "#aab4bf", "#b4530a"
_STYLE = f"""
text {{ font-family: Inter, "Helvetica Neue", Helvetica, Arial, sans-serif; }}
.name {{ font-size: 12px; font-weight: 600; fill: #1f2933; text-anchor: middle; }}
.kind {{ font-size: 10.5px; fill: #52606d; text-anchor: middle; }}
.title {{ font-size: 12px; font-weight: 600; fill: #3e4c59; }}
.note {{ font-size: 10.5px; fill: #52606d; }}
.mark {{ font-size: 10px; fill: {_SENT}; text-anchor: middle; }}
.edge {{ fill: none; stroke: {_LINE}; stroke-width: 1.3; }}
.sent {{ fill: none; stroke: {_SENT}; stroke-width: 1.8; }}
.delayed {{ stroke-dasharray: 5 3; }}
"""
_MARGIN, _HEIGHT, _LEGEND = 20.0, 38.0, 64.0
_WIDEST = 300.0


def placement_svg(costs: Costs) -> str:
    """The blocks of a placed net from top to bottom, with what is sent between processes on each edge.

    A block is coloured by its kind of partition, or by its process where it stands at a location. An edge on which
    something crosses between processes is orange and says what and how many bytes, forward + backward; a delayed one is
    dashed.

    Args:
        costs: of a step.

    Returns:
        An SVG document.
    """
    plan = costs.plan
    rows = {row.name: row for row in block_rows(costs)}
    labels = {name: (name, "input") for name in plan.flat.inputs}
    for name, row in rows.items():
        where = f"process {row.where}" if row.kind == "location" else row.kind
        labels[name] = (name, f"{row.type}, {where} {row.part}".strip())
    sizes = {name: (_width(*label), _HEIGHT) for name, label in labels.items()}
    sent = {(row.target, row.port): row for row in edge_rows(costs)}
    links: list[Link] = []
    marks: list[tuple[EdgeRow | None, int, bool]] = []
    for name, port, source in plan.edges():
        edge = sent.get((name, port))
        links.append(Link(source.block, name, f"{source.name} {port if edge else 'plain'}"))
        marks.append((edge, source.delay, edge is not None or _crosses(costs, name, port)))
    layout = arrange(sizes, links, layer_gap=52.0 if sent else 26.0)
    elements = [*_lines(layout, links, marks), *_blocks(costs, layout, labels, sizes)]
    marked = [_mark(path, row) for path, (row, _, _) in zip(layout.paths, marks, strict=True) if row and path]
    return _framed(costs, layout, [*elements, *marked])


def _colour(costs: Costs, name: str) -> tuple[str, str]:
    if name in costs.plan.flat.inputs:
        return COLOURS["input"]
    assigned = costs.plan.blocks[name]
    return COLOURS[assigned.kind] if assigned.location is None else PROCESSES[assigned.location % len(PROCESSES)]


def _width(name: str, caption: str) -> float:
    shown = max(
        text_width(fitted(name, _WIDEST, 12, bold=True), 12, bold=True),
        text_width(fitted(caption, _WIDEST, 10.5), 10.5),
    )
    return shown + 20


def _blocks(
    costs: Costs, layout: Layout, labels: dict[str, tuple[str, str]], sizes: dict[str, tuple[float, float]]
) -> list[str]:
    found = []
    for name, (title, caption) in labels.items():
        (x, y), (width, height), (fill, border) = layout.centres[name], sizes[name], _colour(costs, name)
        note = costs.plan.blocks[name].note if name in costs.plan.blocks else ""
        found += [
            f"<g><title>{escape(f'{name}: {caption}' + (f'; {note}' if note else ''))}</title>",
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.0f}" rx="5" '
            f'fill="{fill}" stroke="{border}"' + (' stroke-dasharray="4 2"' if note else "") + "/>",
            f'<text class="name" x="{x:.1f}" y="{y - 3:.1f}">{escape(fitted(title, _WIDEST, 12, bold=True))}</text>',
            f'<text class="kind" x="{x:.1f}" y="{y + 11:.1f}">{escape(fitted(caption, _WIDEST, 10.5))}</text></g>',
        ]
    return found


def _crosses(costs: Costs, name: str, port: int) -> bool:
    """Whether an edge brings what another block is sent anyway."""
    return traffic_of(costs.plan, costs.plan, name, port, costs.batch, costs.machine).forward > 0


def _lines(layout: Layout, links: Sequence[Link], marks: Sequence[tuple[EdgeRow | None, int, bool]]) -> list[str]:
    found = []
    for link, path, (row, delay, crosses) in zip(links, layout.paths, marks, strict=True):
        kind = ("sent" if crosses else "edge") + (" delayed" if delay else "")
        points = path or _loop(layout.centres[link.source])
        arrow = "arrow-sent" if crosses else "arrow-edge"
        title = f"{link.source} to {link.target}" + (f": {row.exchange}" if row else "")
        found.append(
            f'<path class="{kind}" d="{_data(points)}" marker-end="url(#{arrow})"><title>{escape(title)}</title></path>'
        )
    return found


def _data(points: Sequence[Point]) -> str:
    """A line through the points; between two that are not above each other a curve with vertical ends."""
    (x, y), *rest = points
    data = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        if (to_x, to_y) == (x, y):
            continue  # an arrow's direction is that of its last line
        if abs(to_x - x) < 0.5 or y == to_y:
            data.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            data.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return " ".join(data)


def _loop(centre: Point) -> list[Point]:
    x, y = centre[0] + 40, centre[1]
    return [(x, y + 10), (x + 30, y + 10), (x + 30, y - 10), (x, y - 10)]


def _mark(points: Sequence[Point], row: EdgeRow) -> str:
    x, y = (points[-3][0] + points[-2][0]) / 2, (points[-3][1] + points[-2][1]) / 2
    text = f"{row.exchange} {bytes_text(row.forward)}" + (f" + {bytes_text(row.backward)}" if row.backward else "")
    width = text_width(text, 10) + 6
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 7:.1f}" width="{width:.1f}" height="14" rx="3" fill="#ffffff"/>'
        f'<text class="mark" x="{x:.1f}" y="{y + 3.5:.1f}">{escape(text)}</text>'
    )


def _framed(costs: Costs, layout: Layout, elements: Sequence[str]) -> str:
    heading, width = _heading(costs)
    width = max(layout.width, width) + 2 * _MARGIN
    height = layout.height + 2 * _MARGIN + _LEGEND
    indent = (width - layout.width) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<title>{escape(costs.plan.flat.net.name)}</title>",
            f"<style>{_STYLE}</style>",
            "<defs>",
            *(_arrow(kind, colour) for kind, colour in (("edge", _LINE), ("sent", _SENT))),
            "</defs>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
            *heading,
            "</g>",
            f'<g transform="translate({indent:.1f} {_MARGIN + _LEGEND:.0f})">',
            *elements,
            "</g>",
            "</svg>",
        ]
    )


def _arrow(kind: str, colour: str) -> str:
    return (
        f'<marker id="arrow-{kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 Z" fill="{colour}"/></marker>'
    )


def _heading(costs: Costs) -> tuple[list[str], float]:
    """What it is and costs, and the colours that occur."""
    plan = costs.plan
    mesh = " x ".join(f"{size} {axis}" for axis, size in plan.mesh.axes.items() if axis != "all") or "one axis"
    title = f"{plan.flat.net.name} on {plan.mesh.processes} processes ({mesh}), batch {costs.batch}"
    work = sum(process.multiply_adds for process in costs.processes.values())
    told = (
        f"{seconds_text(costs.step_s)} a step ({costs.machine.name}); {count_text(work)} multiply-adds; "
        f"sent {bytes_text(costs.crossing)} on edges, {bytes_text(costs.reduced)} of gradients"
    )
    elements = [
        f'<text class="title" x="0" y="12">{escape(title)}</text>',
        f'<text class="note" x="0" y="28">{escape(told)}</text>',
    ]
    used = {(a.kind, a.location) for a in plan.blocks.values()}
    keys = [(kind, COLOURS[kind]) for kind in ("batch", "feature", "space", "none") if (kind, None) in used]
    places = sorted({place for _, place in used if place is not None})
    keys += [(f"process {place}", PROCESSES[place % len(PROCESSES)]) for place in places[: len(PROCESSES)]]
    x = 0.0
    for word, (fill, border) in keys:
        elements.append(f'<rect x="{x:.1f}" y="38" width="11" height="11" rx="2" fill="{fill}" stroke="{border}"/>')
        elements.append(f'<text class="note" x="{x + 16:.1f}" y="47.5">{word}</text>')
        x += 30 + text_width(word, 10.5)
    return elements, max(x, text_width(title, 12, bold=True), text_width(told, 10.5))
