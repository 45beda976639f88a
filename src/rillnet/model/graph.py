"""Edges between named nodes: the order of one frame, and the cycles that leave none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """One output of a block wired to one input of another.

    Args:
        source: the block (or input of the net) that is read.
        target: the block that reads.
        delay: frames between what is read and the reading; 0 reads this frame.
        output: which output of the source; None is the first or only one.
        port: which input of the target, counted from 0.

    Example:
        >>> Edge("conv1", "relu1").name
        'conv1->relu1'
    """

    source: str
    target: str
    delay: int = 0
    output: int | None = None
    port: int = 0

    @property
    def name(self) -> str:
        """`source->target`, the key of delays in a rollout."""
        return f"{self.source}->{self.target}"


class ZeroDelayCycleError(Exception):
    """Some nodes wait for each other within one frame.

    Args:
        cycle: the nodes in reading order; the first follows the last.
    """

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = list(cycle)
        super().__init__(" -> ".join([*self.cycle, self.cycle[0]]))


def frame_order(nodes: Iterable[str], sources: Mapping[str, Iterable[str]]) -> list[str]:
    """The nodes such that each comes after all it reads in the same frame, otherwise as given.

    Args:
        nodes: all nodes, in the order of the document.
        sources: for each node, what it reads with delay 0; names outside `nodes` count as ready.

    Raises:
        ZeroDelayCycleError: no such order exists.

    Example:
        >>> frame_order(["b", "a"], {"b": ["a"], "a": []})
        ['a', 'b']
    """
    names = list(nodes)
    known = set(names)
    for name in names:
        if name in sources.get(name, ()):
            raise ZeroDelayCycleError([name])
    order: list[str] = []
    done: set[str] = set()
    for name in names:  # depth first, so that a net in reading order keeps its order
        if name not in done:
            _follow(name, sources, known, done, order)
    return order


def _follow(
    start: str, sources: Mapping[str, Iterable[str]], known: set[str], done: set[str], order: list[str]
) -> None:
    """Adds a node to the order, after all that it reads; every edge is looked at once."""
    path = {start: iter(sources.get(start, ()))}  # the open nodes, each with those of its sources still to be seen
    top = start
    while path:
        for source in path[top]:
            if source in done or source not in known:
                continue
            if source in path:
                open_nodes = list(path)
                cycle = open_nodes[open_nodes.index(source) :]
                raise ZeroDelayCycleError(cycle[::-1][-1:] + cycle[::-1][:-1])
            path[source] = iter(sources.get(source, ()))
            top = source
            break
        else:
            del path[top]
            done.add(top)
            order.append(top)
            top = next(reversed(path), start)


def reachable(starts: Iterable[str], neighbours: Mapping[str, Iterable[str]]) -> set[str]:
    """All nodes that can be reached from `starts`, which are included."""
    found: set[str] = set()
    stack = list(starts)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(neighbours.get(node, ()))
    return found
