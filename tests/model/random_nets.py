"""Random nets as hypothesis strategies: skips, merges, cycles, several inputs, nested nets, any valid delays."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.model.structure import Structure

Document = dict[str, Any]

SIZE = 3
"""Every block sends this many numbers per example, so that anything can read anything."""


def _kinds(draw: st.DrawFn, sources: list[str]) -> Document:
    """A block that reads these."""
    if len(sources) > 1:
        return {"type": draw(st.sampled_from(["Sum", "Product"])), "from": sources}
    kind = draw(st.sampled_from(["Linear", "Tanh", "Identity"]))
    size = {"out_features": SIZE} if kind == "Linear" else {}
    return {"type": kind, "from": sources, **size}


def _source(draw: st.DrawFn, earlier: list[str], later: list[str], delays: int) -> str:
    """Something that may be read: what stands earlier at once, anything some frames ago."""
    back = bool(later) and draw(st.booleans())
    name = draw(st.sampled_from(later if back else earlier))
    delay = draw(st.integers(int(back), max(int(back), delays)))
    return f"{name}@-{delay}" if delay else name


def _blocks(draw: st.DrawFn, inputs: list[str], names: list[str], *, cyclic: bool, delays: int, depth: int) -> Document:
    blocks: Document = {}
    for position, name in enumerate(names):
        earlier, later = [*inputs, *names[:position]], names[position:] if cyclic else []
        count = draw(st.integers(1, 3))
        sources = [_source(draw, earlier, later, delays) for _ in range(count)]
        if depth and draw(st.integers(0, 3)) == 0:
            blocks[name] = _nested(draw, sources, cyclic=cyclic, delays=delays, depth=depth - 1)
        else:
            blocks[name] = _kinds(draw, sources)
        if cyclic:
            blocks[name]["shape"] = [SIZE]
    return blocks


def _nested(draw: st.DrawFn, sources: list[str], *, cyclic: bool, delays: int, depth: int) -> Document:
    inputs = [f"in{number}" for number in range(len(sources))]
    names = [f"n{number}" for number in range(draw(st.integers(1, 3)))]
    blocks = _blocks(draw, inputs, names, cyclic=cyclic, delays=delays, depth=depth)
    outputs = [f"{draw(st.sampled_from(names))}@-{delay}" for delay in [draw(st.integers(0, delays))]]
    return {"type": "Net", "from": sources, "inputs": inputs, "blocks": blocks, "outputs": outputs}


@st.composite
def documents(draw: st.DrawFn, *, cyclic: bool = True, delays: int = 2, nested: int = 1, most: int = 5) -> Document:
    """A net's document.

    Args:
        draw: of hypothesis.
        cyclic: whether there may be cycles.
        delays: longest delay of an edge within the net.
        nested: how deep nets are nested.
        most: largest number of blocks at each level.
    """
    inputs = [f"x{number}" for number in range(draw(st.integers(1, 2)))]
    names = [f"b{number}" for number in range(draw(st.integers(1, most)))]
    blocks = _blocks(draw, inputs, names, cyclic=cyclic, delays=delays, depth=nested)
    return {"inputs": {name: [SIZE] for name in inputs}, "blocks": blocks}


@st.composite
def valid_delays(draw: st.DrawFn, net: Structure, most: int = 3) -> dict[str, int]:
    """Random delays for every edge, with one more wherever a cycle would have none.

    Args:
        draw: of hypothesis.
        net: the net.
        most: longest delay.
    """
    delays = {name: draw(st.integers(0, most)) for name in Rollout(net).delays}
    while (cycle := Rollout(net, delays).cycle) is not None:
        first, second = cycle[0], cycle[1 % len(cycle)]
        delays |= {key: 1 for key in delays if key.partition("#")[0] == f"{first}->{second}"}
    return delays


Pairs = list[tuple[str, str]]


@st.composite
def digraphs(draw: st.DrawFn, *, most: int = 5, cyclic: bool = True) -> Pairs:
    """Edges among blocks `0`, `1` ... that all read something; `x` and `y` are inputs.

    Args:
        draw: of hypothesis.
        most: largest number of blocks.
        cyclic: whether there may be cycles.
    """
    names = [str(number) for number in range(draw(st.integers(1, most)))]
    pairs: Pairs = []
    for position, name in enumerate(names):
        readable = ["x", "y", *(names if cyclic else names[:position])]
        read = draw(st.lists(st.sampled_from(readable), min_size=1, max_size=4, unique=True))
        pairs += [(source, name) for source in read]
    return pairs


def net_of(pairs: Pairs) -> Net:
    """A net of sums with these edges; those that do not lead onward have a delay of their own."""
    names = list(dict.fromkeys(target for _, target in pairs))
    blocks: Document = {name: {"type": "Sum", "from": [], "shape": [1]} for name in names}
    for source, target in pairs:
        onward = source not in names or names.index(source) < names.index(target)
        blocks[target]["from"].append(source if onward else f"{source}@-1")
    return Net.from_spec({"inputs": {"x": [1], "y": [1]}, "blocks": blocks}, device="meta")
