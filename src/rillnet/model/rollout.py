"""Rollout: a delay for every edge of a net. What follows from the delays is told without running anything."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatNet, FlatSource, flatten
from rillnet.model.graph import Edge, ZeroDelayCycleError, frame_order
from rillnet.model.lag import AUTO, Lag, taken
from rillnet.model.paths import delays_from
from rillnet.model.patterns import count_acyclic
from rillnet.model.structure import Structure
from rillnet.spec import RolloutSpec

POLICIES = ("sequential", "streaming")


class Rollout:
    """The delay of every edge of a net, nested nets dissolved.

    An edge is called `source->target`, with paths such as `res1/conv1->res1/relu1`; where two inputs of a
    block read the same source, `source->target#1` is the edge into its input 1, counted from 0, and the
    name without a number is both. A nested net's name stands for the edges that enter or leave it, and `*`
    and `?` may stand in a name. The delay that the net itself gives an edge (`from: h@-1`) is the least
    that a policy or a default gives it; a delay given for the edge here wins.

    Args:
        net: the net.
        delays: frames by edge, `{"conv1->*": 1}`; exact names win over patterns, later ones over earlier ones. With
            `auto` an edge has as many as what its block reads first takes longer from the inputs, the shortest way.
        default: `sequential`, `streaming`, `sampling`, or the delay of all other edges.
        align: lengthen the shorter of two joining paths until they are equally long.

    Attributes:
        flat: the net's leaf blocks.
        edges: the edges of the flat net with their delays.
        delays: frames by edge.
        lags: the delays that `auto` stood for.

    Raises:
        RequestError: an edge is unknown, a delay is no whole number from 0 on, or a cycle prevents alignment.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("chain", inputs={"x": (2,)})
        >>> net.add("a", rn.Linear(out_features=2)).add("b", rn.Linear(out_features=2))
        Net(chain: x -> 2 blocks, 12 parameters)
        >>> rollout = Rollout(net, {"a->b": 1})
        >>> rollout.inference_factor, rollout.tableau(3)["b"], rollout.path_delays("x", "b")
        (1, [0, 1, 2, 2], [1])

    Source:
        Fischer, Köhler, Pfeil, "The streaming rollout of deep networks", NeurIPS 2018, arXiv:1806.04965.
    """

    def __init__(
        self,
        net: Structure,
        delays: Mapping[str, int | str] | None = None,
        default: str | int = 0,
        *,
        align: bool = False,
    ) -> None:
        self.net = net
        self.flat: FlatNet = flatten(net)
        self.default = default
        policy = _policy(self.flat, default)
        frames = [max(edge.delay, policy(edge)) for edge in self.flat.edges]
        chosen = self._chosen(delays or {})
        for position, (_, delay) in chosen.items():
            frames[position] = delay if isinstance(delay, int) else frames[position]
        if align:
            frames = _aligned(self.flat, frames)
        self.lags: tuple[Lag, ...] = ()
        auto = {position: name for position, (name, delay) in sorted(chosen.items()) if delay == AUTO}
        if auto:
            frames, self.lags = taken(self.flat, self._keys, frames, auto)
        self.edges = tuple(
            edge if edge.delay == delay else Edge(edge.source, edge.target, delay, edge.output, edge.port)
            for edge, delay in zip(self.flat.edges, frames, strict=True)
        )

    @classmethod
    def sequential(cls, net: Structure) -> Rollout:
        """No delay but those of the net: the ordinary feed-forward net, one frame per example."""
        return cls(net, default="sequential")

    @classmethod
    def streaming(cls, net: Structure, align: bool = False) -> Rollout:
        """Delay 1 on every edge that enters a block with weights, so that all such blocks work at once.

        What has no weights (activations, pooling, merges, losses, metrics) works in the frame of what it
        reads. `Rollout(net, default=1)` is the streaming rollout of the paper, where every block takes a frame.

        Args:
            net: the net.
            align: make all paths that join equally long, D frames; the outputs are then those of the
                sequential net, D frames later. Needs a net without cycles.
        """
        return cls(net, default="streaming", align=align)

    @classmethod
    def sampling(cls, net: Structure) -> Rollout:
        """No delay but those of the net, said of an energy model: a frame is a Gibbs step, and a stream is a chain.

        Of two blocks of units that read each other, one reads what the other sent a frame ago (`from: hidden@-1`), and
        the other reads this frame: all are drawn in turn, each from the newest values of its neighbours.
        """
        return cls(net, default="sampling")

    @classmethod
    def from_spec(cls, net: Structure, spec: RolloutSpec, lags: Mapping[str, int | str] | None = None) -> Rollout:
        """The rollout of a record.

        Args:
            net: the net.
            spec: the record.
            lags: further delays, which those of the record win over.
        """
        return cls(net, {**(lags or {}), **spec.delays}, spec.default, align=spec.align)

    def __repr__(self) -> str:
        delayed = sum(1 for edge in self.edges if edge.delay)
        return f"Rollout({self.flat.net.name}: {delayed} of {len(self.edges)} edges with a delay)"

    # --- delays -------------------------------------------------------------------------------

    @cached_property
    def delays(self) -> dict[str, int]:
        """Frames by edge."""
        return dict(zip(self._keys, (edge.delay for edge in self.edges), strict=True))

    @cached_property
    def _keys(self) -> list[str]:
        names = [edge.name for edge in self.flat.edges]
        count = Counter(names)
        return [
            name if count[name] == 1 else f"{name}#{edge.port}"
            for name, edge in zip(names, self.flat.edges, strict=True)
        ]

    def _chosen(self, delays: Mapping[str, int | str]) -> dict[int, tuple[str, int | str]]:
        """The delays that are given edge by edge, with the name that gave them, by the edge's position."""
        faults = []
        named: dict[int, tuple[str, int | str]] = {}
        matched: dict[int, tuple[str, int | str]] = {}
        for name, delay in delays.items():
            address = f"rollout.delays.{name}"
            if delay != AUTO and (isinstance(delay, bool) or not isinstance(delay, int) or delay < 0):
                faults.append(Fault(address, "must be a whole number of frames, 0 or more, or auto", delay))
            positions = self._positions(name)
            if not positions:
                hint = suggest(name, self._keys) or "an edge is called source->target"
                faults.append(Fault(address, "unknown edge", hint=hint))
            (matched if "*" in name or "?" in name else named).update(dict.fromkeys(positions, (name, delay)))
        if faults:
            raise RequestError(faults)
        return {**matched, **named}

    def _positions(self, name: str) -> list[int]:
        """The edges that a name stands for."""
        if name in self._by_name:
            return self._by_name[name]
        source, arrow, target = name.partition("->")
        if not arrow:
            return []
        target, _, port = target.partition("#")
        return [
            position
            for position, edge in enumerate(self.flat.edges)
            if (not port or port == str(edge.port))
            and _is_called(edge.source, source, edge.target)
            and _is_called(edge.target, target, edge.source)
        ]

    def has_edge(self, name: str) -> bool:
        """Whether a name stands for any edge."""
        return bool(self._positions(name))

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for position, (edge, key) in enumerate(zip(self.flat.edges, self._keys, strict=True)):
            for name in {edge.name, key}:
                found.setdefault(name, []).append(position)
        return found

    def delay(self, edge: Edge | str) -> int:
        """The delay of an edge, `rollout.delay("conv1->relu1")`.

        Raises:
            RequestError: there is no such edge, or several of different delays have this name.
        """
        name = edge if isinstance(edge, str) else f"{edge.name}#{edge.port}"
        positions = self._positions(name)
        found = {self.edges[position].delay for position in positions}
        if len(found) == 1:
            return found.pop()
        if not positions:
            raise RequestError(Fault("rollout", f"unknown edge {name!r}", hint=suggest(name, self._keys)))
        several = ", ".join(f"{self._keys[position]}: {self.edges[position].delay}" for position in positions)
        raise RequestError(Fault("rollout", f"{name!r} is several edges of different delays: {several}"))

    def sources(self, block: str) -> tuple[FlatSource, ...]:
        """What a leaf block reads, with the delays of this rollout."""
        return self._sources[block]

    @cached_property
    def _sources(self) -> dict[str, tuple[FlatSource, ...]]:
        frames = iter(edge.delay for edge in self.edges)
        return {
            name: tuple(
                source if source.delay == delay else FlatSource(source.block, source.place, delay)
                for source, delay in zip(block.sources, frames, strict=False)
            )
            for name, block in self.flat.blocks.items()
        }

    # --- validity -----------------------------------------------------------------------------

    @cached_property
    def _order(self) -> tuple[list[str], list[str] | None]:
        now = {name: [s.block for s in sources if not s.delay] for name, sources in self._sources.items()}
        try:
            return frame_order(self.flat.blocks, now), None
        except ZeroDelayCycleError as error:
            return [], error.cycle

    @property
    def is_valid(self) -> bool:
        """Whether every cycle holds a delay of at least 1, so that frames can be computed."""
        return self.cycle is None

    @property
    def cycle(self) -> list[str] | None:
        """Blocks that wait for each other within one frame, in reading order, or None."""
        return self._order[1]

    def check(self) -> list[Fault]:
        """What is wrong with the rollout: a cycle without delay."""
        if self.cycle is None:
            return []
        first, second = self.cycle[0], self.cycle[1 % len(self.cycle)]
        rule = (
            f"the cycle {' -> '.join([*self.cycle, first])} has no delay; "
            f'give one of its edges a delay of at least 1, as in delays: {{"{first}->{second}": 1}}'
        )
        return [Fault("rollout.delays", rule)]

    def order(self) -> list[str]:
        """The leaf blocks such that each comes after all that it reads in the same frame.

        Raises:
            RequestError: the rollout is not valid.
        """
        faults = self.check()
        if faults:
            raise RequestError(faults)
        return list(self._order[0])

    # --- what follows from the delays ---------------------------------------------------------

    def tableau(self, frames: int) -> dict[str, list[int]]:
        """The inference tableau: the update step at which each block of each frame is ready.

            T(i, v) = 0                                          for inputs, and in frame 0
            T(i, v) = 1 + max over edges u -> v of T(i - R(u, v), u)

        Every block takes one step; what lies before frame 0 is ready at step 0, as a state is.

        Args:
            frames: the last frame.

        Returns:
            For each input and leaf block, its steps in the frames 0 to `frames`.
        """
        order = self.order()
        steps: dict[str, list[int]] = {name: [0] * (frames + 1) for name in [*self.flat.inputs, *self.flat.blocks]}
        for frame in range(1, frames + 1):
            for name in order:
                read = self._sources[name]
                before = (steps[s.block][frame - s.delay] for s in read if s.delay <= frame)
                steps[name][frame] = 1 + max(before, default=0)
        return steps

    @property
    def inference_factor(self) -> int:
        """Update steps per frame, when every frame begins with the state that the last one left; 1 when streaming."""
        return max((steps[1] for steps in self.tableau(1).values()), default=0)

    def first_response(self, block: str) -> int | None:
        """The first frame in which a block depends on what the inputs showed in frame 0, at least 1.

        Returns:
            None for a block that no input reaches.
        """
        found = self.flat.sent_by(block)[0]
        response = self._responses.get(found.block)
        return None if response is None else response + found.delay

    @cached_property
    def _responses(self) -> dict[str, int]:
        """First responses, nearest first: all blocks of one frame before those of the next."""
        onward = self._wires
        found = dict.fromkeys(self.flat.inputs, 0)
        waiting: dict[int, list[str]] = {0: list(found)}
        while waiting:
            frame = min(waiting)
            for node in waiting.pop(frame):
                if found[node] != frame:
                    continue
                for target, delay in onward.get(node, ()):
                    response = max(1, frame + delay)
                    if response < found.get(target, response + 1):
                        found[target] = response
                        waiting.setdefault(response, []).append(target)
        return found

    @cached_property
    def _wires(self) -> dict[str, list[tuple[str, int]]]:
        wires: dict[str, list[tuple[str, int]]] = {}
        for edge in self.edges:
            wires.setdefault(edge.source, []).append((edge.target, edge.delay))
        return wires

    def path_delays(self, a: str, b: str) -> list[int]:
        """How many frames what `a` sends takes to `b` over each simple path, smallest first; empty if there is none.

        Args:
            a: an input, a block, or a nested net (its first output).
            b: likewise.

        Raises:
            RequestError: so many cycles lie between that their paths cannot be listed.
        """
        start, end = self.flat.sent_by(a)[0], self.flat.sent_by(b)[0]
        found = delays_from([start.block], self._nodes, self._wires).get(end.block, set())
        return sorted(delay + end.delay - start.delay for delay in found)

    @property
    def _nodes(self) -> list[str]:
        return [*self.flat.inputs, *self.flat.blocks]

    @property
    def depth(self) -> int:
        """How many frames the longest simple path from an input takes; D of an aligned rollout."""
        found = delays_from(self.flat.inputs, self._nodes, self._wires)
        return max((max(delays) for delays in found.values()), default=0)


def count_valid_patterns(net: Structure) -> int:
    """The number of ways to give every edge a delay of 0 or 1 such that every cycle holds a 1.

    The delays that the net itself gives do not matter. Edges from inputs count; several edges from one
    block to the same other count once.

    Args:
        net: the net.

    Raises:
        RequestError: too many blocks are mutually connected.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("loop", inputs={"x": (2,)}).add("h", rn.Linear(out_features=2))
        >>> _ = net.add("y", rn.Linear(out_features=2)).add("s", rn.Sum(), source=["x", "y@-1"]).connect("s", "s", 1)
        >>> count_valid_patterns(net)
        16
    """
    flat = flatten(net)
    return count_acyclic([*flat.inputs, *flat.blocks], ((edge.source, edge.target) for edge in flat.edges))


def _policy(flat: FlatNet, default: Any) -> Callable[[Edge], int]:
    if default in ("sequential", "sampling"):
        return lambda edge: 0
    if default == "streaming":
        return lambda edge: int(flat.blocks[edge.target].has_weights)
    if isinstance(default, bool) or not isinstance(default, int) or default < 0:
        rule = "must be sequential, streaming, sampling or a whole number of frames, 0 or more"
        hint = suggest(default, [*POLICIES, "sampling"]) if isinstance(default, str) else ""
        raise RequestError(Fault("rollout.default", rule, default, hint=hint))
    return lambda edge: int(default)


def _is_called(path: str, pattern: str, other: str) -> bool:
    """Whether a name means this end of an edge: the block, or a net around it that is not around the other end."""
    while not other.startswith(f"{path}/"):
        if fnmatch.fnmatchcase(path, pattern):
            return True
        path, inside, _ = path.rpartition("/")
        if not inside:
            return False
    return False


def _aligned(flat: FlatNet, frames: list[int]) -> list[int]:
    """The delays, made longer where two paths join.

    With e(u, v) the frames beyond the net's own delay and depth(v) = max over edges of depth(u) + e(u, v),
    every edge is lengthened by depth(v) - depth(u) - e(u, v): all paths to v then take depth(v) more frames
    than in the net itself.
    """
    sources = {name: [source.block for source in block.sources] for name, block in flat.blocks.items()}
    try:
        order = frame_order(flat.blocks, sources)
    except ZeroDelayCycleError as error:
        rule = f"a net with a cycle cannot be aligned, as its paths have no greatest length: {error}"
        hint = "leave out align, or take an edge of the cycle away"
        raise RequestError(Fault("rollout.align", rule, hint=hint)) from None
    entering: dict[str, list[int]] = {name: [] for name in flat.blocks}
    for position, edge in enumerate(flat.edges):
        entering[edge.target].append(position)
    extra = [max(0, delay - edge.delay) for edge, delay in zip(flat.edges, frames, strict=True)]
    depth = dict.fromkeys(flat.inputs, 0)
    for name in order:
        depth[name] = max((depth[flat.edges[p].source] + extra[p] for p in entering[name]), default=0)
    return [
        delay + depth[edge.target] - depth[edge.source] - more
        for edge, delay, more in zip(flat.edges, frames, extra, strict=True)
    ]
