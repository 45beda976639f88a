"""What is sent to a net against what it takes: fields of the data, and inputs handed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.shapes import Signature, pick
from rillnet.spec import Phase

Kinds = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape of one example and element type, by field."""


def check_fields(net: Net, sent: Kinds, phase: Phase) -> list[Fault]:
    """Every field that the data do not send as the net takes it.

    Args:
        net: what reads them.
        sent: what the data send in the phase.
        phase: whose blocks count; an input that none of them reads may be absent.
    """
    faults = []
    needed = {edge.source for edge in net.edges if phase not in net.blocks[edge.target].exclude}
    for name, output in net.inputs.items():
        signature: Signature = pick(output, None)
        address = f"net.inputs.{name}"
        if name not in sent:
            if name in needed:
                hint = suggest(name, sent) or f"it sends {', '.join(sent)}"
                faults.append(Fault(address, f"the data sends no field {name!r}", hint=hint))
            continue
        shape, dtype = sent[name]
        if tuple(shape) != signature.shape:
            rule = f"the data sends {list(shape)}, the net takes {list(signature.shape)}"
            faults.append(Fault(address, rule))
        elif dtype.is_floating_point != signature.dtype.is_floating_point:
            rule = f"the data sends {_word(dtype)}, the net takes {_word(signature.dtype)}"
            faults.append(Fault(f"{address}.dtype", rule))
    return faults


def check_reset(field: str | None, sent: Kinds, phase: Phase) -> list[Fault]:
    """Why a field cannot say which streams begin anew; nothing if it can.

    Args:
        field: what `run.reset` names; None if nothing is reset.
        sent: what the data send in the phase.
        phase: train, val or test.
    """
    if field is None:
        return []
    if field not in sent:
        hint = suggest(field, sent) or f"it sends {', '.join(sent)}"
        return [Fault("run.reset", f"the data sends no such field in the {phase} phase", field, hint=hint)]
    shape, dtype = sent[field]
    if tuple(shape) or dtype.is_floating_point or dtype.is_complex:
        rule = "must hold one truth value for each stream, or count its frames from 0"
        return [Fault("run.reset", rule, f"{field}: {list(shape)}, {_word(dtype)}")]
    return []


def check_sequences(net: Net, sent: Kinds, reset: str | None, has_state: bool) -> list[Fault]:
    """Whether a net and a run are told where sequences of unequal length begin, and where there are none.

    Args:
        net: what reads them.
        sent: what the data send; nothing is asked of data that are no sequences.
        reset: the field that says which streams begin anew.
        has_state: whether anything is remembered from frame to frame.
    """
    if not sent.keys() >= {"begins", "ends", "mask"}:
        return []
    faults = []
    if not {"mask", "ends"} & set(net.inputs):
        rule = "the data are sequences of unequal length, and nothing tells a loss where a stream has none left"
        hint = "add the input `mask: {dtype: bool}`, and read it third: `from: [scores, label, mask]`"
        faults.append(Fault("net.inputs", rule, hint=hint))
    if has_state and reset is None:
        rule = "must be begins, as sequences begin from a state of zeros; FrameArrays gives streams that go on"
        faults.append(Fault("run.reset", rule))
    return faults


def as_inputs(net: Net, given: Mapping[str, Any], double: bool = False) -> dict[str, Tensor]:
    """A batch that was handed in as tensors that the net takes.

    Args:
        net: what reads them.
        given: by name of its inputs: tensors, arrays or lists, one example after the other.
        double: whether the net computes in float64.

    Raises:
        RequestError: a name is unknown, or a shape or kind is another; holds every fault.
    """
    taken: dict[str, Tensor] = {}
    faults = []
    for name, value in given.items():
        if name not in net.inputs:
            hint = suggest(name, net.inputs) or f"the net takes {', '.join(net.inputs)}"
            faults.append(Fault(f"net/{name}", "unknown input", hint=hint))
            continue
        signature: Signature = pick(net.inputs[name], None)
        try:
            tensor = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError) as error:
            faults.append(Fault(f"net/{name}", f"must be an array of numbers: {error}"))
            continue
        shape = list(signature.shape)
        if list(tensor.shape[1:]) != shape or not tensor.dim():
            faults.append(Fault(f"net/{name}", f"takes {shape} for each example of a batch", list(tensor.shape)))
        elif tensor.is_floating_point() != signature.dtype.is_floating_point:
            rule = f"takes numbers of type {_word(signature.dtype)}"
            faults.append(Fault(f"net/{name}", rule, _word(tensor.dtype)))
        else:
            wide = double and tensor.is_floating_point()
            taken[name] = tensor.to(torch.float64 if wide else signature.dtype)
    if faults:
        raise RequestError(faults)
    sizes = {name: len(tensor) for name, tensor in taken.items()}
    if len(set(sizes.values())) > 1:
        raise RequestError(Fault("net", "all inputs must have as many examples", sizes))
    return taken


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
