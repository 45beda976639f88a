"""What of a window of frames can be computed at once, and what must go on frame by frame.

A block that is in no cycle and treats every example alone gives the same numbers whether it reads one frame or
all frames of a window laid end to end in the batch. Only cycles, and blocks that draw or look across the
batch, need their frames one after the other. A cell that is a cycle of its own may have a kernel for whole
sequences.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from rillnet.model.flat import FlatNet, FlatSource, outputs_of, part
from rillnet.model.layers.cells import LSTMCell, SimpleRNN
from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from rillnet.model.layers.merge import Merge
from rillnet.model.layers.per_example import is_per_example
from rillnet.model.paths import components
from rillnet.model.shapes import Output, Signature
from rillnet.runtime.plan import ALWAYS, NEVER, Assembled, Plan, Turn
from rillnet.runtime.sequence_kernels import takes_beginnings

How = Literal["frames", "whole", "loss", "sequence"]
"""Frame by frame; all frames at once; a loss of each of them; a cell over all of them."""

_LOSSES: tuple[type[Loss], ...] = (CrossEntropy, MeanSquaredError, BinaryCrossEntropy)
_SEQUENCES: tuple[type[nn.Module], ...] = (SimpleRNN, LSTMCell, nn.RNNCell, nn.GRUCell)


LARGEST_MAP = 4096
"""Maps of more numbers for each example are computed frame by frame.

One frame of them keeps a processor busy; a window of them falls out of its caches and needs the memory of all
its frames at once.
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Turns that are carried out together.

    Args:
        how: of each of them, at the same position.
        turns: in the order in which they are carried out, in each frame or once.
    """

    how: tuple[How, ...]
    turns: tuple[Turn, ...]

    @property
    def is_framewise(self) -> bool:
        """Whether it is carried out frame by frame."""
        return self.how[0] == "frames"


@dataclass(frozen=True, slots=True)
class Past:
    """A tensor of earlier frames.

    Args:
        name: the part of the state's keys before `@`.
        register: where each frame leaves it; None for what is not computed and stands still.
        delay: how many frames back it is read.
    """

    name: str
    register: int | None
    delay: int


Pasts = Past | tuple["Pasts", ...]


def pasts_of(plan: Plan) -> dict[int, Pasts]:
    """What each register that is filled from the state holds: a tensor, or a tuple of such."""
    pushed = {key.rpartition("@")[0]: register for key, register in plan.pushes}

    def found(keys: Assembled) -> Pasts:
        if not isinstance(keys, str):
            return tuple(found(key) for key in keys)
        name, _, delay = keys.rpartition("@")
        return Past(name, pushed.get(name), int(delay))

    return {register: found(keys) for register, keys in plan.fetches}


def leaves(pasts: Pasts) -> list[Past]:
    """The single tensors."""
    return [pasts] if isinstance(pasts, Past) else [leaf for item in pasts for leaf in leaves(item)]


@dataclass
class _Graph:
    """Who reads whom in a plan, turns by their numbers."""

    plan: Plan
    pasts: Mapping[int, Pasts]
    writer: dict[int, int] = field(default_factory=dict)
    readers: dict[int, list[int]] = field(default_factory=dict)
    sources: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, turn in enumerate(self.plan.turns):
            self.writer |= dict.fromkeys((turn.result, *(register for register, _ in turn.parts)), number)
        for number, turn in enumerate(self.plan.turns):
            self.sources[number] = []
            for register in turn.reads:
                self.readers.setdefault(register, []).append(number)
                past = self.pasts.get(register)
                origins = [(register, 0)] if past is None else [(leaf.register, leaf.delay) for leaf in leaves(past)]
                self.sources[number] += [(self.writer[r], delay) for r, delay in origins if r in self.writer]

    def parts(self) -> list[list[int]]:
        """The strongly connected parts, each after all that it reads."""
        wires: dict[str, list[tuple[str, int]]] = {}
        for number, sources in self.sources.items():
            for source, delay in sources:
                wires.setdefault(str(source), []).append((str(number), delay))
        return [[int(name) for name in members] for members in components(map(str, self.sources), wires)]


def divide(plan: Plan, flat: FlatNet, *, has_kernels: bool, begins_within: bool) -> tuple[Stage, ...]:
    """The stages of a window.

    Args:
        plan: of one frame.
        flat: the net.
        has_kernels: whether cells may be handed to kernels for whole sequences.
        begins_within: whether streams begin anew after the first frame, which not every kernel can do.

    Returns:
        In order; all turns in one that goes frame by frame where that is all that can be done.
    """
    graph = _Graph(plan, pasts_of(plan))
    kinds = _Kinds(graph, flat, has_kernels, begins_within)
    parts = graph.parts()
    how = {number: kinds.of(members) for members in parts for number in members}
    if _works_in_place(graph, how):
        framewise: list[How] = ["frames" for _ in plan.turns]
        return (Stage(tuple(framewise), plan.turns),) if plan.turns else ()
    return tuple(_stages(graph, parts, how))


def _stages(graph: _Graph, parts: Sequence[Sequence[int]], how: Mapping[int, How]) -> Iterable[Stage]:
    """Turns by turns whole and frame by frame, each as early as what it reads allows."""
    waiting = [tuple(members) for members in parts]
    done: set[int] = set()
    framewise = False
    while waiting:
        taken: list[int] = []
        staying = []
        for members in waiting:
            fits = (how[members[0]] == "frames") == framewise
            inside = set(members)
            if fits and all(source in done or source in inside for n in members for source, _ in graph.sources[n]):
                taken += members
                done |= inside
            else:
                staying.append(members)
        waiting = staying
        if taken:
            ordered = sorted(taken) if framewise else taken
            yield Stage(tuple(how[n] for n in ordered), tuple(graph.plan.turns[n] for n in ordered))
        framewise = not framewise


def _works_in_place(graph: _Graph, how: Mapping[int, How]) -> bool:
    """Whether a block changes what it reads where others could see that, so that nothing may change places."""
    held = graph.plan.kept() | set(graph.pasts) | {register for _, register in graph.plan.given}
    for number, turn in enumerate(graph.plan.turns):
        if not any(getattr(module, "inplace", False) for module in turn.module.modules()):
            continue
        if how[number] == "frames" or any(r in held or graph.readers[r] != [number] for r in turn.reads):
            return True
    return False


class _Kinds:
    """How each turn can be carried out."""

    def __init__(self, graph: _Graph, flat: FlatNet, has_kernels: bool, begins_within: bool) -> None:
        self.graph, self.flat, self.has_kernels, self.begins_within = graph, flat, has_kernels, begins_within
        self.signatures = self._signatures()

    def of(self, members: Sequence[int]) -> How:
        """How the turns of a strongly connected part are carried out."""
        turn = self.graph.plan.turns[members[0]]
        if len(members) > 1 or any(source == members[0] for source, _ in self.graph.sources[members[0]]):
            return "sequence" if len(members) == 1 and self._is_sequence(turn) else "frames"
        if turn.draws == ALWAYS or (turn.draws != NEVER and turn.module.training):
            return "frames"
        read = [self.signatures.get(register) for register in turn.reads]
        if not read or not all(_is_stackable(output) for output in read):
            return "frames"
        if type(turn.module) in _LOSSES and not turn.ties and not turn.module._forward_hooks:
            same = type(turn.module) is CrossEntropy or _shape(read[0]) == _shape(read[1])
            return "loss" if same else "frames"
        if isinstance(turn.module, Merge) and len({len(_shape(output)) for output in read}) > 1:
            return "frames" if not hasattr(turn.module, "shape") else self._whole(turn)
        return self._whole(turn)

    def _whole(self, turn: Turn) -> How:
        sent = self.signatures.get(turn.result)
        sends_batches = sent is not None and all(_is_stackable(one) for _, one in outputs_of(sent))
        if sent is None or not sends_batches or any(_is_large_map(one) for _, one in outputs_of(sent)):
            return "frames"
        return "whole" if is_per_example(turn.module) else "frames"

    def _is_sequence(self, turn: Turn) -> bool:
        """Whether a cell reads one thing besides its own last state, and nobody asks for more than what it sends."""
        kind = type(turn.module)
        if kind not in _SEQUENCES or turn.ties or turn.module._forward_hooks or turn.module._forward_pre_hooks:
            return False
        if not self.has_kernels or (self.begins_within and not takes_beginnings(turn.module)):
            return False
        places: list[tuple[int, ...]] = [(0,), (1,)] if kind is LSTMCell else [()]
        own = [turn.result if place == () else self._part(turn, place) for place in places]
        pasts = [self.graph.pasts.get(register) for register in turn.reads[1:]]
        reads_own = [isinstance(p, Past) and p.delay == 1 and p.register == o for p, o in zip(pasts, own, strict=False)]
        if len(pasts) != len(own) or not all(reads_own) or not _is_stackable(self.signatures.get(turn.reads[0])):
            return False
        if kind is not LSTMCell:
            return True
        # the kernel tells the cell state of the last frame only
        hidden = {turn.result, own[1]}
        asked = [leaf.delay for past in self.graph.pasts.values() for leaf in leaves(past) if leaf.register == own[1]]
        is_output = any(r in hidden for _, assembled in self.graph.plan.outputs for r in _registers(assembled))
        is_read = any(self.graph.readers.get(r) for r in hidden if r is not None)
        return asked == [1] and not is_output and not is_read

    def _part(self, turn: Turn, place: tuple[int, ...]) -> int | None:
        return next((register for register, own in turn.parts if own == place), None)

    def _signatures(self) -> dict[int, Output]:
        plan, flat = self.graph.plan, self.flat
        found: dict[int, Output] = {}
        for _, register in plan.given:
            found[register] = self._output(plan.origins.get(register) or plan.substitutes[register])
        for register, whole, place in plan.parts:
            found[register] = part(found[whole], place)
        for turn in plan.turns:
            if turn.path not in flat.blocks:
                continue
            # what takes the place of something that is read is of its kind, not of the reader's
            output = self._output(plan.substitutes.get(turn.result, FlatSource(turn.path)))
            found[turn.result] = output
            found |= {register: part(output, place) for register, place in turn.parts}
        for register, past in self.graph.pasts.items():
            if isinstance(past, Past) and past.register in found:
                found[register] = found[past.register]
        return found

    def _output(self, source: FlatSource) -> Output:
        flat = self.flat
        whole = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output
        found: Output = part(whole, source.place)
        return found


def _is_stackable(output: Output | None) -> bool:
    """Whether frames of it can lie end to end in the batch."""
    return isinstance(output, Signature) and output.batched and output.batch_dim == 0


def _is_large_map(signature: Signature) -> bool:
    return len(signature.shape) > 1 and math.prod(signature.shape) > LARGEST_MAP


def _shape(output: Output | None) -> tuple[int, ...]:
    return output.shape if isinstance(output, Signature) else ()


def _registers(assembled: Assembled) -> Collection[int]:
    return [r for item in assembled for r in _registers(item)] if isinstance(assembled, tuple) else [assembled]
