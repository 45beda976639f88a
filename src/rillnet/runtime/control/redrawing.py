"""Parameters drawn anew, each as for a new net: from the seed, the address of its block and the frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.building import draw_module
from rillnet.model.net import Net
from rillnet.model.records import record_of
from rillnet.model.shapes import Output
from rillnet.random import derive
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.places import Undo
from rillnet.spec import BlockSpec


def check(session: Controlled, names: Iterable[str]) -> None:
    """Looks whether parameters can be drawn anew.

    Args:
        session: whose.
        names: their addresses.

    Raises:
        RequestError: one is of a module that does not say how it was made.
    """
    for address in names:
        _owner(session, address)


@torch.no_grad()
def redraw(session: Controlled, names: Iterable[str]) -> Undo:
    """Draws parameters anew.

    Args:
        session: whose.
        names: their addresses.

    Returns:
        What puts back what was there.
    """
    known = session.net.state_by_address()
    before = {name: known[name].detach().clone() for name in names}
    fresh: dict[str, dict[str, Tensor]] = {}
    for address in before:
        owner, spec, read = _owner(session, address)
        if owner not in fresh:
            seed = derive(session.net.seed, "reinitialise", session.clock.frame)
            module = draw_module(spec, f"net/{owner}", read, seed, session.net.trust)
            fresh[owner] = {name.replace(".", "/"): tensor for name, tensor in module.state_dict().items()}
        drawn = fresh[owner][address.removeprefix(f"net/{owner}/")]
        if session.placement is not None:
            drawn = session.placement.part(address, drawn)
        known[address].copy_(drawn)

    @torch.no_grad()
    def put_back() -> None:
        now = session.net.state_by_address()
        for name, tensor in before.items():
            if name in now and now[name].shape == tensor.shape:
                now[name].copy_(tensor)

    return put_back


def _owner(session: Controlled, address: str) -> tuple[str, BlockSpec, list[tuple[str, Output]]]:
    """The path of the block of a parameter, its record, and what it reads."""
    parts = address.removeprefix("net/").split("/")
    net: Any = session.net
    for number, part in enumerate(parts[:-1], start=1):
        block, module = net.blocks[part], net._modules[part]
        if isinstance(module, Net):
            net = module
            continue
        spec = block.spec or record_of(module)
        if spec is None:
            rule = "cannot be drawn anew, as its block does not show how it was made"
            raise RequestError(Fault(address, rule))
        read = [(source.block, _sent(net, source.block)) for source in block.sources]
        return "/".join(parts[:number]), spec, read
    raise RequestError(Fault(address, "is no parameter of a block"))


def _sent(net: Any, name: str) -> Output:
    output: Output = net.inputs.get(name) or net.blocks[name].output
    return output
