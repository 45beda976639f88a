"""Interventions as records: what is asked for, what is in force, and how a checkpoint holds it."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatNet, FlatSource, outputs_of, part
from rillnet.model.shapes import Signature
from rillnet.runtime.interventions.regions import decoded, encoded
from rillnet.runtime.interventions.targets import Port, Target, Units
from rillnet.runtime.interventions.values import Drawn, Value, read_value

Kind = Literal["clamp", "noise", "lesion"]


@dataclass(frozen=True, eq=False, slots=True)
class Clamp:
    """Has units send a value, whatever the block computes.

    Args:
        value: see `rillnet.runtime.interventions.values.read_value`.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Noise:
    """Adds normal noise to what units send, drawn anew in every frame.

    Args:
        std: its standard deviation.
    """

    std: float


@dataclass(frozen=True, slots=True)
class Lesion:
    """Has units send zeros; or an edge, so that its reader sees zeros."""


What = Clamp | Noise | Lesion

KIND: dict[type[Any], Kind] = {Clamp: "clamp", Noise: "noise", Lesion: "lesion"}


@dataclass(frozen=True, eq=False, slots=True)
class InForce:
    """An intervention in force.

    Args:
        kind: clamp, noise or lesion.
        target: units of one tensor, or one edge.
        order: later ones of a kind win.
        value: of a clamp, or what noise is drawn from.
        said: the value, as it was said.
        drawn_as: the target as it was first written, which tells what is drawn, also where units were taken out since.
    """

    kind: Kind
    target: Target
    order: int
    value: Value | None = None
    said: Any = None
    drawn_as: str = ""

    @property
    def text(self) -> str:
        """The target, as it is written."""
        return self.target.text

    @property
    def key(self) -> tuple[str, str, bytes]:
        """Equal for interventions of which a later one takes an earlier one's place."""
        units = self.target
        is_drawn = isinstance(units, Units) and units.mask is not None and not units.indices
        return self.kind, self.text, _packed(units.mask) if is_drawn else b""  # type: ignore[union-attr, arg-type]

    @property
    def mask(self) -> Tensor | None:
        """The units, as truth values; None for all."""
        return self.target.mask if isinstance(self.target, Units) else None

    def described(self) -> dict[str, Any]:
        """What there is to know of it, as JSON says it."""
        found: dict[str, Any] = {"kind": self.kind, "target": self.text}
        if isinstance(self.target, Port):
            port = self.target
            return {**found, "edge": {"from": port.source.name, "to": port.reader, "port": port.port}}
        units = self.target
        found |= {"block": units.source.block, "tensor": units.source.name}
        total = math.prod(units.signature.shape)
        found |= {"units": total if units.mask is None else int(units.mask.sum()), "of": total}
        if units.mask is not None:
            found["mask"] = encoded(units.mask)
        if self.kind != "lesion":
            found["value"] = self.said
        return found

    def record(self) -> dict[str, Any]:
        """All of it, as JSON says it; `of_record` reads it."""
        found: dict[str, Any] = {"kind": self.kind, "text": self.text, "order": self.order, "said": self.said}
        if isinstance(self.target, Port):
            source = self.target.source
            return {
                **found,
                "edge": [source.block, list(source.place), self.target.reader, self.target.port],
            }
        units = self.target
        found |= {"tensor": [units.source.block, list(units.source.place)], "shape": list(units.signature.shape)}
        found["indices"] = [_written(index) for index in units.indices]
        found["mask"] = None if units.mask is None else encoded(units.mask)
        found["value"], found["drawn_as"] = _encoded_value(self.value), self.drawn_as
        return found

    @classmethod
    def of_record(cls, flat: FlatNet, record: Mapping[str, Any]) -> InForce | None:
        """The intervention that a record says; None where its block or edge is no longer there, or of another shape.

        Args:
            flat: the net.
            record: as `record` gives it.
        """
        target = _target(flat, record)
        if target is None:
            return None
        value = _decoded_value(record.get("value"), target)
        said, drawn_as = record.get("said"), record.get("drawn_as", "")
        return cls(record["kind"], target, int(record["order"]), value, said, drawn_as)


def prepared(what: What, target: Target, order: int) -> InForce:
    """What is asked for, for one target.

    Args:
        what: clamp, noise or lesion.
        target: what it acts on.
        order: see `InForce`.

    Raises:
        RequestError: it cannot be.
    """
    kind = KIND[type(what)]
    if isinstance(what, Lesion):
        return InForce(kind, target, order)
    if isinstance(target, Port):
        rule = f"is an edge, which can be lesioned only; {kind} acts on a block or an input"
        raise RequestError(Fault(f"net/{target.text}", rule, hint=f"as in {kind} {target.source.name} ..."))
    if isinstance(what, Clamp):
        value = read_value(what.value, target.signature, target.indices, target.address)
        return InForce(kind, target, order, value, _said(what.value), target.text)
    std = what.std
    is_number = isinstance(std, int | float) and not isinstance(std, bool)
    if not is_number or not math.isfinite(std) or std < 0:
        raise RequestError(Fault(target.address, "the standard deviation of noise must be a number, at least 0", std))
    if not target.signature.dtype.is_floating_point:
        raise RequestError(Fault(target.address, "sends whole numbers, to which no noise is added"))
    return InForce(kind, target, order, Drawn("normal", 0.0, float(std)), float(std), target.text)


def _said(value: Any) -> Any:
    """A value in a few words: itself if it is short."""
    if isinstance(value, str | int | float):
        return value
    shape = list(torch.as_tensor(value).shape)
    if shape == [] or math.prod(shape) <= _FEW:
        return torch.as_tensor(value).tolist()
    return f"array {shape}"


_FEW = 16  # numbers of a value that are told one by one


def _packed(mask: Tensor) -> bytes:
    return np.packbits(mask.numpy().reshape(-1)).tobytes()


def _written(index: int | slice) -> int | list[int | None]:
    return index if isinstance(index, int) else [index.start, index.stop, index.step]


def _target(flat: FlatNet, record: Mapping[str, Any]) -> Target | None:
    if "edge" in record:
        block, place, reader, number = record["edge"]
        sources = flat.blocks[reader].sources if reader in flat.blocks else ()
        source = FlatSource(block, tuple(place))
        if number >= len(sources) or (sources[number].block, sources[number].place) != (block, source.place):
            return None
        return Port(reader, number, source, record["text"])
    source = FlatSource(record["tensor"][0], tuple(record["tensor"][1]))
    signature = _signature(flat, source)
    if signature is None or list(signature.shape) != list(record["shape"]):
        return None
    mask = None if record["mask"] is None else decoded(record["mask"], signature.shape, f"net/{source.name}")
    indices = tuple(one if isinstance(one, int) else slice(*one) for one in record["indices"])
    return Units(source, signature, indices, mask, record["text"])


def _signature(flat: FlatNet, source: FlatSource) -> Signature | None:
    if source.block in flat.inputs:
        whole = flat.inputs[source.block]
    elif source.block in flat.blocks:
        whole = flat.blocks[source.block].output
    else:
        return None
    if source.place not in [place for place, _ in outputs_of(whole)]:
        return None
    found: Signature = part(whole, source.place)
    return found


def _encoded_value(value: Value | None) -> Any:
    if value is None:
        return None
    if isinstance(value, Drawn):
        return [value.kind, value.first, value.second]
    flat = value.reshape(-1)
    if flat.numel() == 0 or bool((flat == flat[0]).all()):
        return float(flat[0]) if flat.numel() else 0.0
    return base64.b64encode(zlib.compress(value.numpy().astype("<f8").tobytes())).decode()


def _decoded_value(told: Any, target: Target) -> Value | None:
    if told is None or isinstance(target, Port):
        return None
    if isinstance(told, list):
        return Drawn(told[0], told[1], told[2])
    shape = target.signature.shape
    if isinstance(told, str):
        numbers = np.frombuffer(zlib.decompress(base64.b64decode(told)), dtype="<f8")
        return torch.from_numpy(numbers.astype(np.float64)).reshape(shape)
    return torch.full(shape, float(told), dtype=torch.float64)
