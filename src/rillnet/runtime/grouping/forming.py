"""Groups made of isomorphic blocks: their parameters stacked, an operation chosen, synapses joined with their pools."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch

from rillnet.model.rollout import Rollout
from rillnet.runtime.grouping.changing import can_join
from rillnet.runtime.grouping.finding import Found, find_groups
from rillnet.runtime.grouping.frame import Draft, Frame, make_frame
from rillnet.runtime.grouping.isomorphism import hooks_of, leaf_tensors
from rillnet.runtime.grouping.operations import Mapped, Operation, fused, operation_for
from rillnet.runtime.grouping.stacks import Bundle, Bundles, bundles_of
from rillnet.runtime.plan import Plan, Slot

MODES = ("auto", "on", "off")
"""Whether isomorphic blocks are computed at once: where it pays, wherever it can be done, never."""

MOST_WORK = 2**17
"""Multiplications of a block for one example above which its own kernel costs more than calling it."""

MOST_WORK_OF_MAPS = 2**25
"""Likewise of a block that sends maps: one convolution in groups is faster than many far longer."""

_TRIAL_STREAMS = 2
_TRAINING = operator.attrgetter("training")


@dataclass
class Groups:
    """What of a frame is computed in groups.

    Args:
        frame: with its groups; None if there are none.
        drafts: the groups.
        reasons: why blocks of the same type as others are in none, by block.
    """

    frame: Frame | None
    drafts: Sequence[Draft]
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._shares = [share for draft in self.drafts for share in draft.shares]
        self._bundles: list[Bundle] = list({id(share.bundle): share.bundle for share in self._shares}.values())
        self._modules = [turn.module for draft in self.drafts for turn in (*draft.turns, *draft.through)]
        self._modes = [module.training for module in self._modules]
        self._hooks = [hooks for module in self._modules for hooks in hooks_of(module)]
        self.size = len(self._modules) + sum(len(s.tensors) for b in self._bundles for s in b.stacks)

    def is_retired(self) -> bool:
        """Whether another program has stacked the parameters anew."""
        return any(bundle.is_retired for bundle in self._bundles)

    def is_whole(self) -> bool:
        """Whether every block is as it was grouped; parameters that were given other memory are brought back."""
        return (
            not self.is_retired()
            and list(map(_TRAINING, self._modules)) == self._modes
            and not any(self._hooks)
            and all(bundle.is_whole() for bundle in self._bundles)
        )


def form_groups(plan: Plan, rollout: Rollout, slots: Sequence[Slot], mode: str, apart: Collection[str] = ()) -> Groups:
    """The groups of a frame; there may be none.

    Args:
        plan: the frame without groups.
        rollout: the delays.
        slots: what later frames read.
        mode: auto, or on.
        apart: blocks that are wanted ungrouped.
    """
    net = rollout.flat.net
    search = find_groups(plan, rollout.flat, net, mode, apart)
    bundles = bundles_of(net)
    drafts: list[Draft] = []
    for found in search.groups:
        reason = "its own kernel costs more than calling it" if mode == "auto" and not pays(found) else ""
        draft = None if reason else _draft(found, bundles)
        if isinstance(draft, Draft):
            drafts.append(draft)
        else:
            search.reasons |= dict.fromkeys((turn.path for turn in found.turns), reason or str(draft))
    if not drafts:
        return Groups(None, (), search.reasons)
    drafts = _joined(drafts, plan, slots, bundles)
    device = next((s.storage_GK.device for d in drafts for share in d.shares for s in share.bundle.stacks), net.device)
    return Groups(make_frame(plan, drafts, slots, search.chain, device), drafts, search.reasons)


def pays(found: Found) -> bool:
    """Whether computing blocks at once is faster than one by one, told by what each multiplies for one example.

    Large convolutions of one kind are worth it even so: torch computes them in groups faster than one by one.
    """
    weights = sum(tensor.numel() for *_, tensor in leaf_tensors(found.turns[0].module))
    shape = found.output.shape
    places = math.prod(shape[1:]) if len(shape) == 3 else 1
    is_map = len(shape) == 3 and len(found.sources) == 1
    return weights * places <= (MOST_WORK_OF_MAPS if is_map else MOST_WORK)


def _draft(found: Found, bundles: Bundles) -> Draft | str:
    """A group, or why its blocks cannot be one."""
    turns = found.turns
    template = turns[0].module
    share = None
    if leaf_tensors(template):
        bundle = bundles.bundle([turn.module for turn in turns])
        turns = [turns[position] for position in bundle.natural([turn.module for turn in turns])]
        share = bundle.share([turn.module for turn in turns])
    operation = operation_for(template, share, found.sources, found.output)
    if isinstance(operation, Mapped):
        refusal = _refusal(operation, found)
        if refusal:
            return refusal
    return Draft(turns, [] if share is None else [share], operation)


def _refusal(operation: Operation, found: Found) -> str:
    """Why torch cannot map a block over its parameters, told by trying; empty if it can."""
    tensors = leaf_tensors(found.turns[0].module)
    device = tensors[0][3].device if tensors else torch.device("cpu")
    dtype = next((t.dtype for *_, t in tensors if t.is_floating_point()), torch.get_default_dtype())
    read = []
    for source in found.sources:
        kind = dtype if source.dtype.is_floating_point else source.dtype
        shape = (len(found.turns), *source.of_batch(_TRIAL_STREAMS))
        read.append(torch.zeros(shape, dtype=kind, device=device))
    try:
        with torch.no_grad():
            sent = operation(read, None)
    except Exception as error:  # whatever a block raises that cannot be mapped: it is then called as it is
        return f"torch cannot map it: {' '.join(str(error).split()[:20])}"
    expected = (len(found.turns), *found.output.of_batch(_TRIAL_STREAMS))
    return "" if tuple(sent.shape) == expected else f"mapped it sends {list(sent.shape)}, not {list(expected)}"


def _joined(drafts: list[Draft], plan: Plan, slots: Sequence[Slot], bundles: Bundles) -> list[Draft]:
    """The groups, with synapses that only one pool each reads computed together with their pools."""
    readers: Counter[int] = Counter(register for turn in plan.turns for register in turn.reads)
    readers.update(dict.fromkeys(plan.kept(), 2))
    owner = {turn.result: (draft, turn) for draft in drafts for turn in draft.turns}
    gone: set[int] = set()
    found: list[Draft] = []
    for pools in drafts:
        read = [turn.reads[0] if len(turn.reads) == 1 else -1 for turn in pools.turns]
        synapses = owner[read[0]][0] if read[0] in owner else None
        single = synapses is not None and all(r in owner and owner[r][0] is synapses and readers[r] == 1 for r in read)
        if synapses is None or not single or len(synapses.turns) != len(pools.turns) or len(set(read)) != len(read):
            found.append(pools)
            continue
        pool_of = {turn.reads[0]: turn for turn in pools.turns}
        turns = [pool_of[turn.result] for turn in synapses.turns]
        shares = [share.bundle.share([turn.module for turn in turns]) for share in pools.shares]
        operation = fused(synapses.operation, pools.operation, shares[0] if shares else None)
        if operation is None or not can_join(synapses.turns, turns):
            found.append(pools)
            continue
        gone.add(id(synapses))
        found.append(Draft(turns, [*synapses.shares, *shares], operation, list(synapses.turns)))
    return [draft for draft in found if id(draft) not in gone]
