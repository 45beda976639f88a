"""How a net comes together: blocks built as soon as what they read is known, in whatever order they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError, near_or_known, suggest
from rillnet.model import tying
from rillnet.model.block import Block, check_phases, provisional_output
from rillnet.model.building import build_block, check_initial, draw_module, infer_output
from rillnet.model.garbage import collecting_later
from rillnet.model.graph import ZeroDelayCycleError, reachable
from rillnet.model.layers.recurrence import own_outputs
from rillnet.model.registry import check_block, find_block_type
from rillnet.model.shapes import Output, pick, shape_error
from rillnet.model.structure import Structure
from rillnet.model.waiting import Waiting
from rillnet.registry import check_arguments
from rillnet.spec import NAME, BlockSpec, NetSpec, SourceSpec

NOTHING_BEFORE = "there is nothing before it to read: give the net an input, or a source"

Read = list[tuple[str, Output]]

Candidates = list[tuple[int, str]]
"""A heap of blocks whose outputs may be assumed, by their place among those that wait."""


def declare(net: Structure, block: Block, module: nn.Module | None) -> None:
    """Puts a block into a net, to be built when what it reads is known; a cell that does not name its state gets it."""
    own = own_outputs(*_kind_of(net, block, module))
    if own and all(source.block != block.name for source in block.sources):
        block.sources = [*block.sources, *(SourceSpec(block=block.name, output=output, delay=1) for output in own)]
    net.blocks[block.name] = block
    net._modules[block.name] = module
    net.pending[block.name] = None
    if isinstance(module, Structure):
        for path, inner in module.named_modules():
            if isinstance(inner, Structure):
                inner.address = "/".join([net.address, block.name, *filter(None, path.split("."))])
    net.forget_plans()


def _kind_of(net: Structure, block: Block, module: nn.Module | None) -> tuple[Any, Mapping[str, Any]]:
    """The class of a block, None if it is not known, and the arguments of its constructor."""
    if module is not None:
        return type(module), vars(module)
    if block.spec is None or block.spec.type == "Net" or block.spec.repeat:
        return None, {}
    try:
        return find_block_type(block.spec.type, trust=net.trust), block.spec.arguments
    except RequestError:  # told with the block's other faults
        return None, {}


def assemble(net: Structure, record: NetSpec) -> None:
    """Fills a net from its record.

    Raises:
        RequestError: holds every fault found, in the order of the record.
    """
    with collecting_later():
        faults = _assemble(net, record)
    if faults:
        raise RequestError(list({str(fault): fault for fault in faults}.values()))


def _assemble(net: Structure, record: NetSpec) -> list[Fault]:
    faults: list[Fault] = []
    failed: set[str] = set()
    names = list(record.blocks)
    for position, (name, spec) in enumerate(record.blocks.items()):
        found = _declare_from(net, name, spec, names[position - 1] if position else None, record.blocks)
        if found:
            faults += found
            failed.add(name)
    try:
        net.order()
    except ZeroDelayCycleError as error:
        if not failed & set(error.cycle):  # a block that takes the name of what it reads is no cycle
            faults.append(cycle_fault(net, error))
        failed |= set(error.cycle)
    faults += resolve(net, partial=False, failed=failed)
    faults += [f for f in check_phases(net.address, list(net.blocks.values()), net._modules) if f not in faults]
    net.output_sources = list(record.outputs)
    for source in record.outputs:
        if source.block not in net.blocks:
            hint = suggest(source.block, net.blocks)
            faults.append(Fault(f"{net.address}.outputs", "unknown block", source.block, hint=hint))
    if not record.blocks:
        faults.append(Fault(f"{net.address}.blocks", "a net needs at least one block"))
    return faults


def cycle_fault(net: Structure, error: ZeroDelayCycleError) -> Fault:
    """What is to be done about blocks of a net that read each other within one frame."""
    rule = f"the cycle {error} has no delay; give one of its edges a delay of at least 1, as in from: name@-1"
    return Fault(f"{net.address}/{error.cycle[0]}", rule)


def _declare_from(
    net: Structure, name: str, spec: BlockSpec, before: str | None, names: Collection[str]
) -> list[Fault]:
    address = f"{net.address}/{name}"
    faults = []
    if not NAME.fullmatch(name):
        faults.append(Fault(address, "a name of a block must be letters, digits and _ only"))
    if name in net.inputs:
        faults.append(Fault(address, "the name is taken by an input; names are unique in a net"))
    sources = spec.sources
    if sources is None:
        first = before or next(iter(net.inputs), None)
        if first is None:
            faults.append(Fault(address, NOTHING_BEFORE))
        sources = [SourceSpec(block=first)] if first else []
    for source in sources:
        if source.block not in names and source.block not in net.inputs:
            hint = near_or_known(source.block, [*net.inputs, *names], "rillnet show")
            faults.append(Fault(f"{address}.from", "unknown source", source.block, hint=hint))
    if spec.type != "Net":
        faults += check_block(spec, address, trust=net.trust)
        faults += check_initial(spec.initial, address)
    phases, ties, tags = frozenset(spec.exclude), dict(spec.share), tuple(spec.tags)
    declare(net, Block(name, list(sources), phases, spec, None, ties, tags), None)
    return faults


def resolve(net: Structure, *, partial: bool, failed: set[str] | None = None) -> list[Fault]:
    """Builds every pending block whose sources are known, and those behind it.

    Args:
        net: the net.
        partial: whether blocks may stay pending because what they read is still to come.
        failed: blocks with faults of their own, and then those behind them; added to.
    """
    failed = set() if failed is None else failed
    wait_anew(net)
    faults = _advance(net, list(net.pending), failed)
    faults += tying.join(net, partial=partial, failed=failed)
    if not partial:
        faults += _stuck(net, failed)
    return faults


def resolve_added(net: Structure, name: str) -> list[Fault]:
    """Builds the block that was added last if its sources are known, and those that waited for it."""
    net.waiting.add(name, net.blocks[name].sources, _is_known(net))
    return _advance(net, [name], set()) + tying.join(net, partial=True, failed=set())


def wait_anew(net: Structure) -> None:
    """Finds out what the pending blocks wait for; needed when the net was changed in another way than by adding."""
    net.waiting = Waiting()
    for name in net.pending:
        net.waiting.add(name, net.blocks[name].sources, _is_known(net))


def _is_known(net: Structure) -> Callable[[str], bool]:
    return lambda name: _output_of(net, name) is not None


def _advance(net: Structure, names: Sequence[str], failed: set[str]) -> list[Fault]:
    """Builds some of the pending blocks, and all that can be built then; returns their faults."""
    faults: list[Fault] = []
    candidates = [(net.waiting.place(name), name) for name in names]  # ascending, which is a heap
    ready: list[str] | None = list(names)
    while ready is not None:
        faults += _build_ready(net, ready, candidates, failed)
        assumed = _assume_one(net, candidates, failed)
        ready = None if assumed is None else [assumed, *_told(net, assumed, candidates)]
    return faults


def _told(net: Structure, name: str, candidates: Candidates) -> list[str]:
    """The blocks that waited to know what one sends; more may be assumed of them now."""
    readers = net.waiting.known(name)
    for reader in readers:
        heappush(candidates, (net.waiting.place(reader), reader))
    return readers


def _build_ready(net: Structure, names: Iterable[str], candidates: Candidates, failed: set[str]) -> list[Fault]:
    """Builds those of the blocks whose sources are known, and then those that read them; returns their faults."""
    faults: list[Fault] = []
    waiting = deque(names)
    while waiting:
        name = waiting.popleft()
        if name in failed or name not in net.pending:
            continue
        if not net.waiting.is_ready(name) and not net.waiting.picks(name):
            continue  # one that picks an output is read as far as it can be: the output may not be there
        try:
            read = _read(net, net.blocks[name])
            if read is None:
                continue
            _build(net, net.blocks[name], read)
        except RequestError as error:
            faults += error.faults
            failed.add(name)
            continue
        del net.pending[name]
        net.waiting.built(name)
        waiting.extend(_told(net, name, candidates))
    return faults


def _read(net: Structure, block: Block) -> Read | None:
    """What a block reads, or None while some of it is unknown."""
    found: Read = []
    for source in block.sources:
        output = _output_of(net, source.block)
        if output is None:
            return None
        try:
            found.append((str(source), pick(output, source.output)))
        except IndexError:
            rule = f"has {len(output) if isinstance(output, tuple) else 1} outputs, counted from 0"
            fault = Fault(f"{net.address}/{block.name}.from", f"{source.block!r} {rule}", str(source))
            raise RequestError(fault) from None
    return found


def _output_of(net: Structure, name: str) -> Output | None:
    if name in net.inputs:
        return net.inputs[name]
    return net.blocks[name].output if name in net.blocks else None


def _build(net: Structure, block: Block, read: Read) -> None:
    address = f"{net.address}/{block.name}"
    module = net._modules[block.name]
    assumed = block.output
    if module is not None:
        output = infer_output(module, address, type(module).__name__, read)
    elif block.spec is not None and (block.spec.type == "Net" or block.spec.repeat):
        module = _nested(net, block.spec, block.name, read)
        output = module.sent({name: inner.output for name, inner in module.blocks.items()})
    else:
        assert block.spec is not None
        how: dict[str, Any] = {"device": net.device, "trust": net.trust, "known": net.inferred, "twins": net.twins}
        module, output = build_block(block.spec, address, read, seed=net.seed, **how)
    if assumed is not None and pick(assumed, None) != pick(output, None):
        rule = f"the cycle it is in gives it the shape {assumed}, but it sends {output}"
        raise RequestError(Fault(f"{address}.shape", rule))
    net._modules[block.name] = module
    block.output = output
    if block.spec is not None and not isinstance(module, Structure):
        net.note_drawn(block.name)
    net.untied.extend((block.name, own, tie) for own, tie in block.ties.items())


def _nested(net: Structure, spec: BlockSpec, name: str, read: Read) -> Structure:
    """A net as a block: its inputs are what the block reads."""
    address = f"{net.address}/{name}"
    if spec.repeat:
        one = spec.model_copy(update={"sources": None, "exclude": [], "tags": [], "repeat": None})
        record = NetSpec(blocks={str(number): one for number in range(1, spec.repeat + 1)})
        inputs = ["input", *(f"input{port}" for port in range(1, len(read)))]
        if len(read) > 1:
            record.blocks["1"] = one.model_copy(update={"sources": [SourceSpec(block=i) for i in inputs]})
    else:
        faults = check_arguments(NetSpec, spec.arguments, address, omit=("name", "seed"))
        if faults:
            raise RequestError(faults)
        listed = spec.arguments.get("inputs", ["input"])
        inputs = [listed] if isinstance(listed, str) else list(listed)
        inner = {key: value for key, value in spec.arguments.items() if key != "inputs"}
        record = NetSpec.model_validate({"name": name, **inner})
        if len(inputs) != len(read):
            rule = f"must name its {len(read)} inputs, as it reads {', '.join(source for source, _ in read)}"
            raise RequestError(Fault(f"{address}.inputs", rule, inputs))
    nested = type(net)(name, seed=net.seed, device=net.device, trust=net.trust)
    nested.address = address
    nested.inputs = {name: output for name, (_, output) in zip(inputs, read, strict=True)}
    nested.inferred, nested.twins = net.inferred, net.twins
    assemble(nested, record)
    return nested


def _assume_one(net: Structure, candidates: Candidates, failed: set[str]) -> str | None:
    """In a cycle: takes one block's output as declared, or as that of the sources known so far; returns which."""
    while candidates:
        place, name = heappop(candidates)
        while candidates and candidates[0][0] == place:  # one that got to know several of its sources
            heappop(candidates)
        block = net.blocks[name]
        if name in failed or name not in net.pending or block.output is not None:
            continue
        kind, arguments = _kind_of(net, block, net._modules[name])
        known = [(_output_of(net, source.block), source.output) for source in block.sources]
        sent = [pick(output, index) for output, index in known if output is not None]
        output = provisional_output(block.spec, kind, arguments, sent)
        if output is not None:
            block.output = output
            return name
    return None


def _stuck(net: Structure, failed: set[str]) -> list[Fault]:
    """Faults for blocks that are still pending, unless they only wait for one with a fault of its own."""
    faults = []
    readers: dict[str, list[str]] = {}
    for name in net.pending if failed else ():
        for source in net.blocks[name].sources:
            readers.setdefault(source.block, []).append(name)
    blocked = reachable(failed, readers)
    for name in net.pending:
        if name in blocked:
            continue
        address = f"{net.address}/{name}"
        missing = [s.block for s in net.blocks[name].sources if _output_of(net, s.block) is None]
        unknown = [block for block in missing if block not in net.blocks]
        if unknown:
            faults.append(Fault(f"{address}.from", "unknown source", unknown[0], hint=suggest(unknown[0], net.blocks)))
        else:
            rule = f"its shape cannot be told, as it is in a cycle with {missing[0]!r}; give one of them a shape: [...]"
            faults.append(Fault(address, rule))
    return faults


def recheck(net: Structure, name: str) -> list[Fault]:
    """Faults of a block whose sources have changed, and of all behind it whose inputs change with it."""
    block = net.blocks[name]
    try:
        read = _read(net, block)
        module = net._modules[name]
        if read is None or module is None:
            net.pending[name] = None
            return resolve(net, partial=True)
        output = infer_output(module, f"{net.address}/{name}", type(module).__name__, read)
    except RequestError as error:
        return error.faults
    if pick(output, None) != pick(block.output, None):
        rule = f"would send {output} instead of {block.output}, which is what the blocks behind it were built for"
        return [Fault(f"{net.address}/{name}", rule)]
    return []


# --- parameters ---------------------------------------------------------------------------------


def draw(net: Structure) -> None:
    """Draws every described block's parameters and buffers from the net's seed, in place."""
    with torch.no_grad():
        for name, block in net.blocks.items():
            module = net._modules[name]
            if isinstance(module, Structure):
                module.seed, module.seed_given = net.seed, True
                draw(module)
            elif block.spec is not None and module is not None:
                own = {**(block.spec.share if block.spec else {}), **block.ties}
                read = _read_or_fail(net, block)
                fresh = draw_module(block.spec, f"{net.address}/{name}", read, net.seed, net.trust, net.twins)
                state = {key: value for key, value in fresh.state_dict().items() if key not in own}
                module.load_state_dict(state, strict=False)
                net.note_drawn(name)


def materialise(net: Structure, device: torch.device | str) -> None:
    """Allocates and draws the parameters of a net that was described on the meta device.

    Raises:
        RequestError: a parameter cannot be shared.
    """
    net.device = torch.device(device)
    for name, block in net.blocks.items():
        module = net._modules[name]
        if isinstance(module, Structure):
            materialise(module, device)
        elif block.spec is not None:
            read = _read_or_fail(net, block)
            drawn = draw_module(block.spec, f"{net.address}/{name}", read, net.seed, net.trust, net.twins)
            net._modules[name] = drawn.to(device)
            if module is not None:
                _take_over(drawn, module)
            net.untied.extend((name, own, tie) for own, tie in {**block.spec.share, **block.ties}.items())
    faults = tying.join(net, partial=False, failed=set())
    if faults:
        raise RequestError(faults)


def _take_over(drawn: nn.Module, described: nn.Module) -> None:
    """The mode, and which parameters learn, as they were set on the description."""
    for now, before in zip(drawn.modules(), described.modules(), strict=True):
        now.training = before.training
    learns = {name: parameter.requires_grad for name, parameter in described.named_parameters()}
    for name, parameter in drawn.named_parameters():
        parameter.requires_grad_(learns.get(name, True))


def _read_or_fail(net: Structure, block: Block) -> Read:
    read = _read(net, block)
    if read is None:
        raise shape_error(f"{net.address}/{block.name}", block.name, [], RuntimeError("its sources are unknown"))
    return read
