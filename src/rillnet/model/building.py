"""From records to modules: sizes inferred through the whole net, then parameters drawn by address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from rillnet.errors import Fault, RequestError, ShapeError
from rillnet.model.layers.initializers import find_initializer
from rillnet.model.registry import check_block, construct
from rillnet.model.shapes import Output, Signature, infer, pick, shape_error
from rillnet.random import derive
from rillnet.spec import BlockSpec

Inference = dict[str, Output]
"""Outputs that are known already, by what they follow from: isomorphic blocks are inferred once."""


def build_block(
    spec: BlockSpec,
    address: str,
    sources: Sequence[tuple[str, Output]],
    *,
    seed: int,
    device: torch.device | str | None,
    trust: bool,
    known: Inference,
) -> tuple[nn.Module, Output]:
    """The module of a record, its parameters drawn for its address, and what it sends.

    Args:
        spec: the record.
        address: `net/conv1`, which names the draw.
        sources: what it reads, by name.
        seed: the net's seed.
        device: where parameters go; `meta` allocates nothing.
        trust: whether import paths may be followed.
        known: outputs inferred before; added to.

    Raises:
        RequestError: the type or its arguments are wrong, or it cannot work on what it reads.
    """
    faults = check_block(spec, address, trust=trust)
    if faults:
        raise RequestError(faults)
    read = [output for _, output in sources]
    key = json.dumps([spec.type, spec.arguments, [str(output) for output in read]], default=str, sort_keys=True)
    traceable = ":" not in spec.type
    module = None
    if traceable and (key not in known or _is_meta(device)):
        module = _constructed(spec, address, sources, trust, "meta", seed)
    if not (traceable and _is_meta(device)):
        module_on_device = _constructed(spec, address, sources, trust, device, seed)
        module = module if traceable and key not in known else module_on_device
    else:
        assert module is not None
        module_on_device = module
    if key not in known:
        known[key] = infer_output(module, address, spec.type, sources)
    return module_on_device, known[key]


def infer_output(module: nn.Module | None, address: str, kind: str, sources: Sequence[tuple[str, Output]]) -> Output:
    """What a module sends, or a `ShapeError` that names the block, its sources and their shapes."""
    assert module is not None
    try:
        return infer(module, [output for _, output in sources])
    except Exception as error:  # any error of a foreign forward, told again with the block's address
        raise shape_error(address, kind, sources, error) from error


def _is_meta(device: torch.device | str | None) -> bool:
    return device is not None and torch.device(device).type == "meta"


def _constructed(
    spec: BlockSpec,
    address: str,
    sources: Sequence[tuple[str, Output]],
    trust: bool,
    device: torch.device | str | None,
    seed: int,
) -> nn.Module:
    """The module on its device; drawn on the CPU, so that the device does not change the numbers."""
    flat: list[Signature] = [pick(output, None) for _, output in sources]
    try:
        if _is_meta(device):
            with torch.device("meta"):
                module = construct(spec, flat, trust=trust)
                draw_initial(module, spec.initial, address)
                return module
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(derive(seed, address))
            module = construct(spec, flat, trust=trust)
            draw_initial(module, spec.initial, address)
        return module if device is None else module.to(device)
    except (RequestError, ShapeError):
        raise
    except Exception as error:  # whatever a constructor raises on arguments that it does not accept
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        read = ", ".join(f"{name} {output}" for name, output in sources)
        rule = f"{spec.type} cannot be made: {reason}" + (f"; it reads {read}" if read else "")
        raise RequestError(Fault(address, rule)) from error


def draw_module(
    spec: BlockSpec, address: str, sources: Sequence[tuple[str, Output]], seed: int, trust: bool
) -> nn.Module:
    """The module of a checked record on the CPU, its parameters drawn for its address."""
    return _constructed(spec, address, sources, trust, None, seed)


def check_initial(initial: Mapping[str, Any], address: str) -> list[Fault]:
    """Faults of a block's `initial`: unknown initialisers."""
    faults = []
    for name, value in initial.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            continue
        kind = value.get("type") if isinstance(value, Mapping) else value
        if find_initializer(str(kind)) is None:
            rule = "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init"
            faults.append(Fault(f"{address}.initial.{name}", rule, kind))
    return faults


def draw_initial(module: nn.Module, initial: Mapping[str, Any], address: str) -> None:
    """Draws parameters as a record's `initial` says, from the current random state.

    Raises:
        RequestError: an initialiser is unknown, does not fit, or names no parameter.
    """
    faults = check_initial(initial, address)
    if faults:
        raise RequestError(faults)
    parameters = dict(module.named_parameters())
    for name, value in initial.items():
        if name not in parameters:
            rule = f"names no parameter; known: {', '.join(parameters) or 'none'}"
            raise RequestError(Fault(f"{address}.initial.{name}", rule))
        if isinstance(value, int | float):
            nn.init.constant_(parameters[name], value)
            continue
        arguments = dict(value) if isinstance(value, Mapping) else {"type": value}
        initializer = find_initializer(str(arguments.pop("type")))
        assert initializer is not None
        try:
            initializer(parameters[name], **arguments)
        except (TypeError, ValueError) as error:
            raise RequestError(Fault(f"{address}.initial.{name}", str(error))) from error
