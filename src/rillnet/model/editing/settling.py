"""Settling: the blocks of a draft are fitted to what they read now; those of other sizes are made anew.

A block is made anew from its record only where it cannot work on what it reads any more; its parameters are then drawn
by its address, as they would have been from the start, and the numbers that stay are put in their places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError
from rillnet.model.block import check_phases, provisional_output
from rillnet.model.building import build_block, infer_output
from rillnet.model.editing.draft import spec_of
from rillnet.model.editing.growth import Growth, Resize, resize_of, side_by_side
from rillnet.model.graph import ZeroDelayCycleError
from rillnet.model.layers.merge import Concat
from rillnet.model.net import Net
from rillnet.model.parameters import parameters_in
from rillnet.model.registry import INFERRED, find_block_type
from rillnet.model.shapes import Output, Signature, pick
from rillnet.spec import BlockSpec, SourceSpec

_ROUNDS = 8
"""So often a block in a cycle may get another shape before it counts as one that never settles."""

_TURNED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
"""Layers whose weights have what they read as the first dimension."""

Grown = Growth | tuple[Any, ...] | None
"""How each output of a block grew, in the structure of the outputs."""


@dataclass
class Settled:
    """What became of the blocks of a draft.

    Args:
        outputs: how the outputs grew, by block.
        resized: the parameters and buffers that have another shape, by address.
    """

    outputs: dict[str, Grown] = field(default_factory=dict)
    resized: dict[str, Resize] = field(default_factory=dict)


def settle(net: Net, draft: Net, changed: Iterable[str], asked: Mapping[str, BlockSpec]) -> Settled:
    """Fits a draft together.

    Args:
        net: what it is a draft of.
        draft: changed in place.
        changed: blocks that read something else than before.
        asked: records of blocks that are to be made anew, by name.

    Raises:
        RequestError: the blocks do not fit; the draft is of no more use then.
    """
    settling = _Settling(net, draft, asked)
    settling.spread([*asked, *changed])
    settling.make()
    faults = order_faults(draft) + check_phases(draft.address, list(draft.blocks.values()), draft._modules)
    if faults:
        raise RequestError(faults)
    return settling.settled


class _Settling:
    def __init__(self, net: Net, draft: Net, asked: Mapping[str, BlockSpec]) -> None:
        self.net, self.draft = net, draft
        self.asked = dict(asked)
        self.anew: dict[str, BlockSpec] = {}
        self.settled = Settled()

    # --- shapes -------------------------------------------------------------------------------

    def spread(self, names: Sequence[str]) -> None:
        """Tells what the blocks send now, and what all that follow send."""
        for name, spec in self.asked.items():
            self._assume(name, spec)
        waiting, rounds = deque(dict.fromkeys(names)), dict.fromkeys(self.draft.blocks, 0)
        readers: dict[str, list[str]] = {}
        for name, block in self.draft.blocks.items():
            for source in block.sources:
                readers.setdefault(source.block, []).append(name)
        while waiting:
            name = waiting.popleft()
            block = self.draft.blocks[name]
            rounds[name] += 1
            if rounds[name] > _ROUNDS:
                rule = "its shape grows without end, as it is in a cycle"
                raise RequestError(Fault(f"{self.draft.address}/{name}", rule))
            output = self._output(name)
            grown = self._grown(name, output)
            is_news = output != block.output or grown != self.settled.outputs.get(name)
            block.output = output
            if grown is not None:
                self.settled.outputs[name] = grown
            if is_news:
                waiting.extend(reader for reader in dict.fromkeys(readers.get(name, ())) if reader not in waiting)

    def _assume(self, name: str, spec: BlockSpec) -> None:
        """Takes what a block that reads itself will send as its class tells it."""
        block = self.draft.blocks[name]
        if all(source.block != name for source in block.sources):
            return
        known = [_sent(self.draft, source, name) for source in block.sources if source.block != name]
        kind = find_block_type(spec.type, trust=self.draft.trust)
        output = provisional_output(spec, kind, spec.arguments, known)
        block.output = block.output if output is None else output

    def _output(self, name: str) -> Output:
        """What a block sends now, as the module that it has or as one made anew."""
        address, read = f"{self.draft.address}/{name}", self._read(self.draft, name)
        if not read:
            raise RequestError(Fault(f"{address}.from", "would read nothing any more", hint=f"remove {name} instead"))
        module, refused = self.draft._modules[name], None
        spec = self.asked.get(name) or self.anew.get(name)
        if spec is None and not self._counts_its_sources(name):
            try:
                return infer_output(module, address, type(module).__name__, read)
            except RequestError as error:
                refused = error
        if spec is None:
            spec = self._record(name)
            if spec is None or spec.type == "Net" or spec.repeat:
                raise refused or RequestError(Fault(address, "cannot be made anew, as it does not show its arguments"))
        try:
            _, output = self._built(spec, address, read, "meta")
        except RequestError as error:
            raise refused or error from error
        self.anew[name] = spec
        return output

    def _counts_its_sources(self, name: str) -> bool:
        """Whether a block was made for so many sources, and reads more or fewer now."""
        if not hasattr(self.draft._modules[name], "source_shapes") or name not in self.net.blocks:
            return False
        return len(self.draft.blocks[name].sources) != len(self.net.blocks[name].sources)

    def _record(self, name: str) -> BlockSpec | None:
        """The record that makes a block anew, without the sizes that follow from what it reads."""
        spec = spec_of(self.draft, name)
        if spec is None or name not in self.net.blocks:
            return spec
        kept = {key: value for key, value in spec.arguments.items() if key not in INFERRED}
        return spec.model_copy(update={"arguments": kept})

    def _built(
        self, spec: BlockSpec, address: str, read: list[tuple[str, Output]], device: torch.device | str
    ) -> tuple[nn.Module, Output]:
        draft = self.draft
        return build_block(
            spec,
            address,
            read,
            seed=draft.seed,
            device=device,
            trust=draft.trust,
            known=draft.inferred,
            twins=draft.twins,
        )

    def _read(self, net: Net, name: str) -> list[tuple[str, Output]]:
        """What a block of a net reads."""
        address = f"{net.address}/{name}"
        return [(str(source), _sent(net, source, address)) for source in net.blocks[name].sources]

    # --- where units have gone ----------------------------------------------------------------

    def _grown(self, name: str, output: Output) -> Grown:
        """How a block's outputs differ from what they were."""
        if name not in self.net.blocks:
            return None
        before = self.net.blocks[name].output
        return self._grown_part(name, before, output) if before is not None else None

    def _grown_part(self, name: str, before: Output, after: Output) -> Grown:
        if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
            parts = tuple(self._grown_part(name, one, other) for one, other in zip(before, after, strict=True))
            return parts if any(part is not None for part in parts) else None
        if before == after:
            return None
        address = f"{self.draft.address}/{name}"
        if not (isinstance(before, Signature) and isinstance(after, Signature)):
            raise RequestError(Fault(address, f"would send {after} instead of {before}"))
        growth = self._growth(name, before, after)
        if growth is None:
            rule = f"would send {after} instead of {before}, and it cannot be told which of its units these are"
            raise RequestError(Fault(address, rule))
        return growth

    def _growth(self, name: str, before: Signature, after: Signature) -> Growth | None:
        module, ports = self.draft._modules[name], self._ports(name)
        if isinstance(module, Concat):
            return self._side_by_side(name, module.dim - 1 if module.dim > 0 else len(before.shape) + module.dim)
        if isinstance(module, nn.Flatten) and len(after.shape) == 1:
            source = self.net.blocks[name].sources[0]
            growth, read = ports[0], _sent(self.net, source, name)
            return growth.flattened(read.shape) if growth is not None else None
        if len(before.shape) != len(after.shape):
            return None
        dims = [dim for dim, (a, b) in enumerate(zip(before.shape, after.shape, strict=True)) if a != b]
        if len(dims) != 1:
            return None
        sizes = before.shape[dims[0]], after.shape[dims[0]]
        if name in self.asked:
            return Growth.of(dims[0], *sizes)
        fitting = {
            growth.at(dims[0]) for growth in ports if growth is not None and (growth.before, growth.after) == sizes
        }
        return fitting.pop() if len(fitting) == 1 else None

    def _side_by_side(self, name: str, dim: int) -> Growth | None:
        """The growth of what a block lays side by side, some of which may not have been there before, or not be now."""
        before, after = self.net.blocks[name].sources, list(self.draft.blocks[name].sources)
        parts: list[tuple[int, int, Growth | None]] = []
        for source, growth in zip(before, self._ports(name), strict=True):
            size = _sent(self.net, source, name).shape[dim]
            if source in after:
                while after[0] != source:
                    parts.append((0, _sent(self.draft, after.pop(0), name).shape[dim], None))
                after.pop(0)
                now = _sent(self.draft, source, name).shape[dim]
                if now != size and (growth is None or growth.dim != dim):
                    return None
                parts.append((size, now, growth if now != size else None))
            else:
                parts.append((size, 0, None))
        parts += [(0, _sent(self.draft, source, name).shape[dim], None) for source in after]
        return side_by_side(dim, parts)

    def _ports(self, name: str) -> list[Growth | None]:
        """How each of the sources that a block had before grew."""
        found: list[Growth | None] = []
        for source in self.net.blocks[name].sources:
            grown = self.settled.outputs.get(source.block)
            part = pick(grown, source.output) if isinstance(grown, tuple) or source.output is None else None
            found.append(part if isinstance(part, Growth) else None)
        return found

    # --- modules ------------------------------------------------------------------------------

    def make(self) -> None:
        """Makes the blocks anew that need it, with the numbers that stay."""
        self._check_shared()
        for name, block in self.draft.blocks.items():
            grown = self.settled.outputs.get(name)
            if grown is not None and block.spec is not None and block.spec.shape is not None:
                sent = pick(block.output, None)
                block.spec = block.spec.model_copy(update={"shape": tuple(sent.shape)})
        for name, spec in self.anew.items():
            self._make_one(name, spec)

    def _make_one(self, name: str, spec: BlockSpec) -> None:
        block, address = self.draft.blocks[name], f"{self.draft.address}/{name}"
        old = self.draft._modules[name]
        module, _ = self._built(spec, address, self._read(self.draft, name), self.draft.device)
        assert old is not None
        self._carry(name, old, module)
        self.draft._modules[name] = module
        block.spec = spec.model_copy(update={"share": {}} if block.spec is None else {"share": block.spec.share})
        if spec.shape is not None:
            block.spec = block.spec.model_copy(update={"shape": tuple(pick(block.output, None).shape)})
        self.draft.note_drawn(name)

    def _check_shared(self) -> None:
        """A parameter that two blocks share keeps its shape."""
        shared = sharing(self.draft) if self.anew else {}
        for name in self.anew:
            if name in shared:
                rule = f"shares a parameter with {shared[name][0]}, and what is shared keeps its shape"
                raise RequestError(Fault(f"{self.draft.address}/{name}", rule))

    def _carry(self, name: str, old: nn.Module, new: nn.Module) -> None:
        """Puts the numbers that stay into a module that was made anew."""
        address = f"{self.draft.address}/{name}"
        was = self.net.blocks[name].sources if name in self.net.blocks else []
        if len(was) > 1 and not _is_begun_by(was, self.draft.blocks[name].sources):
            rule = "has a weight for each of its sources by number; only the last of them can come or go"
            raise RequestError(Fault(f"{address}.from", rule))
        sent = [growth for growth in _leaves(self.settled.outputs.get(name)) if growth is not None]
        read = [growth for growth in self._ports(name) if growth is not None] if name in self.net.blocks else []
        before, after = old.state_dict(keep_vars=True), new.state_dict(keep_vars=True)
        if any(tensor.dtype == torch.float64 for tensor in before.values()):
            after = new.double().state_dict(keep_vars=True)
        with torch.no_grad():
            for key, tensor in after.items():
                if key not in before:
                    continue
                if before[key].shape == tensor.shape:
                    tensor.copy_(before[key])
                    continue
                first = 1 if isinstance(new, _TURNED) else 0
                resize = resize_of(before[key].shape, tensor.shape, sent, read, first)
                if resize is None:
                    rule = f"would be {list(tensor.shape)} instead of {list(before[key].shape)}, and it cannot be told "
                    place = f"{address}/{key.replace('.', '/')}"
                    raise RequestError(Fault(place, rule + "which of its numbers stay"))
                tensor.copy_(resize.into(before[key], tensor))
                self.settled.resized[f"{address}/{key.replace('.', '/')}"] = resize
        learns = {key: parameter.requires_grad for key, parameter in old.named_parameters()}
        for key, parameter in new.named_parameters():
            parameter.requires_grad_(learns.get(key, True))
        new.train(old.training)


def sharing(net: Net) -> dict[str, list[str]]:
    """For each block that shares a parameter, as it is or turned, the blocks that it shares with.

    Args:
        net: the net.
    """
    owners: dict[int, list[str]] = {}
    found: dict[str, list[str]] = {}
    for name, module in net._modules.items():
        for parameter in () if module is None else parameters_in(module):
            owners.setdefault(id(parameter), []).append(name)
    pairs = [(one, other) for names in owners.values() for one in names for other in names if one != other]
    for name, block in net.blocks.items():
        for tie in block.ties.values():
            other = tie.of.rpartition(".")[0].replace(".", "/").partition("/")[0]
            pairs += [(name, other), (other, name)]
    for one, other in pairs:
        found.setdefault(one, []).append(other)
    return found


def _sent(net: Net, source: SourceSpec, address: str) -> Any:
    """What a block or an input of a net sends."""
    output = net.inputs.get(source.block)
    if output is None:
        output = net.blocks[source.block].output
    try:
        return pick(output, source.output)
    except IndexError:
        rule = f"has {len(output) if isinstance(output, tuple) else 1} outputs, counted from 0"
        raise RequestError(Fault(f"{address}.from", f"{source.block!r} {rule}", str(source))) from None


def _is_begun_by(before: Sequence[SourceSpec], after: Sequence[SourceSpec]) -> bool:
    """Whether one of two lists of sources goes on where the other ends."""
    count = min(len(before), len(after))
    return list(before[:count]) == list(after[:count])


def _leaves(grown: Grown) -> list[Growth | None]:
    if isinstance(grown, tuple):
        return [leaf for part in grown for leaf in _leaves(part)]
    return [grown]


def order_faults(draft: Net) -> list[Fault]:
    """What is wrong with the order of a frame: a cycle without delay."""
    try:
        draft.order()
    except ZeroDelayCycleError as error:
        rule = f"the cycle {error} has no delay; give one of its edges a delay of at least 1"
        return [Fault(f"{draft.address}/{error.cycle[0]}", rule)]
    return []
