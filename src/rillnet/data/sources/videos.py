"""Moving pictures as streams: video files and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast

import torch
from pydantic import Field
from torch import Tensor

from rillnet.data.conversion import FieldKind, for_net
from rillnet.data.dealt import DealtFrames, Recording
from rillnet.data.decoding import Mode
from rillnet.data.frames import AtEnd, SourceEnded
from rillnet.data.generated import EpochFrames
from rillnet.data.transforms.transform import Size, pair
from rillnet.data.video import OpenCamera, VideoExamples, camera_format
from rillnet.errors import DataError, Fault, RequestError, suggest
from rillnet.spec import PHASES, Phase

Videos = str | Annotated[list[str], Field(min_length=1)]


class Video:
    """Video files as streams. Needs the extra `video`.

    Fields: `image`, float32 [3, height, width] or [1, height, width], in [0, 1]; `begins`, truth values, whether a
    video or stretch begins with this frame; `onset`, int64, frames since it began. One file is cut into as many equal
    stretches as there are streams (`data.batch_size`); several are dealt to the streams.

    Args:
        file: a file, several, or either by phase, `{train: [a.mp4, b.mp4], test: c.mp4}`.
        size: height and width to bring frames to; None leaves them, and then all files must have one size.
        mode: `RGB` or `L`, grey.
        every: take each so-many-th frame.
        at_end: what a stream does when it has shown its videos: repeat them, hold the last frame, or stop the run.
        frames: how many frames count as an epoch; None is a pass over all videos.
        evaluation_frames: how many frames an evaluation looks at; None is a pass.
        base: what relative paths are relative to.
    """

    def __init__(
        self,
        file: Videos | dict[str, Videos],
        size: Size | None = None,
        mode: Mode = "RGB",
        every: Annotated[int, Field(ge=1)] = 1,
        at_end: AtEnd = "repeat",
        frames: EpochFrames | None = None,
        evaluation_frames: EpochFrames | None = None,
        base: Path | None = None,
    ) -> None:
        by_phase = file if isinstance(file, Mapping) else {"train": file}
        for name in by_phase:
            if name not in PHASES:
                raise RequestError(Fault(f"file.{name}", "must be train, val or test", hint=suggest(name, PHASES)))
        listed = {name: [files] if isinstance(files, str) else list(files) for name, files in by_phase.items()}
        self.files = cast("dict[Phase, list[str]]", listed)
        if not self.files:
            raise RequestError(Fault("file", "must name a file"))
        self.size, self.mode, self.every = None if size is None else pair(size), mode, every
        self.at_end, self.frames, self.evaluation_frames, self.base = at_end, frames, evaluation_frames, base or Path()

    def phases(self) -> tuple[Phase, ...]:
        """Those that there are files for."""
        return tuple(phase for phase in PHASES if phase in self.files)

    def examples(self, phase: Phase) -> DealtFrames:
        """The streams of a phase.

        Raises:
            DataError: a file is missing, no video, or of another size than the first.
            MissingExtraError: PyAV is not installed.
        """
        paths = [self.base / name for name in self.files[phase]]
        examples = VideoExamples(paths, self.size, self.mode, self.every)
        recordings, first = [], 0
        for length in examples.lengths:
            recordings.append(Recording(first, length))
            first += length
        frames = self.frames if phase == "train" else self.evaluation_frames
        return DealtFrames(examples, recordings, self.at_end, frames, f"data.source.{phase}")


class Camera:
    """What cameras see now, one stream for each. Needs the extra `video`.

    Fields: `image`, float32 [3, height, width] or [1, height, width], in [0, 1]. What a camera has shown is gone:
    a run that goes on sees what is there then, so it is not the run that would have been done in one.

    Args:
        device: the camera, or several, one for each stream; Linux calls the first `/dev/video0`.
        driver: what it is opened through; None is `v4l2`, `avfoundation` or `dshow`, as the system has it.
        size: height and width to bring images to; None leaves them.
        mode: `RGB` or `L`, grey.
        at_end: what happens when a camera sends no more: stop the run, or hold its last image.
        frames: how many frames count as an epoch.
    """

    def __init__(
        self,
        device: str | Annotated[list[str], Field(min_length=1)] = "/dev/video0",
        driver: str | None = None,
        size: Size | None = None,
        mode: Mode = "RGB",
        at_end: Literal["stop", "hold"] = "stop",
        frames: EpochFrames = 500,
    ) -> None:
        self.devices = [device] if isinstance(device, str) else list(device)
        self.driver, self.size, self.mode = driver or camera_format(), None if size is None else pair(size), mode
        self.at_end, self.frames = at_end, frames

    def phases(self) -> tuple[Phase, ...]:
        """Train."""
        return ("train",)

    def examples(self, phase: Phase) -> CameraFrames:
        """The cameras, which are opened when a frame or its fields are first asked for."""
        return CameraFrames(self)


class CameraFrames:
    """The images of cameras as they come; see `Camera`."""

    def __init__(self, camera: Camera) -> None:
        self.frames_per_epoch: int | None = camera.frames
        self._camera = camera
        self._open: list[OpenCamera] = []
        self._last: list[Tensor] = []

    def fields(self) -> dict[str, FieldKind]:
        """The image.

        Raises:
            DataError: there is no such camera, or cameras differ in size.
        """
        sizes = [one.size for one in self._opened()]
        if len(set(sizes)) > 1:
            told = ", ".join(f"{height} x {width}" for height, width in sizes)
            raise DataError(f"data.source.device: cameras must send images of one size (got {told}); give size")
        return {"image": ((3 if self._camera.mode == "RGB" else 1, *sizes[0]), torch.float32)}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        """What the cameras show now, whatever the number.

        Raises:
            DataError: there is not one camera for each stream, or one fails.
            SourceEnded: a camera sends no image any more, and is to stop there.
        """
        opened = self._opened()
        if streams != len(opened):
            count = len(opened)
            raise DataError(f"data.batch_size: must be {count}, one stream for each camera (got {streams})")
        read = [one.read() for one in opened]
        if any(image is None for image in read) and (self._camera.at_end == "stop" or not self._last):
            raise SourceEnded("data.source.device", number, "hold")
        self._last = [self._last[at] if image is None else image for at, image in enumerate(read)]
        return {"image": for_net(torch.stack(self._last), scaled=True)}

    def close(self) -> None:
        """Lets go of the cameras."""
        for one in self._open:
            one.close()
        self._open = []

    def _opened(self) -> list[OpenCamera]:
        if not self._open:
            camera = self._camera
            self._open = [OpenCamera(name, camera.driver, camera.size, camera.mode) for name in camera.devices]
        return self._open
