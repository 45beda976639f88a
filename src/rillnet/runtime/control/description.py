"""What a net that runs is made of, as plain values: for pictures of it, and for whoever asks from afar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rillnet.model.flat import FlatBlock, FlatNet, outputs_of
from rillnet.model.shapes import Signature
from rillnet.model.structure import Structure
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.settings import settings_of


def describe(session: Controlled) -> dict[str, Any]:
    """The net, its edges with the delays in force, and what learns, as JSON has it.

    Args:
        session: whose.

    Returns:
        name, revision, inputs, blocks, edges, outputs, rules, rollout.
    """
    flat = session.rollout.flat
    held, kept = _parameters(session), _buffers(session)
    how = _how(session)
    read = {edge.source for edge in flat.edges}
    types = _types(session)
    return {
        "name": session.net.name,
        "revision": len(session.net.edits),
        "inputs": [{"name": name, **_sent(output)} for name, output in flat.inputs.items()],
        "blocks": [
            _block(session, block, types, held.get(block.name, []), how) | {"buffers": kept.get(block.name, [])}
            for block in flat.blocks.values()
        ],
        "edges": _edges(session, held),
        "outputs": [name for name in flat.blocks if name not in read],
        "rules": rules_of(session),
        "rollout": _rollout(session),
    }


def rules_of(session: Controlled) -> list[dict[str, Any]]:
    """The learning rules: name, type, whether each learns, its rates, and what it reads.

    Args:
        session: whose.
    """
    executor = session.executor
    return [
        {
            "name": name,
            "type": type(rule).__name__,
            "active": name not in executor.resting,
            "rates": rule.rates(),
            "reads": list(rule.reads),
        }
        for name, rule in executor.rules.items()
    ]


def _sent(output: Any) -> dict[str, Any]:
    """The shape and element type of the first tensor that is sent."""
    found: Signature = outputs_of(output)[0][1]
    return {"shape": list(found.shape), "dtype": str(found.dtype).removeprefix("torch.")}


def _block(
    session: Controlled,
    block: FlatBlock,
    types: Mapping[str, str],
    parameters: list[dict[str, Any]],
    how: Mapping[str, str],
) -> dict[str, Any]:
    module = session.rollout.flat.module(block.name)
    settings = [{"address": f"net/{block.name}/{name}", "value": getattr(module, name)} for name in settings_of(module)]
    return {
        "path": block.name,
        "type": types.get(block.name) or type(module).__name__,
        **_sent(block.output),
        "sends": len(outputs_of(block.output)),
        "module": block.within[-1] if block.within else None,
        "tags": list(block.tags),
        **_placed(session, block.name),
        "how": how.get(block.name, ""),
        "exclude": sorted(block.exclude),
        "parameters": parameters,
        "settings": settings,
    }


def _types(session: Controlled) -> dict[str, str]:
    """The type that the record of each block names, by path."""
    found: dict[str, str] = {}

    def collect(net: Structure, prefix: str) -> None:
        for name, block in net.blocks.items():
            module = net._modules[name]
            if isinstance(module, Structure):
                collect(module, f"{prefix}{name}/")
            elif block.spec is not None:
                found[prefix + name] = block.spec.type

    collect(session.net, "")
    return found


def _parameters(session: Controlled) -> dict[str, list[dict[str, Any]]]:
    """The parameters of each block, by its path."""
    flat, placement = session.rollout.flat, session.placement
    held = session.made_executor.held if session.made_executor is not None else ()
    found: dict[str, list[dict[str, Any]]] = {}
    for address, parameter in session.net.parameters_by_address().items():
        whole = placement.holdings.get(address) if placement is not None else None
        shape = list(parameter.shape if whole is None else whole.shape)
        found.setdefault(_owner(flat, address), []).append(
            {
                "address": address,
                "shape": shape,
                "count": math.prod(shape),
                "trainable": parameter.requires_grad,
                "held": address in held,
            }
        )
    return found


def _buffers(session: Controlled) -> dict[str, list[dict[str, Any]]]:
    """What each block keeps that is not learned, such as running means, by its path."""
    flat = session.rollout.flat
    parameters = session.net.parameters_by_address()
    found: dict[str, list[dict[str, Any]]] = {}
    for address, tensor in session.net.state_by_address().items():
        if address not in parameters:
            one = {"address": address, "shape": list(tensor.shape), "count": tensor.numel()}
            found.setdefault(_owner(flat, address), []).append(one)
    return found


def _owner(flat: FlatNet, address: str) -> str:
    """The block that a tensor belongs to, which may stand in a module of it."""
    owner = address.removeprefix("net/").rpartition("/")[0]
    while owner and owner not in flat.blocks:
        owner = owner.rpartition("/")[0]
    return owner


def _how(session: Controlled) -> Mapping[str, str]:
    """For each block of a training frame how it is computed, if that is known yet."""
    executor = session.made_executor
    return executor.report if executor is not None and executor.has_learned else {}


def _placed(session: Controlled, block: str) -> dict[str, Any]:
    """Where a block is computed: the one process, if it is one, and how several share it; None in a run of one."""
    assigned = None if session.placement is None else session.placement.plan.blocks.get(block)
    if assigned is None:
        return {"process": None, "partition": None}
    return {"process": assigned.location, "partition": assigned.kind}


def _edges(session: Controlled, held: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    weights = {name: _weight(parameters) for name, parameters in held.items()}
    return [
        {
            "from": edge.source if edge.output is None else f"{edge.source}[{edge.output}]",
            "to": edge.target,
            "port": edge.port,
            "delay": edge.delay,
            "weight": weights.get(edge.target) if edge.port == 0 else None,
        }
        for edge in session.rollout.edges
    ]


def _weight(parameters: list[dict[str, Any]]) -> str | None:
    """The address of what is multiplied with what a block reads."""
    return next((one["address"] for one in parameters if len(one["shape"]) > 1), None)


def _rollout(session: Controlled) -> dict[str, Any]:
    spec = session.spec.rollout
    delayed = {name: delay for name, delay in session.rollout.delays.items() if delay}
    return {"default": spec.default, "align": spec.align, "delays": delayed}
