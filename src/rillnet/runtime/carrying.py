"""What is known of a net by address, carried over to the same net after an edit: what stays, stays bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from rillnet.model.editing.edits import Edited
from rillnet.model.editing.growth import Growth, Resize
from rillnet.model.net import Net

_PART = {"type", "groups", "state", "without", "numbers"}
"""The keys of what an optimiser on a part of the net keeps as JSON."""


@dataclass
class Carrying:
    """How what is kept by address fits a net after an edit.

    Args:
        before: addresses of parameters and buffers before the edit, with their shapes.
        after: those of the net now.
        resized: those that have another shape now.
        outputs: how what blocks send grew, by the block's path.
        returned: what rules kept of parameters that come back, by rule.
    """

    before: dict[str, tuple[int, ...]]
    after: dict[str, tuple[int, ...]]
    resized: Mapping[str, Resize] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    returned: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, net: Net, found: Edited, returned: Mapping[str, Mapping[str, Tensor]] | None = None) -> Carrying:
        """From a net to a draft of it."""
        return cls(_shapes(net), _shapes(found.net), found.resized, found.outputs, returned or {})

    @property
    def added(self) -> list[str]:
        """What was not there before."""
        return [address for address in self.after if address not in self.before]

    def by_address(self, kept: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of parameters, each under its address and a name after `#`.

        Args:
            kept: before the edit.
            fresh: after it, where there is nothing to keep.
        """
        found = {}
        for key, tensor in fresh.items():
            address, old = _address(key), kept.get(key)
            resize = self.resized.get(address)
            if old is None:
                found[key] = tensor
            elif resize is not None and tuple(old.shape) == resize.before and tuple(tensor.shape) == resize.after:
                found[key] = resize.into(old, tensor)
            else:
                found[key] = old if old.shape == tensor.shape else tensor
        return found

    def state(self, kept: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state of a program, by slot.

        Args:
            kept: what the last frame left.
            fresh: zeros, for each slot that there is now.
        """
        found = {}
        for key, tensor in fresh.items():
            old = kept.get(key)
            if old is None:
                found[key] = tensor
            elif old.shape == tensor.shape:
                found[key] = old
            else:
                growth = self._growth_of(key)
                resize = _batched(growth, old.shape, tensor.shape) if growth is not None else None
                found[key] = tensor if resize is None else resize.into(old, tensor)
        return found

    def _growth_of(self, slot: str) -> Growth | None:
        """How what stands in a slot, `lstm[1]@2`, grew."""
        name, _, places = slot.partition("@")[0].partition("[")
        grown = self.outputs.get(name)
        for place in filter(None, places.replace("]", "").split("[")):
            grown = grown[int(place)] if isinstance(grown, tuple) else None
        return grown if isinstance(grown, Growth) else None

    # --- what rules keep ----------------------------------------------------------------------

    def left(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Tensor]:
        """What a rule keeps of parameters that are gone, or have lost numbers, after the edit, should they come back.

        Args:
            tensors: before the edit.
            values: before the edit, as JSON has it.
        """
        gone = {*(address for address in self.before if address not in self.after), *self.resized}
        if any(part["numbers"] for part in _parts(values)):  # then the tensors are not all there is
            return {}
        return {key: tensor.clone() for key, tensor in tensors.items() if _address(key) in gone}

    def rule(
        self, name: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any], fresh: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a learning rule keeps.

        Args:
            name: of the rule.
            tensors: before the edit.
            values: before the edit, as JSON has it.
            fresh: what the rule says as JSON after it, when it has done nothing yet.

        Returns:
            What it is to go on from; what cannot be carried over begins anew.
        """
        found: dict[str, Tensor] = {}
        anew: list[str] = []
        for key, tensor in tensors.items():
            address = _address(key)
            if address not in self.before:
                if not (self.resized and address not in self.after):
                    found[key] = tensor
            elif address not in self.after:
                continue
            elif address not in self.resized or not tensor.dim():
                found[key] = tensor
            elif tuple(tensor.shape) == self.resized[address].before:
                resize, earlier = self.resized[address], self.returned.get(name, {}).get(key)
                if earlier is None or tuple(earlier.shape) != resize.after:
                    earlier = tensor.new_zeros(resize.after)
                found[key] = resize.into(tensor, earlier)
            else:
                anew.append(address)
        found = {key: tensor for key, tensor in found.items() if _address(key) not in anew}
        back = {key: one for key, one in self.returned.get(name, {}).items() if _address(key) in self.added}
        known = {_address(key) for key in back}
        added = [address for address in self.added if address not in known]
        return {**found, **back}, self._values(values, fresh, [*added, *anew])

    def _values(self, values: Any, fresh: Any, without: Sequence[str]) -> Any:
        if isinstance(values, Mapping) and isinstance(fresh, Mapping):
            if values.keys() >= _PART and fresh.keys() >= _PART:
                return self._part(values, fresh, without)
            return {
                key: self._values(value, fresh[key], without) if key in fresh else value
                for key, value in values.items()
            }
        if isinstance(values, list) and isinstance(fresh, list) and len(values) == len(fresh):
            return [self._values(one, other, without) for one, other in zip(values, fresh, strict=True)]
        return values

    def _part(self, values: Mapping[str, Any], fresh: Mapping[str, Any], without: Sequence[str]) -> dict[str, Any]:
        """What an optimiser keeps: its groups are told by their factors."""
        known = dict(zip(map(tuple, values.get("factors", ())), values["groups"], strict=False))
        factors = [tuple(pair) for pair in fresh.get("factors", ())]
        groups = list(values["groups"])
        if factors:
            groups = [known.get(pair, own) for pair, own in zip(factors, fresh["groups"], strict=True)]
        kept = [address for address in values["without"] if address in self.after]
        numbers = {
            key: number
            for key, number in values["numbers"].items()
            if _address(key) in self.after and _address(key) not in without
        }
        return {
            **values,
            **({"factors": fresh["factors"]} if factors else {}),
            "groups": groups,
            "without": [*kept, *without] if values["state"] else [],
            "numbers": numbers,
        }


def _parts(values: Any) -> Iterator[Mapping[str, Any]]:
    """What optimisers keep, wherever it stands."""
    if isinstance(values, Mapping):
        if values.keys() >= _PART:
            yield values
        else:
            for value in values.values():
                yield from _parts(value)
    elif isinstance(values, list):
        for value in values:
            yield from _parts(value)


Carry = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]
"""Takes tensors from before an edit, and those of after it that they are to replace."""


def _shapes(net: Net) -> dict[str, tuple[int, ...]]:
    return {address: tuple(tensor.shape) for address, tensor in net.state_by_address().items()}


def _address(key: str) -> str:
    """The address of a parameter in the key of a tensor that belongs to it, `optimizer/net/a/weight#exp_avg`."""
    name = key.partition("#")[0]
    return name[name.index("net/") :] if "net/" in name else name


def _batched(growth: Growth, before: Iterable[int], after: Iterable[int]) -> Resize | None:
    """The resize of a tensor of a batch, whose dimension for the batch stands before or after the one that grew."""
    old, new = tuple(before), tuple(after)
    dims = [dim for dim, (a, b) in enumerate(zip(old, new, strict=False)) if a != b]
    if len(old) != len(new) or len(dims) != 1 or (old[dims[0]], new[dims[0]]) != (growth.before, growth.after):
        return None
    return Resize(old, new, tuple(growth.at(dim) if dim == dims[0] else None for dim in range(len(old))))
