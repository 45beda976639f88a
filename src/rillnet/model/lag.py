"""Lags: by how many frames a target is read later than it comes, so that it meets the prediction that is about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatNet
from rillnet.model.graph import Edge
from rillnet.model.paths import Wires, delays_from, shortest_from

AUTO = "auto"
"""The delay of an edge that is taken from the delays of the others."""


@dataclass(frozen=True, slots=True)
class Lag:
    """The delay that `auto` stood for.

    Args:
        edge: the edge that has it, by name.
        frames: the delay.
        first: what the block at its end reads first, the prediction.
        paths: how many frames what the inputs show takes to there, over each path; empty if there are too many to list.
    """

    edge: str
    frames: int
    first: str
    paths: tuple[int, ...] = ()

    def __str__(self) -> str:
        told = f"lag: {self.edge} has a delay of {_frames(self.frames)} and meets the first response of {self.first}"
        if len(self.paths) < 2:
            return told
        return f"{told}, whose paths take {', '.join(map(str, self.paths[:-1]))} and {_frames(self.paths[-1])}"


def taken(
    flat: FlatNet, keys: Sequence[str], frames: Sequence[int], auto: Mapping[int, str]
) -> tuple[list[int], tuple[Lag, ...]]:
    """Delays in which those that are `auto` are taken from the others.

    With k(u) the frames of the shortest path from an input to u, an edge u -> v gets the delay
    k(p) + R(p, v) - k(u), where p is the first thing that v reads.

    Args:
        flat: the net.
        keys: names of its edges.
        frames: their delays; those that are `auto` hold what they would have otherwise.
        auto: the positions of those, with what the edge was called where it was said to be `auto`.

    Returns:
        All delays, and the lags that were found.

    Raises:
        RequestError: an edge is the first of its block, no path leads to an end, or the first source comes sooner.
    """
    found, lags, faults = list(frames), [], []
    for position, name in auto.items():
        edge = flat.edges[position]
        first = next(p for p, other in enumerate(flat.edges) if other.target == edge.target)
        wires = _wires(flat.edges, found)
        times = shortest_from(flat.inputs, wires)
        prediction = flat.edges[first].source
        rule, hint = _refusal(edge, prediction, times, found[first], is_first=first == position)
        if rule:
            faults.append(Fault(f"rollout.delays.{name}", rule, hint=hint))
            continue
        found[position] = times[prediction] + found[first] - times[edge.source]
        lags.append(Lag(keys[position], found[position], prediction, _paths(flat, wires, prediction)))
    if faults:
        raise RequestError(faults)
    return found, tuple(lags)


def _refusal(edge: Edge, prediction: str, times: dict[str, int], delay: int, *, is_first: bool) -> tuple[str, str]:
    """Why an edge's delay cannot be taken, and what to do; nothing if it can."""
    if is_first:
        return f"auto is measured against what {edge.target} reads first, which is {edge.source} itself", "say frames"
    for end in (prediction, edge.source):
        if end not in times:
            return f"auto needs a path from an input to {end}, and there is none", "say how many frames"
    ahead = times[edge.source] - times[prediction] - delay
    if ahead > 0:
        hint = f'delay the other: {{"{prediction}->{edge.target}": {delay + ahead}}}'
        return f"auto would be negative: {edge.source} comes {_frames(ahead)} after {prediction}", hint
    return "", ""


def _paths(flat: FlatNet, wires: Wires, block: str) -> tuple[int, ...]:
    try:
        return tuple(sorted(delays_from(flat.inputs, [*flat.inputs, *flat.blocks], wires).get(block, ())))
    except RequestError:  # too many paths to list; the shortest is known all the same
        return ()


def _wires(edges: Sequence[Edge], frames: Sequence[int]) -> dict[str, list[tuple[str, int]]]:
    wires: dict[str, list[tuple[str, int]]] = {}
    for edge, delay in zip(edges, frames, strict=True):
        wires.setdefault(edge.source, []).append((edge.target, delay))
    return wires


def _frames(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"
