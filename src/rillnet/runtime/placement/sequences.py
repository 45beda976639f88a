"""How torch's layers for sequences are split: by the batch, and by the units of all of their layers."""

from __future__ import annotations

from rillnet.model.shapes import Signature
from rillnet.runtime.placement.boxes import Box, whole
from rillnet.runtime.placement.partition import Partition, Split


class Sequential(Partition):
    """RNN, GRU and LSTM: each example alone, or some units of every layer, each with the rows of all its gates.

    A unit needs all units of its layer after each element of the sequence. It sends one range of features if the layer
    has one direction and sends its units themselves.
    """

    tells_leaves = True

    @property
    def batch_dim(self) -> int:
        """Where the batch stands in the sequence."""
        return 0 if self.module.batch_first else 1

    def splits(self) -> dict[str, Split]:
        """The batch and the units, unless numbers are drawn."""
        if self.module.dropout:
            return {}
        found = {"batch": Split(0)}
        if not self.module.bidirectional and not self.module.proj_size:
            found["feature"] = Split(len(self.sends))
        return found

    def gates(self) -> int:
        """How many rows of the weights each unit has."""
        return {"LSTM": 4, "GRU": 3}.get(self.module.mode, 1)

    def parameters(self, box: Box) -> dict[str, tuple[Box, ...]]:
        """The rows of its units, gate by gate, of every layer."""
        if "feature" not in self.splits():
            return super().parameters(box)
        units, (low, high) = self.sends[-1], box[-1]
        spans = [(gate * units + low, gate * units + high) for gate in range(self.gates())]
        return {name: tuple((span, *whole(shape[1:])) for span in spans) for name, shape in self.shapes.items()}

    def holds(self, signature: Signature, box: Box) -> Box:
        """Of the sequence and of the state, which has the layers first, its examples and its units."""
        found = super().holds(signature, box)
        return (*found[:-1], box[-1]) if "feature" in self.splits() else found
