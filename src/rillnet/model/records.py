"""Nets and records: what Python code gives becomes a record, and a net that was built is written as one."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from torch import nn

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends.addresses import Path
from rillnet.model.frontends.faults import faults_of
from rillnet.model.garbage import collecting_later
from rillnet.model.registry import signature_arguments
from rillnet.model.shapes import Output, Signature, pick
from rillnet.model.structure import Structure
from rillnet.spec import BlockSpec, InputSpec, NetSpec, Record

R = TypeVar("R", bound=Record)


def read(model: type[R], value: Any, place: Path) -> R:
    """A record from what Python code gave for it.

    Args:
        model: which.
        value: what was given.
        place: the path that it would have in a document, for messages.

    Raises:
        RequestError: holds every fault found.
    """
    try:
        with collecting_later():
            return model.model_validate(value)
    except ValidationError as error:
        raise RequestError(faults_of(error, model, value, place)) from error


def record_of(module: nn.Module) -> BlockSpec | None:
    """The record that would build a module like this one, or None when it does not show its arguments.

    Args:
        module: a block; a nested net tells those of its own blocks.

    Raises:
        RequestError: a block of a nested net does not show its arguments.
    """
    if not isinstance(module, Structure):
        return signature_arguments(module)
    inner = record_of_net(module).model_dump(mode="json")
    arguments = {"inputs": list(module.inputs), "blocks": inner["blocks"], "outputs": inner["outputs"]}
    return BlockSpec(type="Net", arguments={key: value for key, value in arguments.items() if value})


def record_of_net(net: Structure) -> NetSpec:
    """The record that an equal net is built from.

    Raises:
        RequestError: a block is a module that does not show its arguments.
    """
    blocks, faults = {}, []
    for name, block in net.blocks.items():
        spec = block.spec or record_of(net.built(name))
        if spec is None:
            kind = type(net.built(name))
            path = f"{kind.__module__}:{kind.__qualname__}"
            rule = f"a live module cannot be written as text; add it as rn.block({path!r}, ...)"
            faults.append(Fault(f"{net.address}/{name}", rule))
            continue
        update = {"sources": block.sources, "exclude": sorted(block.exclude), "tags": list(block.tags)}
        shared = {**(block.spec.share if block.spec else {}), **block.ties}
        blocks[name] = spec.model_copy(update={**update, "share": shared})
    if faults:
        raise RequestError(faults)
    inputs = {name: _input_spec(output) for name, output in net.inputs.items()}
    return NetSpec(name=net.name, inputs=inputs, blocks=blocks, outputs=net.output_sources)


def _input_spec(output: Output) -> InputSpec:
    signature: Signature = pick(output, None)
    return InputSpec.model_validate({"shape": signature.shape, "dtype": str(signature.dtype).removeprefix("torch.")})
