"""Any source of images as a stream: each image is held for some frames, under fresh noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rillnet.data.examples import Examples
from rillnet.data.held import Duration, HeldImages, Holding, NoiseType, durations
from rillnet.data.inner import InnerSource
from rillnet.data.source import Source
from rillnet.data.transforms.transform import Range, ordered
from rillnet.errors import Fault, RequestError
from rillnet.registry import Family
from rillnet.spec import Phase


class ImageStream(Holding):
    """The examples of another source, each shown for some frames.

    Fields: those of the source, and `onset`, int64: frames since the example appeared; with `in_step` also `begins`,
    truth values: whether a sequence begins with this frame.

    Args:
        of: the source, `{type: MNIST, root: data/mnist}`.
        duration: frames for which an example is shown, or the fewest and the most of them.
        fading: frames in which the example before fades away.
        noise: standard deviation of noise on floating fields, fresh in every frame of every phase; 0 is none.
        noise_type: normal or uniform.
        clip: lowest and highest value under noise; None leaves values as they come.
        in_step: all streams go on to the next example in the same frame, so that streams are sequences of one example
            and of one length. In a pass each example comes once, in a drawn order when training.
        frames: how many frames count as an epoch; None is 500, or in step a pass over all examples.
        evaluation_frames: how many frames an evaluation looks at; None is 100, or in step a pass.
        sources: the family that `of` is a member of; the experiment supplies it.
        base: the folder that relative paths are relative to.
        workers: processes that decode files.

    Source:
        The interfaces of statestream, and the sequences of V. Fischer et al., NeurIPS 2018, arXiv 1806.04965.
    """

    def __init__(
        self,
        of: str | dict[str, Any],
        duration: Duration = 6,
        fading: Annotated[int, Field(ge=0)] = 0,
        noise: Annotated[float, Field(ge=0)] = 0.0,
        noise_type: NoiseType = "normal",
        clip: Range | None = (0.0, 1.0),
        in_step: bool = False,
        frames: Annotated[int, Field(ge=1)] | None = None,
        evaluation_frames: Annotated[int, Field(ge=1)] | None = None,
        *,
        sources: Family[Source] | None = None,
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        durations(duration, in_step)
        self._of = InnerSource(of, "of", sources, base, workers)
        self.duration, self.fading, self.in_step = duration, fading, in_step
        self.noise, self.noise_type, self.clip = noise, noise_type, ordered("clip", clip)
        self.frames, self.evaluation_frames = frames, evaluation_frames or (None if in_step else 100)

    def phases(self) -> tuple[Phase, ...]:
        """Those of the source."""
        return self._of.open().phases()

    def examples(self, phase: Phase) -> HeldImages:
        """The streams of a phase.

        Raises:
            RequestError: the source cannot be read at any position.
        """
        examples = self._of.open().examples(phase)
        if not isinstance(examples, Examples):
            raise RequestError(Fault("data.source.of", "must be a source whose examples can be read in any order"))
        frames = self.frames if phase == "train" else self.evaluation_frames
        return self.hold(examples, phase, frames)
