"""Any source of images as a stream: each image is held for a drawn number of frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rillnet.data.examples import Examples
from rillnet.data.held import Duration, HeldImages
from rillnet.data.source import Source
from rillnet.errors import Fault, RequestError
from rillnet.registry import Family, signature_of
from rillnet.spec import Phase, TypedSpec


class ImageStream:
    """The examples of another source, each shown for some frames; fresh noise is a matter of `data.prepare`.

    Fields: those of the source, and `onset`, int64: frames since the example appeared.

    Args:
        of: the source, `{type: MNIST, root: data/mnist}`.
        duration: frames for which an example is shown, or the fewest and the most of them.
        fading: frames in which the example before fades away.
        frames: how many frames count as an epoch.
        evaluation_frames: how many frames an evaluation looks at.
        sources: the family that `of` is a member of; the experiment supplies it.
        base: the folder that relative paths are relative to.
        workers: processes that decode files.
    """

    def __init__(
        self,
        of: str | dict[str, Any],
        duration: Duration = 6,
        fading: Annotated[int, Field(ge=0)] = 0,
        frames: Annotated[int, Field(ge=1)] = 500,
        evaluation_frames: Annotated[int, Field(ge=1)] = 100,
        *,
        sources: Family[Source] | None = None,
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        record = TypedSpec.model_validate(of if isinstance(of, str | Mapping) else {"type": of})
        self._record, self._sources = record, sources
        self._supplied = {"base": base, "workers": workers, "sources": sources}
        self._of: Source | None = None
        if sources is not None:
            faults = sources.check(record, "of", omit=tuple(self._supplied))
            if faults:
                raise RequestError(faults)
        self.duration, self.fading = duration, fading
        self.frames, self.evaluation_frames = frames, evaluation_frames

    def phases(self) -> tuple[Phase, ...]:
        """Those of the source."""
        return self._opened().phases()

    def examples(self, phase: Phase) -> HeldImages:
        """The streams of a phase.

        Raises:
            RequestError: the source cannot be read at any position.
        """
        examples = self._opened().examples(phase)
        if not isinstance(examples, Examples):
            raise RequestError(Fault("data.source.of", "must be a source whose examples can be read in any order"))
        frames = self.frames if phase == "train" else self.evaluation_frames
        return HeldImages(examples, phase, self.duration, self.fading, frames)

    def _opened(self) -> Source:
        if self._of is None:
            if self._sources is None:
                raise RequestError(Fault("data.source.of", "needs the family of sources: open it through open_data"))
            taken = signature_of(self._sources.find(self._record.type))
            supplied = {name: value for name, value in self._supplied.items() if name in taken}
            self._of = self._sources.build(self._record, **supplied)
        return self._of
