"""How losses and metrics are split: every process adds up its part, and all then have the sum."""

from __future__ import annotations

from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.metrics import Accuracy
from rillnet.runtime.placement.boxes import Box
from rillnet.runtime.placement.partition import Partition, Shape, Split, image_splits


class Counted(Partition):
    """A loss or metric; a box is of what it reads first: examples, and features or rows where these are split."""

    @property
    def extent(self) -> Shape:
        """Sizes of its first source where that is split, otherwise none."""
        return self.reads[0] if self.has_classes or self._is_elementwise or self._is_by_pixel else ()

    def splits(self) -> dict[str, Split]:
        """The batch; classes of a cross-entropy; rows of labels; anything that is compared number by number."""
        if self.has_classes:
            return {"batch": Split(0), "feature": Split(1)}
        if self._is_elementwise:
            return image_splits(self.reads[0])
        return {"batch": Split(0), "space": Split(2)} if self._is_by_pixel else {"batch": Split(0)}

    @property
    def has_classes(self) -> bool:
        """Whether the scores that it reads may be split by class."""
        scores_first = len(self.reads) == 2 and len(self.reads[0]) == 1 and not self.reads[1]
        return type(self.module) is CrossEntropy and scores_first and not self.module.label_smoothing

    @property
    def _is_elementwise(self) -> bool:
        kinds = (MeanSquaredError, BinaryCrossEntropy)
        return type(self.module) in kinds and self.reads[0] == self.reads[1]

    @property
    def _is_by_pixel(self) -> bool:
        """Whether there is a label for every pixel."""
        reads = self.reads
        kinds = (CrossEntropy, Accuracy)
        return type(self.module) in kinds and len(reads) > 1 and len(reads[0]) > 1 and reads[1] == reads[0][1:]

    def needs(self, box: Box) -> list[Box]:
        """The same examples; of what has rows the same rows."""
        whole_of_them = super().needs(box)
        if not self.extent:
            return whole_of_them
        if self.has_classes:
            return [box, *whole_of_them[1:]]
        if self._is_elementwise:
            return [box[: len(shape) + 1] for shape in self.reads]
        by_pixel = (box[0], *box[2:])
        return [box, *(by_pixel[: len(shape) + 1] for shape in self.reads[1:])]
