"""Videos and cameras, read through PyAV: frames as images, by position or as they come."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rillnet.data.conversion import FieldKind, for_net
from rillnet.data.decoding import Mode
from rillnet.errors import DataError, MissingExtraError

_PIXELS = {"RGB": "rgb24", "L": "gray"}
_MOST_OPEN = 64
"""Decoders that stay open; of more streams than that each frame seeks."""


def need_av(purpose: str) -> Any:
    """The library PyAV.

    Args:
        purpose: what it is needed for.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "video", purpose) from error
    return av


class VideoExamples:
    """The frames of video files, one file behind the other, as images; each decoder goes on where it was.

    A seek costs what lies between two of a video's key frames.

    Args:
        paths: the files.
        size: height and width to bring frames to; None leaves them.
        mode: colour or grey.
        every: take each so-many-th frame.

    Attributes:
        lengths: frames of each file.

    Raises:
        DataError: a file is missing, no video, or of another size than the first.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(
        self, paths: Sequence[Path], size: tuple[int, int] | None = None, mode: Mode = "RGB", every: int = 1
    ) -> None:
        self._av = need_av("reading videos")
        self._paths, self._mode = list(paths), mode
        found = [self._look_at(path) for path in self._paths]
        self._times = [times[::every] for times, _ in found]
        self.lengths = [len(times) for times in self._times]
        self._ends = np.cumsum(self.lengths)
        self.size = size or found[0][1]
        for path, (_, own) in zip(self._paths, found, strict=True):
            if size is None and own != self.size:
                raise DataError(
                    f"{path}: must have frames of {self.size[0]} x {self.size[1]} pixels, as {self._paths[0]} has "
                    f"(got {own[0]} x {own[1]}); size brings all to one"
                )
        self._decoders: list[_Decoder] = []

    def __len__(self) -> int:
        return int(self._ends[-1])

    def fields(self) -> dict[str, FieldKind]:
        """The image."""
        return {"image": ((3 if self._mode == "RGB" else 1, *self.size), torch.float32)}

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The frames at these positions, in [0, 1].

        Raises:
            DataError: a file is damaged; names the frame.
        """
        images = [self._frame(int(position)) for position in indices]
        return {"image": for_net(torch.stack(images), scaled=True)}

    def close(self) -> None:
        """Closes all files; they are opened again when needed."""
        for decoder in self._decoders:
            decoder.close()
        self._decoders.clear()

    def _frame(self, position: int) -> Tensor:
        file = int(np.searchsorted(self._ends, position, side="right"))
        number = position - (int(self._ends[file - 1]) if file else 0)
        ready = next((one for one in self._decoders if (one.file, one.next) == (file, number)), None)
        if ready is None:
            if len(self._decoders) >= _MOST_OPEN:
                self._decoders.pop(0).close()
            ready = _Decoder(self._av, file, self._paths[file], self._times[file])
        else:
            self._decoders.remove(ready)
        self._decoders.append(ready)
        return pixels(ready.read(number), self.size, self._mode)

    def _look_at(self, path: Path) -> tuple[list[int], tuple[int, int]]:
        """When each frame is shown, and how large it is; nothing is decoded."""
        try:
            with self._av.open(str(path)) as container:
                if not container.streams.video:
                    raise DataError(f"{path}: has no moving picture")
                stream = container.streams.video[0]
                times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
                size = stream.codec_context.height, stream.codec_context.width
        except FileNotFoundError as error:
            raise DataError(f"{path}: there is no such file") from error
        except self._av.error.FFmpegError as error:
            raise DataError(f"{path}: is damaged or no video that PyAV can read ({error.strerror})") from error
        if not times or any(one == other for one, other in pairwise(times)):
            raise DataError(f"{path}: must have frames with times of their own; convert it")
        return times, size


class _Decoder:
    """An open file, and the number of the frame that it decodes next."""

    def __init__(self, av: Any, file: int, path: Path, times: Sequence[int]) -> None:
        self._av, self.file, self._path, self._times = av, file, path, times
        self.next = 0
        self._container: Any = None
        self._frames: Any = None

    def read(self, number: int) -> Any:
        time = self._times[number]
        try:
            if self._container is None:
                self._container = self._av.open(str(self._path))
                self.next = -1 if number else 0
                self._frames = self._container.decode(video=0)
            if number != self.next:
                self._container.seek(time, stream=self._container.streams.video[0], backward=True)
                self._frames = self._container.decode(video=0)
            self.next = number + 1
            for frame in self._frames:
                if frame.pts is not None and frame.pts >= time:
                    return frame
        except (self._av.error.FFmpegError, OSError) as error:
            raise DataError(f"{self._path}: frame {number} cannot be read ({error.strerror})") from error
        raise DataError(f"{self._path}: frame {number} cannot be read, as the file ends before it")

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = self._frames = None


def pixels(frame: Any, size: tuple[int, int], mode: Mode) -> Tensor:
    """A frame of PyAV's as bytes, [channels, height, width]."""
    scaled = frame.reformat(width=size[1], height=size[0], format=_PIXELS[mode])
    array = scaled.to_ndarray()
    return torch.from_numpy(array[None].copy() if mode == "L" else array.transpose(2, 0, 1).copy())


def camera_format() -> str:
    """What the system's cameras are opened through."""
    return {"darwin": "avfoundation", "win32": "dshow"}.get(sys.platform, "v4l2")


class OpenCamera:
    """A camera, whose images are taken as they come.

    Args:
        device: its name, `/dev/video0`.
        driver: what it is opened through, `v4l2`.
        size: height and width to bring images to; None leaves them.
        mode: colour or grey.

    Raises:
        DataError: there is no such camera.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, device: str, driver: str, size: tuple[int, int] | None, mode: Mode) -> None:
        self._av = need_av("reading cameras")
        self._device, self._mode = device, mode
        try:
            self._container = self._av.open(device, format=driver)
            stream = self._container.streams.video[0]
            self._frames = self._container.decode(stream)
        except (self._av.error.FFmpegError, ValueError, IndexError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"data.source.device: {device}: cannot be opened through {driver} ({reason})") from error
        self.size: tuple[int, int] = size or (stream.codec_context.height, stream.codec_context.width)

    def read(self) -> Tensor | None:
        """The next image, bytes [channels, height, width]; None where there will be none any more.

        Raises:
            DataError: the camera fails.
        """
        try:
            frame = next(self._frames, None)
        except self._av.error.FFmpegError as error:
            told = f"{self._device}: sends no image any more ({error.strerror})"
            raise DataError(f"data.source.device: {told}") from error
        return None if frame is None else pixels(frame, self.size, self._mode)

    def close(self) -> None:
        """Lets go of it."""
        self._container.close()
