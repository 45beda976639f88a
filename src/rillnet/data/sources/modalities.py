"""Several sources of frames at once: what is seen, what is heard, each with its own name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind
from rillnet.data.frames import Frames, PassFrames
from rillnet.data.generated import EpochFrames
from rillnet.data.inner import InnerSource
from rillnet.data.live import LiveSource
from rillnet.data.source import Source
from rillnet.errors import Fault, RequestError
from rillnet.random import derive
from rillnet.registry import Family
from rillnet.spec import Phase


class Modalities:
    """Frames of several sources side by side: in each frame, every stream shows one of each.

    Fields: those of the sources, `<name>_<field>`: `camera_image`, `sound_signal`. The sources draw independently of
    each other, so each switches at its own frames.

    Args:
        of: the sources by name, `{camera: {type: MovingEdges}, sound: {type: Oscillators, period: [8]}}`.
        frames: how many frames count as an epoch; None is the shortest epoch among the sources.
        evaluation_frames: how many frames an evaluation looks at; None is the shortest.
        sources: the family that the sources are members of; the experiment supplies it.
        base: the folder that relative paths are relative to.
        workers: processes that decode files.
    """

    def __init__(
        self,
        of: Annotated[dict[str, Any], Field(min_length=1)],
        frames: EpochFrames | None = None,
        evaluation_frames: EpochFrames | None = None,
        *,
        sources: Family[Source] | None = None,
        base: Path | None = None,
        workers: int = 0,
    ) -> None:
        faults: list[Fault] = []
        self._of: dict[str, InnerSource] = {}
        for name, given in of.items():
            try:
                if not name.isidentifier():
                    raise RequestError(Fault(f"of.{name}", "must be named with letters, digits and _", name))
                self._of[name] = InnerSource(given, f"of.{name}", sources, base, workers)
            except RequestError as error:
                faults += error.faults
        if faults:
            raise RequestError(faults)
        self.frames, self.evaluation_frames = frames, evaluation_frames

    def phases(self) -> tuple[Phase, ...]:
        """Those that all of the sources have."""
        first, *others = [source.open().phases() for source in self._of.values()]
        return tuple(phase for phase in first if all(phase in one for one in others))

    def examples(self, phase: Phase) -> ModalityFrames:
        """The streams of a phase.

        Raises:
            RequestError: a source gives examples, and not frames; or two fields have the same name.
        """
        parts: dict[str, Frames] = {}
        for name, source in self._of.items():
            examples = source.open().examples(phase)
            if not isinstance(examples, Frames):
                hint = "wrap examples in {type: ImageStream, of: ...}"
                raise RequestError(Fault(f"data.source.of.{name}", "must be a source of frames in time", hint=hint))
            parts[name] = examples
        return ModalityFrames(parts, self.frames if phase == "train" else self.evaluation_frames)

    def settings(self) -> dict[str, Any]:
        """What can be changed of the sources while they show their streams, `camera/noise`."""
        found: dict[str, Any] = {}
        for name, inner in self._of.items():
            source = inner.open()
            settings = source.settings() if isinstance(source, LiveSource) else {}
            found |= {f"{name}/{key}": value for key, value in settings.items()}
        return found

    def _live(self, name: str) -> tuple[LiveSource, str]:
        modality, _, key = name.partition("/")
        source = self._of[modality].open()
        assert isinstance(source, LiveSource)
        return source, key

    def check_setting(self, name: str, value: Any, address: str) -> None:
        """Looks whether a setting of a source can be set to a value.

        Raises:
            RequestError: it cannot.
        """
        source, key = self._live(name)
        source.check_setting(key, value, address)

    def change(self, name: str, value: Any) -> None:
        """Sets a setting of a source, from the next frame on."""
        source, key = self._live(name)
        source.change(key, value)


class ModalityFrames:
    """Frames of several sources side by side.

    Args:
        parts: the frames of each source, by name.
        frames: how many frames count as an epoch; None is the shortest epoch among them.
    """

    def __init__(self, parts: dict[str, Frames], frames: int | None) -> None:
        self.frames_per_epoch = frames
        self._parts = parts
        self._names = {(name, field): f"{name}_{field}" for name, part in parts.items() for field in part.fields()}
        seen: set[str] = set()
        for joined in self._names.values():
            if joined in seen:
                raise RequestError(Fault("data.source.of", f"has two fields {joined!r}; give a source another name"))
            seen.add(joined)

    def fields(self) -> dict[str, FieldKind]:
        """Those of all sources, with their names in front."""
        return {
            self._names[name, field]: kind
            for name, part in self._parts.items()
            for field, kind in part.fields().items()
        }

    def frames_of_pass(self, streams: int) -> int:
        """The shortest epoch of the sources."""
        lengths = []
        for part in self._parts.values():
            told = part.frames_per_epoch
            if told is None:
                assert isinstance(part, PassFrames)
                told = part.frames_of_pass(streams)
            lengths.append(told)
        return min(lengths)

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """One frame of all streams, by field; the first source to end ends all of them."""
        return {
            self._names[name, field]: value
            for name, part in self._parts.items()
            for field, value in part.frame(number, streams, derive(seed, "modality", name)).items()
        }

    def close(self) -> None:
        """Lets go of what the sources keep open."""
        for part in self._parts.values():
            close = getattr(part, "close", None)
            if close is not None:
                close()
