"""Inference tableaus as a table and as a picture: at which update step each block of each frame is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from rillnet.errors import RequestError
from rillnet.model.lettering import fitted, text_width
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Signature

_CELL_WIDTH = 34.0
_CELL_HEIGHT = 26.0
_GAP = 3.0
_MARGIN = 24.0
_BETWEEN = 40.0
_TITLE = 62.0
_LEGEND_LINE = 22.0
_WIDEST = 260.0  # pixels of a block's name; of a longer one the ends are shown, and all of it on hovering
_LEGEND_INDENT = 60.0
_LEGEND = (
    ("ready", "ready at once: an input, and every block in frame 0"),
    ("scale", "a block, with the update step at which it is ready: the later, the darker"),
    ("first", "the first frame of a block that depends on what the inputs showed in frame 0"),
)

_STYLE = """
text { font-family: Inter, "Helvetica Neue", Helvetica, Arial, sans-serif; }
.page { fill: #ffffff; }
.title { font-size: 14px; font-weight: 600; fill: #1f2933; }
.note { font-size: 11px; fill: #52606d; }
.name { font-size: 12px; fill: #1f2933; text-anchor: end; }
.input { fill: #7b8794; }
.axis { font-size: 11px; fill: #7b8794; text-anchor: middle; }
.step { font-size: 12px; font-weight: 600; text-anchor: middle; }
.ready { fill: #eceff4; }
.first { fill: none; stroke: #d9480f; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  .page { fill: #12161c; }
  .title, .name { fill: #e4e8ee; }
  .note { fill: #a5b0bd; }
  .input, .axis { fill: #8b97a5; }
  .ready { fill: #2a323d; }
  .at-0 { fill: #a5b0bd; }
}
"""

MOST_ROWS = 400
"""Of larger nets the first and last blocks are shown."""

_FIRST, _LAST = 20, 10

_SCALE = ((222, 235, 250), (66, 133, 214), (10, 45, 105))
"""Colours of the earliest, a middle and the latest update step."""


def tableau_text(rollouts: Mapping[str, Rollout], frames: int) -> str:
    """Inference tableaus side by side as plain text.

    Args:
        rollouts: of one net, by the name to show.
        frames: the last frame.

    Returns:
        A row per block: for each rollout and each frame from 0 on the update step at which it is ready; then
        the update steps per frame, and the first response of the blocks that only losses and metrics read. Of
        more than `MOST_ROWS` of them the first and last are told.

    Raises:
        RequestError: the rollouts are not of the same net, or one is not valid.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("chain", inputs={"x": (2,)})
        >>> net = net.add("a", rn.Linear(out_features=2)).add("b", rn.Linear(out_features=2))
        >>> print(tableau_text({"sequential": Rollout(net), "streaming": Rollout.streaming(net)}, 3))
                           sequential   streaming
        frame              0 1 2 3      0 1 2 3
        x                  0 0 0 0      0 0 0 0
        a                  0 1 1 1      0 1 1 1
        b                  0 2 2 2      0 1 2 2
        steps per frame    2            1
        first response: b  1            2
    """
    names = _blocks(rollouts)
    tableaus = {name: rollout.tableau(frames) for name, rollout in rollouts.items()}
    rows, ends = shortened(names), shortened(ends_of(next(iter(rollouts.values()))))
    widest = max((step for tableau in tableaus.values() for steps in tableau.values() for step in steps), default=0)
    digits = max(len(str(widest)), len(str(frames)))
    labels = ["frame", *map(_label, rows), "steps per frame", *(f"first response: {_label(end)}" for end in ends)]
    columns = [["", *labels]]
    for name, rollout in rollouts.items():
        steps = [range(frames + 1), *(() if isinstance(row, int) else tableaus[name][row] for row in rows)]
        cells = [" ".join(f"{step:>{digits}}" for step in row) for row in steps]
        cells += [f"{rollout.inference_factor:>{digits}}"]
        cells += ["" if isinstance(end, int) else _response_text(rollout, end, digits) for end in ends]
        columns.append([name, *cells])
    widths = [max(map(len, column)) for column in columns]
    lines = zip(*(_justified(column, width) for column, width in zip(columns, widths, strict=True)), strict=True)
    return "\n".join(_line(cells) for cells in lines)


def shortened(names: Sequence[str]) -> list[str | int]:
    """Names of blocks; of more than `MOST_ROWS` the first and last, and how many come between them.

    Example:
        >>> [str(name) for name in shortened([f"b{n}" for n in range(1000)])][19:22]
        ['b19', '970', 'b990']
    """
    if len(names) <= MOST_ROWS:
        return list(names)
    return [*names[:_FIRST], len(names) - _FIRST - _LAST, *names[-_LAST:]]


def _label(row: str | int) -> str:
    return f"... {row:,} more" if isinstance(row, int) else row


def _response_text(rollout: Rollout, end: str, digits: int) -> str:
    response = rollout.first_response(end)
    return "-" if response is None else f"{response:>{digits}}"


def _justified(column: Sequence[str], width: int) -> list[str]:
    return [cell.ljust(width) for cell in column]


def _line(cells: Sequence[str]) -> str:
    return (cells[0] + "  " + "   ".join(cells[1:])).rstrip()


def _blocks(rollouts: Mapping[str, Rollout]) -> list[str]:
    """The inputs and leaf blocks of the net that all rollouts are of."""
    if not rollouts:
        raise RequestError("a tableau needs at least one rollout")
    every = [[*rollout.flat.inputs, *rollout.flat.blocks] for rollout in rollouts.values()]
    if any(names != every[0] for names in every):
        raise RequestError(f"the rollouts {', '.join(rollouts)} are not of the same net")
    return every[0]


def ends_of(rollout: Rollout) -> list[str]:
    """The blocks that nothing reads but losses and metrics, which are one number for a whole batch."""
    blocks = rollout.flat.blocks
    told = {n for n, block in blocks.items() if isinstance(block.output, Signature) and not block.output.batched}
    read = {edge.source for edge in rollout.edges if edge.source != edge.target and edge.target not in told}
    return [name for name in blocks if name not in read and name not in told]


def tableau_svg(rollouts: Mapping[str, Rollout], frames: int) -> str:
    """Inference tableaus side by side as a picture.

    Each cell is a block in a frame, with the update step at which it is ready: the later, the darker. Where
    a block first depends on what the inputs showed in frame 0, the cell is framed.

    Args:
        rollouts: of one net, by the name to show.
        frames: the last frame.

    Returns:
        A stand-alone SVG, which adapts to light and dark surroundings.

    Raises:
        RequestError: the rollouts are not of the same net, or one is not valid.
    """
    rows = shortened(_blocks(rollouts))
    tableaus = {name: rollout.tableau(frames) for name, rollout in rollouts.items()}
    latest = max((step for tableau in tableaus.values() for steps in tableau.values() for step in steps), default=0)
    labels = [*map(_label, rows), "frame"]
    left = _MARGIN + max(text_width(fitted(label, _WIDEST, 12), 12) for label in labels) + 10
    titles = max(text_width(name, 14, bold=True) for name in rollouts)
    steps = max(text_width(_steps_told(rollout), 11) for rollout in rollouts.values())
    panel = max((frames + 1) * (_CELL_WIDTH + _GAP), titles, steps)
    bottom = _TITLE + len(rows) * (_CELL_HEIGHT + _GAP)
    parts = [_row_names(rows, rollouts, left)]
    for number, (name, rollout) in enumerate(rollouts.items()):
        parts.append(_panel(name, rollout, tableaus[name], rows, latest, left + number * (panel + _BETWEEN)))
    parts += [_legend_line(kind, told, left, bottom + 12 + n * _LEGEND_LINE) for n, (kind, told) in enumerate(_LEGEND)]
    widest = _LEGEND_INDENT + max(text_width(told, 11) for _, told in _LEGEND)
    width = left + max(len(rollouts) * (panel + _BETWEEN) - _BETWEEN, widest) + _MARGIN
    height = bottom + 12 + len(_LEGEND) * _LEGEND_LINE + 8
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(_told(rollouts))}"'
    page = f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>'
    return "\n".join([f"{head} {view}>", f"<style>{_STYLE}</style>", page, *parts, "</svg>", ""])


def _legend_line(kind: str, told: str, x: float, y: float) -> str:
    """A sample of a cell, or of the scale, and what it means."""
    box = f'y="{y:.1f}" height="14" rx="3"'
    if kind == "scale":
        wide = (_LEGEND_INDENT - 10) / 3
        sample = "".join(
            f'<rect fill="{_colour(share)}" x="{x + number * wide:.1f}" width="{wide:.1f}" {box}/>'
            for number, share in enumerate((0.0, 0.5, 1.0))
        )
    else:
        place = f'x="{x:.1f}" width="{_LEGEND_INDENT - 10:.0f}" {box}'
        frame = f'<rect class="first legend" {place}/>' if kind == "first" else ""
        sample = f'<rect class="ready" {place}/>{frame}'
    return f'{sample}<text class="note" x="{x + _LEGEND_INDENT:.1f}" y="{y + 11:.1f}">{escape(told)}</text>'


def _steps_told(rollout: Rollout) -> str:
    factor = rollout.inference_factor
    return "1 update step per frame" if factor == 1 else f"{factor} update steps per frame"


def _told(rollouts: Mapping[str, Rollout]) -> str:
    told = (f"{name}: {rollout.inference_factor} update steps per frame" for name, rollout in rollouts.items())
    return "Inference tableau. " + "; ".join(told)


def _top(row: int) -> float:
    return _TITLE + row * (_CELL_HEIGHT + _GAP)


def _row_names(rows: Sequence[str | int], rollouts: Mapping[str, Rollout], left: float) -> str:
    inputs = next(iter(rollouts.values())).flat.inputs
    found = [f'<text class="axis" style="text-anchor: end" x="{left - 10:.1f}" y="{_TITLE - 8:.1f}">frame</text>']
    for row, name in enumerate(map(_label, rows)):
        kind = "name input" if name in inputs or isinstance(rows[row], int) else "name"
        y = _top(row) + _CELL_HEIGHT / 2 + 4
        shown = escape(fitted(name, _WIDEST, 12))
        whole = f"<title>{escape(name)}</title>" if shown != escape(name) else ""
        found.append(f'<text class="{kind}" x="{left - 10:.1f}" y="{y:.1f}">{whole}{shown}</text>')
    return "\n".join(found)


def _panel(
    name: str,
    rollout: Rollout,
    tableau: Mapping[str, Sequence[int]],
    rows: Sequence[str | int],
    latest: int,
    x: float,
) -> str:
    """One rollout's cells, with its name and its update steps per frame above."""
    found = [
        f'<text class="title" x="{x:.1f}" y="22">{escape(name)}</text>',
        f'<text class="note" x="{x:.1f}" y="38">{_steps_told(rollout)}</text>',
    ]
    frames = len(next(iter(tableau.values()), ()))
    for frame in range(frames):
        middle = x + frame * (_CELL_WIDTH + _GAP) + _CELL_WIDTH / 2
        found.append(f'<text class="axis" x="{middle:.1f}" y="{_TITLE - 8:.1f}">{frame}</text>')
    for row, block in enumerate(rows):
        if isinstance(block, int):
            continue
        first = rollout.first_response(block)
        for frame, step in enumerate(tableau[block]):
            is_first = frame == first and block not in rollout.flat.inputs
            found.append(_cell(x + frame * (_CELL_WIDTH + _GAP), _top(row), step, latest, is_first))
    return "\n".join(found)


def _cell(x: float, y: float, step: int, latest: int, is_first: bool) -> str:
    middle = f'x="{x + _CELL_WIDTH / 2:.1f}" y="{y + _CELL_HEIGHT / 2 + 4:.1f}"'
    box = f'x="{x:.1f}" y="{y:.1f}" width="{_CELL_WIDTH:.0f}" height="{_CELL_HEIGHT:.0f}" rx="4"'
    frame = f'<rect class="first" {box}/>' if is_first else ""
    if step == 0:
        return f'<rect class="ready" {box}/><text class="step at-0" fill="#7b8794" {middle}>0</text>{frame}'
    share = (step - 1) / max(1, latest - 1)
    ink = "#ffffff" if share > 0.35 else "#12345b"
    return f'<rect fill="{_colour(share)}" {box}/><text class="step" fill="{ink}" {middle}>{step}</text>{frame}'


def _colour(share: float) -> str:
    """The colour at a place between the earliest and the latest step."""
    position = share * (len(_SCALE) - 1)
    lower = min(int(position), len(_SCALE) - 2)
    pairs = zip(_SCALE[lower], _SCALE[lower + 1], strict=True)
    return "#" + "".join(f"{round(low + (high - low) * (position - lower)):02x}" for low, high in pairs)
