"""What is to be done in one frame, told beforehand: which blocks compute, in which order, from where to where.

Values stand in a list of numbered registers: one for each input, for what a block returned and each part
of it that is read, and for what is read of earlier frames. Nothing about the graph is looked up during a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from rillnet.model.flat import FlatBlock, FlatNet, FlatSource, Place, outputs_of, part
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Output, Signature
from rillnet.runtime.interventions.intervening import Silence

NEVER, IN_TRAINING, ALWAYS = 0, 1, 2
"""When a block draws random numbers."""

Seeds = Callable[[str], int]
"""The seed of what a block draws in a frame, by its path."""

Assembled = Any
"""A register, or a tuple of such."""


@dataclass(frozen=True, slots=True)
class TurnChange:
    """What interventions do to a turn.

    Args:
        silent: which of the things it reads are zeros, each with the register in which these stand.
        after: what follows it; None if what it sends is left alone.
        raw: the register of what it returns before that.
        drawn: registers of what that is given besides.
    """

    silent: tuple[tuple[int, int], ...]
    after: nn.Module | None
    raw: int
    drawn: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One block's turn in a frame.

    Args:
        path: the block.
        module: what computes it.
        reads: registers of its arguments.
        result: the register of what it returns.
        parts: registers of parts of that, with their places in it.
        frees: registers that nothing reads later.
        ties: transposed parameters: own name, the other's path, the other's name.
        draws: when it draws random numbers.
        change: what interventions do to it; None for nothing.
    """

    path: str
    module: nn.Module
    reads: tuple[int, ...]
    result: int
    parts: tuple[tuple[int, Place], ...]
    frees: tuple[int, ...]
    ties: tuple[tuple[str, str, str], ...]
    draws: int
    change: TurnChange | None = None

    def unfolded(self) -> list[Turn]:
        """The turn, with those of the interventions before and after it."""
        change = self.change
        if change is None:
            return [self]
        reads, found = list(self.reads), []
        for position, register in change.silent:
            found.append(Turn(self.path, Silence(), (reads[position],), register, (), (), (), NEVER))
            reads[position] = register
        frees = (*self.frees, *(register for _, register in change.silent))
        own = replace(self, reads=tuple(reads), frees=frees, change=None)
        if change.after is None:
            return [*found, own]
        found.append(replace(own, result=change.raw, parts=(), frees=()))
        read, frees = (change.raw, *change.drawn), (*frees, change.raw, *change.drawn)
        return [*found, Turn(self.path, change.after, read, self.result, self.parts, frees, (), NEVER)]


@dataclass(frozen=True, slots=True)
class Slot:
    """The past of one tensor that later frames read.

    Args:
        name: the block, with the place of the tensor in what it sends: `lstm[1][0]`.
        source: the block or input, and the place.
        signature: what it is for one example.
        length: how many frames back it is read.
    """

    name: str
    source: FlatSource
    signature: Signature
    length: int

    def key(self, delay: int) -> str:
        """The name in the state of what was sent that many frames ago."""
        return f"{self.name}@{delay}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One frame, for one phase and one set of inputs.

    Args:
        size: number of registers.
        given: register of each value that is given.
        parts: registers of parts of what is given: the register of the whole, and the place in it.
        fetches: registers of what is read from the state, with the keys there.
        turns: the blocks in order.
        outputs: what is sent, by name.
        pushes: keys of the new state, with the registers they are taken from.
        moves: keys of the new state, with keys of the old one.
        origins: for each register of a source, what stands in it.
        substitutes: registers that interventions use, with the source whose kind of value stands in each.
    """

    size: int
    given: tuple[tuple[str, int], ...]
    parts: tuple[tuple[int, int, Place], ...]
    fetches: tuple[tuple[int, Assembled], ...]
    turns: tuple[Turn, ...]
    outputs: tuple[tuple[str, Assembled], ...]
    pushes: tuple[tuple[str, int], ...]
    moves: tuple[tuple[str, str], ...]
    origins: Mapping[int, FlatSource] = field(default_factory=dict, repr=False)
    substitutes: Mapping[int, FlatSource] = field(default_factory=dict, repr=False)

    def kept(self) -> set[int]:
        """Registers that are read after the frame."""
        return {r for _, r in self.pushes} | {r for _, assembled in self.outputs for r in flatten(assembled)}

    def unfolded(self) -> Plan:
        """The same frame, with interventions as turns of their own."""
        if all(turn.change is None for turn in self.turns):
            return self
        return replace(self, turns=tuple(one for turn in self.turns for one in turn.unfolded()))


class Copy(nn.Module):
    """Copies what a block that works in place reads, where that is a part of the state."""

    def forward(self, tensor: Tensor) -> Tensor:
        return tensor.clone()


def needed_by(
    names: Iterable[str], rollout: Rollout, available: Collection[str], given: Collection[str] = ()
) -> set[str]:
    """The blocks and inputs that these need, at once or in earlier frames, themselves included.

    Args:
        names: what is wanted.
        rollout: the delays.
        available: what can be computed or is given.
        given: what need not be computed.
    """
    found: set[str] = set()
    stack = [name for name in names if name in available]
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            if name in rollout.flat.blocks and name not in given:
                stack.extend(s.block for s in rollout.sources(name) if s.block in available)
    return found


def available_in(flat: FlatNet, phase: str, given: Collection[str]) -> set[str]:
    """What can be computed in a phase from what is given, with what is given.

    A block is left out when its phase is excluded, or when something it reads, in this frame or an
    earlier one, is left out or not given. A merge is content with one of its sources. A nested net needs
    all it reads.
    """
    found = {name for name, block in flat.blocks.items() if phase not in block.exclude} | set(given)
    shrinks = True
    while shrinks:
        lacking = {
            path
            for path, nested in flat.nested.items()
            if not nested.is_complete or any(source.block not in found for source in nested.sources)
        }
        left_out = {
            name
            for name, block in flat.blocks.items()
            if name in found and name not in given and not _has_sources(block, found, lacking)
        }
        found -= left_out
        shrinks = bool(left_out)
    return found


def _has_sources(block: FlatBlock, found: set[str], lacking: set[str]) -> bool:
    if lacking and not lacking.isdisjoint(block.within):
        return False
    if block.is_merge:
        return any(source.block in found for source in block.sources)
    return block.is_complete and all(source.block in found for source in block.sources)


def slots_of(rollout: Rollout, names: Collection[str], read: Iterable[FlatSource]) -> list[Slot]:
    """What must be kept for later frames.

    Args:
        rollout: the delays.
        names: the blocks that are computed.
        read: what is sent on besides, which may have delays of its own.
    """
    lengths: dict[FlatSource, int] = {}
    signatures: dict[FlatSource, Signature] = {}
    sources = [s for name in rollout.flat.blocks if name in names for s in rollout.sources(name)]
    for source in [*sources, *read]:
        if not source.delay:
            continue
        for place, signature in outputs_of(part(_output(rollout.flat, source.block), source.place)):
            tensor = FlatSource(source.block, source.place + place)
            lengths[tensor] = max(lengths.get(tensor, 0), source.delay)
            signatures[tensor] = signature
    return [Slot(tensor.name, tensor, signatures[tensor], length) for tensor, length in lengths.items()]


def _output(flat: FlatNet, name: str) -> Output:
    return flat.inputs[name] if name in flat.inputs else flat.blocks[name].output


def draws_of(module: nn.Module) -> int:
    """When a block draws random numbers; a foreign one always may, unless it says `stochastic = False`."""
    told = _told(module, "stochastic")
    if told is not None:
        return ALWAYS if told else NEVER
    own = type(module).__module__.startswith(("torch.", "rillnet."))
    if not own:
        return ALWAYS
    return IN_TRAINING if any(map(_drops, _within(module))) else NEVER


def _within(module: nn.Module) -> Iterable[nn.Module]:
    """A module and all in it; torch's own way also makes up their names, which takes longer than the rest."""
    yield module
    for inner in module._modules.values():
        if inner is not None:
            yield from _within(inner)


def works_in_place(module: nn.Module) -> bool:
    """Whether a block changes what it reads."""
    return any(_told(inner, "inplace") for inner in _within(module))


def _told(module: nn.Module, name: str) -> Any:
    """An attribute that a module may have; a module itself searches long for one that it has not."""
    if name in module.__dict__:
        return module.__dict__[name]
    return getattr(module, name, None) if hasattr(type(module), name) else None


def _drops(module: nn.Module) -> bool:
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        return module.dropout > 0
    return isinstance(module, _DropoutNd | nn.RReLU) or bool(_told(module, "stochastic"))


@dataclass(slots=True)
class _Registers:
    """The registers handed out so far."""

    flat: FlatNet
    size: int = 0
    by_source: dict[FlatSource, int] = field(default_factory=dict)
    parts: dict[str, list[tuple[int, Place]]] = field(default_factory=dict)
    fetches: dict[int, Assembled] = field(default_factory=dict)

    def of(self, source: FlatSource) -> int:
        """The register of what is read, handed out when it is first asked for."""
        if source not in self.by_source:
            self.by_source[source] = self.size
            self.size += 1
            if source.delay:
                self.fetches[self.by_source[source]] = _keys_of(self.flat, source)
            elif source.place:
                self.parts.setdefault(source.block, []).append((self.by_source[source], source.place))
        return self.by_source[source]

    def spare(self) -> int:
        """A register that stands for no source."""
        self.size += 1
        return self.size - 1


def _keys_of(flat: FlatNet, source: FlatSource) -> Assembled:
    """The state's key of a delayed tensor, or a tuple of keys where a block sends a tuple."""

    def assemble(output: Output, place: Place) -> Assembled:
        if isinstance(output, tuple):
            return tuple(assemble(item, (*place, index)) for index, item in enumerate(output))
        return f"{FlatSource(source.block, place).name}@{source.delay}"

    return assemble(part(_output(flat, source.block), source.place), source.place)


def make_plan(
    rollout: Rollout,
    wanted: Mapping[str, Sequence[FlatSource]] | None,
    slots: Sequence[Slot],
    phase: str,
    given: Sequence[str],
) -> Plan:
    """Plans one frame.

    Args:
        rollout: a valid rollout.
        wanted: what stands behind the name of each output; None computes all blocks.
        slots: what later frames read.
        phase: train, val or test.
        given: names of the inputs (and of blocks) whose values are given.
    """
    flat = rollout.flat
    there = available_in(flat, phase, given)
    names = there if wanted is None else needed_by((s.block for w in wanted.values() for s in w), rollout, there, given)
    computed = [name for name in rollout.order() if name in names and name not in given]
    registers = _Registers(flat)
    inputs = tuple((name, registers.of(FlatSource(name))) for name in given)
    reads = {name: tuple(registers.of(s) for s in rollout.sources(name) if s.block in there) for name in computed}
    results = {name: registers.of(FlatSource(name)) for name in computed}
    outputs = _outputs_of(wanted if wanted is not None else top_level(flat, given), there, registers)
    pushes, moves = _successors(slots, names, registers)
    copied = _copies(flat, computed, reads, {*registers.fetches, *(register for _, register in pushes)}, registers)
    given_parts = tuple((r, whole, place) for name, whole in inputs for r, place in registers.parts.get(name, ()))
    fetches = tuple(registers.fetches.items())
    origins = {register: source for source, register in registers.by_source.items()}
    draft = Plan(registers.size, inputs, given_parts, fetches, (), outputs, pushes, moves, origins)
    frees = _last_reads(computed, reads, results, registers, draft.kept())
    turns = []
    for name in computed:
        block, module = flat.blocks[name], flat.module(name)
        turns += [Turn(name, Copy(), (r,), copy, (), (), (), NEVER) for r, copy in copied.get(name, {}).items()]
        arguments = tuple(copied.get(name, {}).get(register, register) for register in reads[name])
        parts, freed = tuple(registers.parts.get(name, ())), (*frees[name], *copied.get(name, {}).values())
        turns.append(Turn(name, module, arguments, results[name], parts, freed, block.ties, draws_of(module)))
    return replace(draft, turns=tuple(turns))


def _copies(
    flat: FlatNet,
    computed: Sequence[str],
    reads: Mapping[str, tuple[int, ...]],
    kept: Collection[int],
    registers: _Registers,
) -> dict[str, dict[int, int]]:
    """For blocks that change what they read: copies of what belongs to a state, by the register."""
    found: dict[str, dict[int, int]] = {}
    for name in computed:
        if works_in_place(flat.module(name)):
            found[name] = {r: registers.spare() for r in dict.fromkeys(reads[name]) if r in kept}
    return found


def top_level(flat: FlatNet, given: Iterable[str]) -> dict[str, Sequence[FlatSource]]:
    """What a net sends by default: what is given, and each of its own blocks, nested nets by their outputs."""
    names = [*given, *(name for name in flat.net.blocks if name not in given)]
    return {name: flat.sent_by(name) for name in names}


def _outputs_of(
    wanted: Mapping[str, Sequence[FlatSource]], there: Collection[str], registers: _Registers
) -> tuple[tuple[str, Assembled], ...]:
    found: list[tuple[str, Assembled]] = []
    for name, sources in wanted.items():
        if all(source.block in there for source in sources):
            assembled = tuple(registers.of(source) for source in sources)
            found.append((name, assembled if len(assembled) > 1 else assembled[0]))
    return tuple(found)


def _successors(
    slots: Sequence[Slot], names: Collection[str], registers: _Registers
) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, str], ...]]:
    """Where the new state comes from; the past of what is not computed stands still."""
    pushes, moves = [], []
    for slot in slots:
        if slot.source.block in names:
            pushes.append((slot.key(1), registers.of(slot.source)))
            moves += [(slot.key(delay + 1), slot.key(delay)) for delay in range(1, slot.length)]
        else:
            moves += [(slot.key(delay), slot.key(delay)) for delay in range(1, slot.length + 1)]
    return tuple(pushes), tuple(moves)


def flatten(assembled: Assembled) -> Iterable[int]:
    """The registers of an output."""
    return [r for item in assembled for r in flatten(item)] if isinstance(assembled, tuple) else [assembled]


def _last_reads(
    computed: Sequence[str],
    reads: Mapping[str, tuple[int, ...]],
    results: Mapping[str, int],
    registers: _Registers,
    kept: Collection[int],
) -> dict[str, tuple[int, ...]]:
    """For each block, the registers that nothing reads after it, among them those that nothing reads at all."""
    last: dict[int, str] = {}
    for name in computed:
        written = [results[name], *(register for register, _ in registers.parts.get(name, ()))]
        last |= dict.fromkeys([*reads[name], *written], name)
    frees: dict[str, list[int]] = {name: [] for name in computed}
    for register, name in last.items():
        if register not in kept:
            frees[name].append(register)
    return {name: tuple(found) for name, found in frees.items()}
