"""What a frame sends, where most of it stands in groups: views that are made when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rillnet.model.net import Outputs


class GroupedOutputs(Outputs):
    """What blocks sent, by name; a view of a group is made when somebody looks at it.

    Args:
        names: all of them, in order.
        direct: what stands alone, by name.
        places: for all others the register and the row.
        stacked: values of groups, by register.

    Example:
        >>> import torch
        >>> outputs = GroupedOutputs(["a", "b"], {}, {"a": (0, 0), "b": (0, 1)}, {0: torch.tensor([[1.0], [2.0]])})
        >>> list(outputs), outputs["b"], "c" in outputs
        (['a', 'b'], tensor([2.]), False)
    """

    def __init__(
        self,
        names: Sequence[str],
        direct: Mapping[str, Any],
        places: Mapping[str, tuple[int, int | None]],
        stacked: Mapping[int, Any],
    ) -> None:
        super().__init__(direct)
        self._names: Sequence[str] | None = names
        self._places, self._stacked = places, stacked

    def __missing__(self, name: str) -> Any:
        if self._names is not None and name in self._places:
            register, row = self._places[name]
            value = self._stacked[register][row]
            super().__setitem__(name, value)
            return value
        self._fill()
        return super().__missing__(name)

    def _fill(self) -> None:
        """Makes all views, after which this is an ordinary dict."""
        names, self._names = self._names, None
        if names is None:
            return
        rows: dict[int, Any] = {}
        found: dict[str, Any] = {}
        for name in names:
            if name in self._places and not super().__contains__(name):
                register, row = self._places[name]
                if register not in rows:
                    rows[register] = self._stacked[register].unbind(0)
                found[name] = rows[register][row]
            else:
                found[name] = super().__getitem__(name)
        added = {name: value for name, value in super().items() if name not in found}
        super().clear()
        super().update({**found, **added})
        self._stacked = {}

    def get(self, name: str, default: Any = None) -> Any:
        """What a block sent, or the default for one that was not computed."""
        if name in self:
            return self[name]
        return default

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (self._names is not None and name in self._places)

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._fill()
        return super().__reversed__()

    def __len__(self) -> int:
        self._fill()
        return super().__len__()

    def __eq__(self, other: object) -> bool:
        self._fill()
        return super().__eq__(other)

    def __repr__(self) -> str:
        self._fill()
        return super().__repr__()

    def __delitem__(self, name: str) -> None:
        self._fill()
        super().__delitem__(name)

    def keys(self) -> Any:
        """As of any dict."""
        self._fill()
        return super().keys()

    def values(self) -> Any:
        """As of any dict."""
        self._fill()
        return super().values()

    def items(self) -> Any:
        """As of any dict."""
        self._fill()
        return super().items()

    def pop(self, *arguments: Any) -> Any:
        """As of any dict."""
        self._fill()
        return super().pop(*arguments)

    def copy(self) -> Outputs:
        """A copy in which all views are made."""
        self._fill()
        return Outputs(super().items())
