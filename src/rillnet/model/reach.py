"""Reach: which blocks a loss can learn through over so many frames, and whether it compares like with like."""

from __future__ import annotations

from collections.abc import Iterable

from rillnet.model.paths import Wires, shortest_from
from rillnet.model.rollout import Rollout


def out_of_reach(rollout: Rollout, ends: Iterable[str], frames: int) -> dict[str, int]:
    """Blocks that only reach the ends over more frames than are looked back over.

    Args:
        rollout: the delay of every edge.
        ends: where gradients come from.
        frames: how many frames are looked back over, that of the ends included.

    Returns:
        By block that has parameters to learn, the frames of its shortest path to an end; `frames` or more of them.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("chain", inputs={"x": (2,)})
        >>> net = net.add("a", rn.Linear(out_features=2)).add("b", rn.Linear(out_features=2)).add("end", rn.Sum())
        >>> out_of_reach(rn.Rollout.streaming(net), ["end"], 1)
        {'a': 1}
    """
    backwards: dict[str, list[tuple[str, int]]] = {}
    for edge in rollout.edges:
        backwards.setdefault(edge.target, []).append((edge.source, edge.delay))
    wires: Wires = backwards
    starts = [source.block for end in ends for source in rollout.flat.sent_by(end)]
    far = {name: delay for name, delay in shortest_from(starts, wires).items() if delay >= frames}
    return {name: far[name] for name in rollout.flat.blocks if name in far and _learns(rollout, name)}


def late(rollout: Rollout, ends: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Blocks whose first source shows another frame of the inputs than their others do.

    Args:
        rollout: the delay of every edge.
        ends: the blocks, such as losses.

    Returns:
        By block its other source, and how many frames the first comes later than that (below 0: sooner).

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (1,), "y": (1,)}).add("fit", rn.Linear(out_features=1), source="x")
        >>> net = net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
        >>> late(rn.Rollout.streaming(net), ["loss"])
        {'loss': ('y', 1)}
    """
    onward: dict[str, list[tuple[str, int]]] = {}
    for edge in rollout.edges:
        onward.setdefault(edge.source, []).append((edge.target, edge.delay))
    times = shortest_from(rollout.flat.inputs, onward)
    found: dict[str, tuple[str, int]] = {}
    for end in ends:
        read = [edge for edge in rollout.edges if edge.target == end and edge.source in times]
        for other in read[1:]:
            apart = times[read[0].source] + read[0].delay - times[other.source] - other.delay
            if apart:
                found.setdefault(end, (other.source, apart))
    return found


def _learns(rollout: Rollout, name: str) -> bool:
    return any(parameter.requires_grad for parameter in rollout.flat.module(name).parameters())
