"""One frame of a net, or a part of it, computed block by block from zeros where an edge has a delay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.block import Step, steps_of
from rillnet.model.graph import reachable
from rillnet.model.shapes import Signature, pick
from rillnet.model.structure import Structure
from rillnet.model.tying import call_tied


def steps(net: Structure, phase: str, ready: set[str]) -> list[Step]:
    """The turns of one frame; see `rillnet.model.block.steps_of`."""
    return steps_of([net.blocks[name] for name in net.order()], net._modules, phase, ready)


def compute(net: Structure, step: Step, values: Mapping[str, Any]) -> Any:
    """What one block sends in its turn.

    Args:
        net: the net.
        step: the turn.
        values: what the inputs and the blocks before it have sent; edges with a delay read zeros.

    Raises:
        RequestError: the block is not built.
    """
    read = []
    for source, output, delay in step.sources:
        if delay:
            read.append(_zeros_like_batch(net, source, output, values))
        else:
            read.append(pick(values[source], output))
    module = net.built(step.name)
    sent = call_tied(net, module, step.ties, read) if step.ties else module(*read)
    return module.sent(sent) if isinstance(module, Structure) else sent


def _zeros_like_batch(net: Structure, source: str, output: int | None, values: Mapping[str, Any]) -> Tensor:
    signature: Signature = pick(net.inputs.get(source) or net.blocks[source].output, output)
    like = next((pick(values[name], None) for name in net.inputs if name in values), None)
    if like is None:
        like = pick(next(iter(values.values())), None)
    dtype = like.dtype if like.is_floating_point() and signature.dtype.is_floating_point else signature.dtype
    return torch.zeros(signature.of_batch(like.shape[0]), dtype=dtype, device=like.device)


def compute_part(
    net: Structure, phase: str, first: str | None, wanted: Sequence[str], values: MutableMapping[str, Any]
) -> None:
    """Computes what follows from what is given, as far as it is wanted.

    Args:
        net: the net.
        phase: train, val or test.
        first: the block to begin with; nothing before it is computed. None computes whatever can be.
        wanted: what is asked for; nothing is all that follows.
        values: what is given, by name; what is computed is added.

    Raises:
        RequestError: a block is wanted that reads what comes before the first and is not given.
    """
    allowed = reachable([first], _readers(net)) if first else set(net.blocks)
    needed = reachable(wanted, _needs(net, values)) if wanted else allowed
    for step in steps(net, phase, values.keys() | (net.blocks.keys() - allowed)):
        if step.name not in allowed or step.name not in needed or step.name in values:
            continue
        missing = next((name for name, _, delay in step.sources if name not in values and not delay), None)
        if missing is None:
            values[step.name] = compute(net, step, values)
        elif wanted:
            rule = f"reads {missing!r}, which is not given and is not computed as it comes before from_={first!r}"
            raise RequestError(Fault(f"{net.address}/{step.name}", rule))


def _readers(net: Structure) -> dict[str, list[str]]:
    readers: dict[str, list[str]] = {}
    for edge in net.edges:
        readers.setdefault(edge.source, []).append(edge.target)
    return readers


def _needs(net: Structure, given: Iterable[str]) -> dict[str, list[str]]:
    """What each block that is not given reads in its own frame."""
    known = set(given)
    return {n: [s.block for s in b.sources if not s.delay] for n, b in net.blocks.items() if n not in known}
