"""What stands at one address: what it is, what its value is, and how it is changed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True)
class AddressInfo:
    """What there is to know of an address.

    Args:
        address: it.
        kind: parameter, buffer, gradient, output, state, setting, rate, active, number, clock, metric, scalar, control.
        shape: of a tensor; None for what is none. Of outputs and states that of one example.
        dtype: of a tensor, `float32`.
        writable: whether `set` changes it.
        value_if_scalar: the number or word there; None for tensors, and for what would have to be waited for.
    """

    address: str
    kind: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    writable: bool = False
    value_if_scalar: Any = None

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON says it."""
        return {
            "address": self.address,
            "kind": self.kind,
            "shape": None if self.shape is None else list(self.shape),
            "dtype": self.dtype,
            "writable": self.writable,
            "value": self.value_if_scalar,
        }


class Place(ABC):
    """Base of what stands at addresses.

    Args:
        address: where.
    """

    kind = "number"

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def read(self) -> Any:
        """What stands there."""

    def info(self) -> AddressInfo:
        """What there is to know of it."""
        value = self.read()
        return AddressInfo(self.address, self.kind, writable=self.is_writable, value_if_scalar=value)

    @property
    def is_writable(self) -> bool:
        """Whether it can be set."""
        return type(self).write is not Place.write

    def check(self, value: Any) -> None:
        """Looks whether it can be set to a value.

        Raises:
            RequestError: it cannot be set, or not to this.
        """
        raise RequestError(Fault(self.address, "cannot be set"))

    def write(self, value: Any) -> Undo:
        """Sets it.

        Args:
            value: one that `check` has let pass.

        Returns:
            What puts back what was there.
        """
        raise RequestError(Fault(self.address, "cannot be set"))

    def back_to(self, before: Any) -> Undo:
        """What writes a value again.

        Args:
            before: the value.
        """

        def write_again() -> None:
            self.write(before)

        return write_again

    def sum(self, value: Any) -> Any:
        """What it would be with something added.

        Args:
            value: what is added.

        Raises:
            RequestError: nothing can be added to it.
        """
        now = self.read()
        if not is_number(now) or not is_number(value):
            raise RequestError(Fault(self.address, "must be a number, and so must what is added", value))
        return now + value


class Reading(Place):
    """Something that is only read.

    Args:
        address: where.
        kind: what it is.
        read: gives its value.
    """

    def __init__(self, address: str, kind: str, read: Callable[[], Any]) -> None:
        super().__init__(address)
        self.kind = kind
        self._read = read

    def read(self) -> Any:
        """What stands there."""
        return self._read()

    def info(self) -> AddressInfo:
        """What there is to know of it; a tensor is not waited for."""
        value = self._read()
        if isinstance(value, Tensor):
            return AddressInfo(self.address, self.kind, tuple(value.shape), dtype_name(value))
        return AddressInfo(self.address, self.kind, value_if_scalar=value)


def is_number(value: Any) -> bool:
    """Whether a value is a number and finite; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def dtype_name(tensor: Tensor) -> str:
    """`float32`."""
    return str(tensor.dtype).removeprefix("torch.")
