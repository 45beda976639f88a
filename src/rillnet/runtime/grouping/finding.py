"""Which blocks of a frame are isomorphic and can be computed at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rillnet.model.flat import FlatNet, FlatSource, part
from rillnet.model.layers.metrics import Metric
from rillnet.model.shapes import Output, Signature
from rillnet.model.structure import Structure
from rillnet.runtime.grouping.isomorphism import Kinds, NotGroupedError
from rillnet.runtime.plan import ALWAYS, IN_TRAINING, Copy, Plan, Turn, works_in_place

FEWEST = {"auto": 8, "on": 2}
"""How many isomorphic blocks make a group; fewer gain nothing, as a group costs as much as about five blocks."""


@dataclass
class Found:
    """Isomorphic blocks, no two of them on one path without delay.

    Args:
        turns: of the blocks.
        sources: what each reads, for one example.
        output: what each sends, for one example.
    """

    turns: list[Turn]
    sources: tuple[Signature, ...]
    output: Signature


@dataclass
class Search:
    """Groups, and why blocks of the same type as others are in none.

    Args:
        groups: in the order of their first blocks.
        reasons: by block.
        chain: positions of turns that must keep their order.
    """

    groups: list[Found] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    chain: list[int] = field(default_factory=list)


def find_groups(plan: Plan, flat: FlatNet, net: Structure, mode: str, apart: Collection[str]) -> Search:
    """Isomorphic blocks of a frame.

    Args:
        plan: the frame.
        flat: the blocks.
        net: the net, whose blocks may share parameters.
        mode: auto, or on for groups as small as two blocks.
        apart: blocks that are wanted ungrouped.
    """
    search = Search()
    touchy = _touchy(plan)
    shared = _shared(net)
    signatures = _Signatures(flat, plan)
    depths: dict[int, int] = {}
    after = 0
    kinds = Kinds()
    found: dict[Hashable, list[Turn]] = {}
    types = Counter(type(turn.module) for turn in plan.turns)
    for position, turn in enumerate(plan.turns):
        depth = 1 + max((depths.get(register, 0) for register in turn.reads), default=0)
        if is_ordered(turn, touchy):
            depth = after = max(depth, after + 1)
            search.chain.append(position)
        depths |= dict.fromkeys((turn.result, *(register for register, _ in turn.parts)), depth)
        if types[type(turn.module)] < FEWEST[mode] or isinstance(turn.module, Metric | Copy):
            continue
        try:
            key = (depth, *_key(turn, kinds, signatures, touchy, shared, apart))
        except NotGroupedError as error:
            search.reasons[turn.path] = str(error)
        else:
            found.setdefault(key, []).append(turn)
    for members in found.values():
        if len(members) >= FEWEST[mode]:
            sources = tuple(signatures.of(register) for register in members[0].reads)
            search.groups.append(Found(members, sources, signatures.of(members[0].result)))
    return search


def is_ordered(turn: Turn, touchy: Collection[int]) -> bool:
    """Whether a turn must not change places with others of the kind: it draws, or something reads in place."""
    draws = turn.draws == ALWAYS or (turn.draws == IN_TRAINING and turn.module.training)
    return draws or any(register in touchy for register in turn.reads)


def _key(
    turn: Turn,
    kinds: Kinds,
    signatures: _Signatures,
    touchy: Collection[int],
    shared: Collection[int],
    apart: Collection[str],
) -> tuple[int, tuple[Signature, ...], Signature]:
    if turn.path in apart:
        raise NotGroupedError("it is watched or changed on its own")
    if turn.draws == ALWAYS or (turn.draws == IN_TRAINING and turn.module.training):
        raise NotGroupedError("it draws random numbers of its own")
    if turn.ties or turn.parts or not turn.reads:
        raise NotGroupedError("it shares parameters" if turn.ties else "it does not send and read single tensors")
    if turn.result in touchy or any(register in touchy for register in turn.reads):
        raise NotGroupedError("what it reads or sends is changed in place")
    if shared and (id(turn.module) in shared or any(id(p) in shared for p in turn.module.parameters())):
        raise NotGroupedError("it shares parameters")
    read = tuple([signatures.of(register) for register in turn.reads])
    return kinds.of(turn.module), read, signatures.of(turn.result)


class _Signatures:
    """What stands in each register, for one example."""

    def __init__(self, flat: FlatNet, plan: Plan) -> None:
        self.flat, self.origins = flat, plan.origins
        self._known: dict[FlatSource, Signature] = {}

    def of(self, register: int) -> Signature:
        """Of a register.

        Raises:
            NotGroupedError: it holds no single tensor of a batch.
        """
        source = self.origins[register]
        found = self._known.get(source)
        if found is None:
            flat = self.flat
            whole: Output = (
                flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output
            )
            signature = part(whole, source.place)
            if not isinstance(signature, Signature) or not signature.batched or signature.batch_dim:
                raise NotGroupedError("it does not send and read single tensors of a batch")
            found = self._known[source] = signature
        return found


def _touchy(plan: Plan) -> set[int]:
    """Registers that a block changes in place."""
    return {register for turn in plan.turns if works_in_place(turn.module) for register in turn.reads}


def _shared(net: Structure) -> set[int]:
    """The numbers of modules and parameters that stand in more than one place."""
    modules: Counter[int] = Counter()
    parameters: Counter[int] = Counter()
    stack: list[Any] = [net]
    seen: set[int] = set()
    while stack:
        module = stack.pop()
        if id(module) in seen or module is None:
            continue
        seen.add(id(module))
        held: Mapping[str, Mapping[str, object]] = vars(module)
        modules.update(map(id, held["_modules"].values()))
        parameters.update(id(p) for p in held["_parameters"].values() if p is not None)
        stack.extend(held["_modules"].values())
    return {number for number, count in (modules + parameters).items() if count > 1}
