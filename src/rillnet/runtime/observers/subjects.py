"""What stands behind watched addresses: a tensor of the net, what a block sends, a gradient, or a number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from rillnet.errors import AddressError, Fault, suggest
from rillnet.model.flat import FlatSource, outputs_of, part
from rillnet.model.rollout import Rollout
from rillnet.model.shapes import Signature
from rillnet.runtime.plan import slots_of

Kind = Literal["tensor", "gradient", "sent", "state", "number"]

_SENT = re.compile(r"output((?:\[\d+\])*)")
_NUMBERS = ("learning", "clock", "metrics", "scalars", "data", "control")
"""Where addresses of numbers begin."""

_GRADIENT = ".gradient"


@dataclass(frozen=True, slots=True)
class Subject:
    """What stands behind an address.

    Args:
        address: `net/conv1/weight`, `net/conv1/weight/gradient`, `net/conv1/output`, `net/conv1/state`, or a number's.
        kind: what it is.
        source: what sends it, where a block does.
        signature: what it is for one example, likewise.
        way: of a tensor, the modules that lead to the one that has it, and its name there.
        key: under which a state has the newest of what is sent.
    """

    address: str
    kind: Kind
    source: FlatSource | None = None
    signature: Signature | None = None
    way: tuple[str, ...] = ()
    key: str = ""

    @property
    def parameter(self) -> str:
        """The address of the parameter whose gradient it is."""
        return self.address.removesuffix("/gradient")

    def tensor(self, net: nn.Module) -> Tensor | None:
        """The parameter or buffer as it is now; None if it is there no more.

        Args:
            net: the net.
        """
        module: nn.Module | None = net
        for name in self.way[:-1]:
            module = module._modules.get(name) if module is not None else None
        if module is None:
            return None
        found = module._parameters.get(self.way[-1])
        return module._buffers.get(self.way[-1]) if found is None else found

    def shape(self, net: nn.Module, stream: int | None) -> tuple[int, ...] | None:
        """The shape of what is looked at; None where it is not known beforehand.

        Args:
            net: the net.
            stream: the one that is looked at, None for all.
        """
        if self.kind in ("tensor", "gradient"):
            found = self.tensor(net)
            return None if found is None else tuple(found.shape)
        if self.signature is None:
            return ()
        return self.signature.shape if stream is not None else self.signature.of_batch(1)

    def looked_at(self, value: Tensor, stream: int | None) -> Tensor | None:
        """One stream of what was sent, or all of it; None if there are not so many.

        Args:
            value: of the whole batch.
            stream: which one; None for all.
        """
        if stream is None or self.signature is None or not self.signature.batched:
            return value
        dim = self.signature.batch_dim
        return value.select(dim, stream) if stream < value.shape[dim] else None


class Subjects:
    """Finds what stands behind addresses.

    Numbers are looked for when they are read, as some are only there once the run has begun.

    Args:
        rollout: of the running net.
    """

    def __init__(self, rollout: Rollout) -> None:
        self.rollout, self.flat = rollout, rollout.flat
        self._found: dict[str, Subject] = {}

    @cached_property
    def kept(self) -> frozenset[FlatSource]:
        """What later frames read, and a state therefore has."""
        return frozenset(slot.source for slot in slots_of(self.rollout, self.flat.blocks, ()))

    def find(self, address: str) -> Subject:
        """What stands behind an address.

        Raises:
            AddressError: nothing does.
        """
        if address not in self._found:
            self._found[address] = self._find(address)
        return self._found[address]

    def _find(self, address: str) -> Subject:
        head, _, rest = address.partition("/")
        if head in _NUMBERS and rest:
            return Subject(address, "number")
        if head != "net" or not rest:
            hint = f"known: net/..., {', '.join(f'{name}/...' for name in _NUMBERS)}"
            raise AddressError(Fault(address, "unknown address", hint=hint))
        block, tail = self._divided(rest)
        if not block:
            tail = address.rpartition("/")[2]
            known = [f"net/{name}/{tail}" for name in (*self.flat.inputs, *self.flat.blocks, *self.flat.nested)]
            raise AddressError(Fault(address, "unknown address", hint=suggest(address, known)))
        match = _SENT.fullmatch(tail)
        if match is not None or tail == "state":
            return self._sent(address, block, match)
        return self._tensor(address, block, tail)

    def _divided(self, rest: str) -> tuple[str, str]:
        """The longest beginning that is a block, an input or a nested net, and what is left."""
        parts, flat = rest.split("/"), self.flat
        for count in range(len(parts) - 1, 0, -1):
            path = "/".join(parts[:count])
            if path in flat.blocks or path in flat.inputs or path in flat.nested:
                return path, "/".join(parts[count:])
        return "", rest

    def _sent(self, address: str, block: str, match: re.Match[str] | None) -> Subject:
        found, signature = self._leaf(address, block, re.findall(r"\d+", match[1]) if match is not None else [])
        if match is not None:
            return Subject(address, "sent", found, signature, key=f"{found.name}@1")
        if found not in self.kept:
            hint = f"net/{block}/output is what it sends in a frame"
            raise AddressError(Fault(address, "is not kept, as no later frame reads it", hint=hint))
        return Subject(address, "state", found, signature, key=f"{found.name}@1")

    def _leaf(self, address: str, block: str, numbers: list[str]) -> tuple[FlatSource, Signature]:
        """A single tensor that a block sends: one number counts them, several are the way to a nested one."""
        flat = self.flat
        leaves = []
        for source in flat.sent_by(block):
            output = flat.inputs[source.block] if source.block in flat.inputs else flat.blocks[source.block].output
            for place, signature in outputs_of(part(output, source.place)):
                leaves.append((FlatSource(source.block, (*source.place, *place)), signature, place))
        way = tuple(map(int, numbers))
        if len(way) <= 1 and (way or (0,))[0] < len(leaves):
            return leaves[way[0] if way else 0][:2]
        for found, signature, place in leaves:
            if place == way:
                return found, signature
        count = "one tensor" if len(leaves) == 1 else f"{len(leaves)} tensors"
        raise AddressError(Fault(address, f"is not there: the block sends {count}"))

    def _tensor(self, address: str, block: str, tail: str) -> Subject:
        name = tail.replace("/", ".")
        module = self.flat.net.get_submodule(block.replace("/", ".")) if block not in self.flat.inputs else nn.Module()
        known = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        own = name.removesuffix(_GRADIENT)
        if own != name and isinstance(known.get(own), nn.Parameter):
            return Subject(address, "gradient", way=(*block.split("/"), *own.split(".")))
        if name in known:
            return Subject(address, "tensor", way=(*block.split("/"), *name.split(".")))
        if isinstance(vars(module).get(name), int | float) and not name.startswith("_"):
            return Subject(address, "number")
        told = [f"net/{block}/{one.replace('.', '/')}" for one in known]
        raise AddressError(Fault(address, "unknown address", hint=suggest(address, [*told, f"net/{block}/output"])))


def as_tensor(value: object) -> Tensor | None:
    """A number as a tensor; None for what is none, such as a word.

    Example:
        >>> as_tensor(0.5), as_tensor("auto")
        (tensor(0.5000), None)
    """
    if isinstance(value, Tensor):
        return value.detach()
    return torch.tensor(value) if isinstance(value, int | float) else None
