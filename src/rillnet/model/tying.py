"""Parameters that are other blocks': one parameter with two addresses, or its transpose set before every call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from rillnet.errors import Fault, suggest
from rillnet.model.structure import Structure
from rillnet.spec import ShareSpec


def join(net: Structure, *, partial: bool, failed: set[str]) -> list[Fault]:
    """Joins the shared parameters of a net whose blocks are there; the others wait.

    Args:
        net: the net.
        partial: whether a block that is shared with may still be to come.
        failed: blocks with faults of their own; what is shared with them is not looked at.

    Returns:
        What cannot be shared.
    """
    faults = []
    waiting = []
    for name, own, tie in net.untied:
        other = tie.of.rpartition(".")[0]
        head = other.split("/")[0].split(".")[0]
        if head in net.blocks and (head in net.pending or net._modules[head] is None):
            if head not in failed:
                waiting.append((name, own, tie))
            continue
        address = f"{net.address}/{name}.share.{own}"
        if head not in net.blocks:
            if partial:
                waiting.append((name, own, tie))
            else:
                faults.append(Fault(address, "unknown block", head, hint=suggest(head, net.blocks)))
            continue
        faults += _tie(net, name, own, tie, address)
    net.untied[:] = waiting
    return faults


def _tie(net: Structure, name: str, own: str, tie: ShareSpec, address: str) -> list[Fault]:
    try:
        other, other_name = owner(net, tie.of)
        source = other._parameters[other_name]
    except (AttributeError, KeyError):
        return [Fault(address, "unknown parameter", tie.of)]
    module = net.built(name)
    try:
        holder, own_name = _holder(module, own)
        target = holder._parameters[own_name]
    except (AttributeError, KeyError):
        known = ", ".join(n for n, _ in module.named_parameters()) or "none"
        return [Fault(address, f"{name!r} has no parameter {own!r}; known: {known}")]
    if source is None or target is None:
        return [Fault(address, f"{tie.of!r} or {own!r} is switched off")]
    shape = (*source.shape[:2][::-1], *source.shape[2:]) if tie.transpose else tuple(source.shape)
    if shape != tuple(target.shape):
        of = f"{tie.of} is {list(source.shape)}{' transposed' if tie.transpose else ''}"
        return [Fault(address, f"shapes must be equal: {of}, {own} is {list(target.shape)}")]
    was_drawn = net.is_as_drawn(name)
    block = net.blocks[name]
    if tie.transpose:
        del holder._parameters[own_name]
        block.ties = {**block.ties, own: tie}
    else:
        holder._parameters[own_name] = source
        block.ties = {key: value for key, value in block.ties.items() if key != own}
    if was_drawn:
        net.note_tied(name)
    net.forget_plans()
    return []


def owner(net: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that owns `block.parameter`, with nested parts after dots or slashes, and its name there.

    Raises:
        AttributeError: there is no such module.
    """
    return _holder(net, path.replace("/", "."))


def _holder(module: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The submodule that owns a parameter, and the parameter's own name there."""
    head, _, name = path.rpartition(".")
    return module.get_submodule(head), name


def call_tied(net: nn.Module, module: nn.Module, ties: Sequence[tuple[str, str, str]], read: Sequence[Any]) -> Any:
    """Calls a module with other blocks' transposed parameters in the place of its own.

    Args:
        net: in which the others stand.
        module: what is called.
        ties: own name, the other's block, the other's name.
        read: what it is called with.
    """
    holders = []
    for own, other, name in ties:
        source_module, source_name = owner(net, f"{other}.{name}")
        holder, own_name = _holder(module, own)
        setattr(holder, own_name, getattr(source_module, source_name).transpose(0, 1))
        holders.append((holder, own_name))
    try:
        return module(*read)
    finally:
        for holder, own_name in holders:  # a non-leaf tensor left behind could not be copied with the net
            delattr(holder, own_name)
