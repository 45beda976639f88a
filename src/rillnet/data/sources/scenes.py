"""Scenes: several images of another source on one canvas, with the class of every pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.examples import ArrayExamples, Examples
from rillnet.data.inner import InnerSource
from rillnet.data.ordering import generator
from rillnet.data.source import Source
from rillnet.errors import Fault, RequestError
from rillnet.registry import Family
from rillnet.spec import Phase

Size = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]


class Scenes:
    """Images of another source at random places of a canvas; a net is to say of every pixel what it belongs to.

    Fields: `image`, float32 [channels, height, width] in [0, 1]; `classes`, int64 [height, width]: of each pixel the
    label of the image that it belongs to, or one more than the largest label for the background; `is_object`, truth
    values [height, width]: whether it belongs to an image.

    There are as many scenes as the source has images. What stands where is drawn once and for all from a fixed seed.

    Args:
        of: a source of fields `image` and `label`, `{type: MNIST, root: data/mnist}`.
        size: height and width of the canvas.
        count: images on it; a later one lies above those before.
        threshold: a pixel of an image belongs to it where it is brighter.
        sources: the family that `of` is a member of; the experiment supplies it.
        base: the folder that relative paths are relative to.
        workers: processes that decode files.

    Source:
        The segmentation interface of statestream.
    """

    def __init__(
        self,
        of: str | dict[str, Any],
        size: Size,
        count: Annotated[int, Field(ge=1)] = 3,
        threshold: Annotated[float, Field(ge=0, lt=1)] = 0.25,
        *,
        sources: Family[Source] | None = None,
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        self._of = InnerSource(of, "of", sources, base, workers)
        self.size, self.count, self.threshold = tuple(size), count, threshold

    def phases(self) -> tuple[Phase, ...]:
        """Those of the source."""
        return self._of.open().phases()

    def examples(self, phase: Phase) -> ArrayExamples:
        """The scenes of a phase.

        Raises:
            RequestError: the source cannot be read at any position, has no labelled images, or larger ones.
        """
        examples = self._of.open().examples(phase)
        if not isinstance(examples, Examples) or not {"image", "label"} <= set(examples.fields()):
            raise RequestError(Fault("data.source.of", "must be a source of labelled images, read in any order"))
        sizes = examples.fields()["image"][0][1:]
        if len(sizes) != 2 or any(own < inner for own, inner in zip(self.size, sizes, strict=True)):
            raise RequestError(Fault("data.source.size", f"must hold images of {list(sizes)}", list(self.size)))
        whole = examples.gather(torch.arange(len(examples)))
        fields = self._composed(whole["image"], whole["label"], phase)
        return ArrayExamples(fields, scale=("image",), address=f"scenes.{phase}")

    def _composed(self, image_NCXY: Tensor, label_N: Tensor, phase: Phase) -> dict[str, Tensor]:
        """All scenes at once; bytes, of which batches are made numbers."""
        scenes, channels, *inner = image_NCXY.shape
        background = int(label_N.max()) + 1
        canvas_NXYC = torch.zeros(scenes, *self.size, channels)
        classes_NXY = torch.full((scenes, *self.size), background, dtype=torch.uint8)
        scene_N11 = torch.arange(scenes)[:, None, None]
        for layer in range(self.count):
            random = generator(0, "scenes", phase, layer)
            shown_N = torch.randperm(scenes, generator=random)
            x_NX1, y_N1Y = (
                (torch.randint(whole - own + 1, (scenes, 1), generator=random) + torch.arange(own)).unsqueeze(dim)
                for whole, own, dim in zip(self.size, inner, (2, 1), strict=True)
            )
            there = scene_N11, x_NX1, y_N1Y
            added_NXYC = image_NCXY[shown_N].permute(0, 2, 3, 1)
            is_own_NXY = added_NXYC.amax(3) > self.threshold
            canvas_NXYC[there] = torch.where(is_own_NXY[..., None], added_NXYC, canvas_NXYC[there])
            classes_NXY[there] = torch.where(
                is_own_NXY, label_N[shown_N, None, None].to(torch.uint8), classes_NXY[there]
            )
        image = canvas_NXYC.permute(0, 3, 1, 2).mul(255).round().to(torch.uint8).contiguous()
        return {"image": image, "classes": classes_NXY, "is_object": classes_NXY != background}
