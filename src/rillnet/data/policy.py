"""How the examples of one phase are drawn into batches."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rillnet.data.ordering import generator
from rillnet.data.transforms.transform import Transform
from rillnet.spec import Phase


@dataclass(frozen=True, slots=True)
class Policy:
    """How the examples of one phase are drawn into batches.

    Args:
        phase: which phase; its name is part of what its draws are seeded with.
        batch_size: examples per batch.
        shuffle: draw a new order every epoch.
        drop_last: leave out a short last batch.
        seed: the experiment's seed.
        augment: random transforms, not applied in an evaluation pass.
        prepare: transforms that are always applied, after `augment`.
    """

    phase: Phase = "train"
    batch_size: int = 128
    shuffle: bool = False
    drop_last: bool = False
    seed: int = 0
    augment: tuple[Transform, ...] = ()
    prepare: tuple[Transform, ...] = ()

    def batches(self, examples: int) -> int:
        """Batches in an epoch of so many examples."""
        return examples // self.batch_size if self.drop_last else -(-examples // self.batch_size)

    def transform(self, fields: dict[str, Tensor], epoch: int, batch: int, augment: bool) -> dict[str, Tensor]:
        """The fields of one batch, augmented (as drawn for this epoch and batch) and prepared."""
        chosen = (*self.augment, *self.prepare) if augment else self.prepare
        if not chosen:
            return fields
        random = generator(self.seed, "data", self.phase, "augment" if augment else "evaluate", epoch, batch)
        for transform in chosen:
            fields = transform(fields, random)
        return fields
