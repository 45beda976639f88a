"""Every source against what a feed relies on: known fields, repeatable reading, each example once per epoch, seeking.

Each member of the family has a row, and so has every kind of Python object; a new member without a row fails
`test_every_member_has_a_row`.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from rillnet.data import Data, open_data
from rillnet.data.batch import Batch
from rillnet.data.frames import Frames
from rillnet.data.passes import Passes
from rillnet.data.source import Source
from rillnet.data.sources import SOURCES
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.data.sources.generator import Generator
from tests.data.videos import write_video

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COUNT = 20

Opener = Callable[[Path], Any]
"""Writes a small data set into a folder and returns what is opened as the source."""


def pixels(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def digits(root: Path) -> Any:
    return "Digits"


def mnist(root: Path) -> Any:
    for prefix, count in (("train", COUNT), ("t10k", 7)):
        for kind, values in (("images-idx3", pixels(count, 28, 28)), ("labels-idx1", np.arange(count) % 10)):
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            content = bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()
            (root / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    return {"type": "MNIST", "root": "."}


def cifar_binary(root: Path) -> Any:
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        records = [bytes([label]) + pixels(1 + 10 * number + label, 3072)[-1].tobytes() for label in range(4)]
        (root / name).write_bytes(b"".join(records))
    return {"type": "CIFAR10", "root": "."}


def cifar_archives(root: Path) -> Any:
    for phase, count in (("train", 2), ("test", 1)):
        with tarfile.open(root / f"{phase}.tar", "w") as archive:
            for name in CLASSES:
                for number in range(count):
                    content = io.BytesIO()
                    Image.fromarray(pixels(7 + number, 32, 32, 3)[-1]).save(content, "JPEG")
                    member = tarfile.TarInfo(f"{name}/{number}.jpg")
                    member.size = len(content.getvalue())
                    archive.addfile(member, io.BytesIO(content.getvalue()))
    return {"type": "CIFAR10", "root": "."}


def numerals(root: Path) -> Any:
    return {"type": "RomanNumerals", "size": 8, "frames": 9, "duration": [2, 4]}


def stream(root: Path) -> Any:
    return {"type": "ImageStream", "of": "Digits", "frames": 9, "fading": 2}


def stream_in_step(root: Path) -> Any:
    return {"type": "ImageStream", "of": "Digits", "duration": 3, "in_step": True, "noise": 0.5, "frames": 9}


def scenes(root: Path) -> Any:
    return {"type": "Scenes", "of": "Digits", "size": [12, 14], "count": 2}


def generated(name: str, **arguments: Any) -> Opener:
    def opener(root: Path) -> Any:
        return {"type": name, "frames": 9, "evaluation_frames": 4, **arguments}

    opener.__name__ = name
    return opener


def text_file(root: Path) -> Any:
    (root / "text.txt").write_text("a rose is a rose is a rose\n" * 4, encoding="utf-8")
    return {"type": "Text", "file": "text.txt", "held_out": 0.25}


def frame_arrays(root: Path) -> Any:
    np.save(root / "image.npy", pixels(COUNT, 3, 4, 4))
    np.save(root / "position.npy", np.arange(2 * COUNT, dtype=np.float32).reshape(COUNT, 2))
    return {"type": "FrameArrays", "train": {"image": "image.npy", "position": "position.npy"}}


def recordings(root: Path) -> Any:
    lengths = [3, 5, 2, 4, 7, 1, 3]
    given = {"image": [torch.rand(length, 2, 3) for length in lengths], "label": [torch.arange(n) for n in lengths]}
    return FrameArrays(given, test=given, at_end="hold", frames=9)


def walkers(streams: int) -> Iterator[dict[str, Any]]:
    """Walks whose steps are drawn from a global generator."""
    at = np.zeros((streams, 2), dtype=np.float32)
    for _ in range(7):
        at = at + np.random.randn(streams, 2).astype(np.float32)
        yield {"image": at, "draw": torch.rand(streams)}


def generator(root: Path) -> Any:
    return {"type": "Generator", "of": f"{__name__}:walkers", "at_end": "repeat", "frames": 9}


def generators(root: Path) -> Any:
    def one(stream: int) -> Iterator[dict[str, Any]]:
        return ({"image": torch.rand(3) + stream} for _ in range(2 + stream))

    return Generator({"train": one, "test": one}, per_stream=True, at_end="repeat", frames=9, evaluation_frames=5)


def modalities(root: Path) -> Any:
    seen, heard = {"type": "MovingEdges", "size": 8}, {"type": "Oscillators", "period": [[4, 9]]}
    return {"type": "Modalities", "of": {"eye": seen, "ear": heard}, "frames": 9, "evaluation_frames": 4}


def video(root: Path) -> Any:
    write_video(root / "moving.mkv", pixels(COUNT, 8, 10, 3))
    return {"type": "Video", "file": "moving.mkv", "size": [4, 5]}


def videos(root: Path) -> Any:
    for number in range(7):
        write_video(root / f"{number}.mkv", pixels(3 + number, 8, 10, 3))
    return {"type": "Video", "file": [f"{number}.mkv" for number in range(7)], "mode": "L", "frames": 9}


def images(root: Path) -> Any:
    for phase, count in (("train", 6), ("val", 2), ("test", 3)):
        for label, name in enumerate(["ant", "bee", "fly"]):
            folder = root / phase / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(pixels(3 * number + label + 1, 6, 9, 3)[-1]).save(folder / f"{number}.png")
    return {"type": "Images", "root": ".", "size": [4, 5]}


def arrays(root: Path) -> Any:
    for phase, count in (("train", COUNT), ("test", 7)):
        np.save(root / f"{phase}_image.npy", pixels(count, 3, 4, 4))
        np.save(root / f"{phase}_label.npy", np.arange(count, dtype=np.int32) % 5)
    return {"type": "Arrays", **{p: {f: f"{p}_{f}.npy" for f in ("image", "label")} for p in ("train", "test")}}


def python_arrays(root: Path) -> Any:
    train = {"image": torch.rand(COUNT, 2, 3), "label": np.arange(COUNT)}
    return {"train": train, "test": (torch.rand(5, 2, 3), torch.arange(5))}


def tensor_dataset(root: Path) -> Any:
    return TensorDataset(torch.rand(COUNT, 2, 3), torch.arange(COUNT))


class Drawing(Dataset[Any]):
    """A data set with random transforms of its own, drawn from the global generators."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": torch.rand(3) + index, "noise": np.random.rand(), "label": index}


def dataset(root: Path) -> Any:
    return {"train": Drawing(), "val": [(float(i), i) for i in range(5)]}


def loader(root: Path) -> Any:
    return DataLoader(Drawing(), batch_size=3, shuffle=True)


def function(root: Path) -> Any:
    def examples() -> Iterator[tuple[float, int]]:
        return ((index + float(torch.rand(())), index) for index in range(COUNT))

    return examples


def sequences(root: Path) -> Any:
    for phase, lengths in (("train", [3, 1, 4, 2, 5, 3, 2]), ("test", [2, 3])):
        np.savez(
            root / f"{phase}.npz",
            signal=np.random.default_rng(1).normal(size=(sum(lengths), 2)).astype(np.float32),
            label=np.arange(len(lengths)),
            lengths=np.array(lengths),
        )
    return {"type": "Sequences", "train": "train.npz", "test": "test.npz"}


GENERATED = [
    generated("MovingEdges", speed=[0.5, 2], size=8, duration=[3, 5]),
    generated("OrnsteinUhlenbeck", tau=3.0),
    generated("Oscillators", period=[4, [3.0, 8.5]], noise=0.1),
    generated("PinkNoise", channels=2),
    generated("RandomWalk", walls=[-1, 1]),
    generated("Spikes", rate=[0.1, 0.4]),
    generated("WhiteNoise", distribution="uniform"),
    generated("Words", words=["to", "be", "or"]),
]

ROWS: list[tuple[str, Opener, int]] = [
    ("Digits", digits, 0),
    ("MNIST", mnist, 0),
    ("CIFAR10", cifar_binary, 0),
    ("CIFAR10", cifar_archives, 0),
    ("CIFAR10", cifar_archives, 2),
    ("RomanNumerals", numerals, 0),
    ("ImageStream", stream, 0),
    ("ImageStream", stream_in_step, 0),
    ("Scenes", scenes, 0),
    *((opener.__name__, opener, 0) for opener in GENERATED),
    ("Text", text_file, 0),
    ("Sequences", sequences, 0),
    ("FrameArrays", frame_arrays, 0),
    ("FrameArrays", recordings, 0),
    ("Generator", generator, 0),
    ("Generator", generators, 0),
    ("Modalities", modalities, 0),
    ("Video", video, 0),
    ("Video", videos, 0),
    ("Images", images, 0),
    ("Images", images, 1),
    ("Images", images, 2),
    ("Arrays", arrays, 0),
    ("Python", python_arrays, 0),
    ("Python", tensor_dataset, 0),
    ("Python", dataset, 0),
    ("Python", dataset, 2),
    ("Python", loader, 0),
    ("Python", function, 0),
]

NOT_REPEATABLE = {"Camera": "what a camera has shown is gone"}
"""Members without a row, with the reason."""

IN_TIME = {
    *("numerals", "stream", "stream_in_step", "text_file", "frame_arrays", "recordings", "generator", "generators"),
    *("modalities", "sequences", "video", "videos"),
    *(opener.__name__ for opener in GENERATED),
}
CANNOT_BE_READ_AT_ANY_POSITION = {
    **dict.fromkeys(IN_TIME, "frames go on without end, and each holds all streams"),
    "loader": "a DataLoader draws its own batches, and can only be gone through from the beginning",
    "function": "an iterable can only be gone through from the beginning",
}

FLOATING = {
    **dict.fromkeys(("OrnsteinUhlenbeck", "Oscillators", "PinkNoise", "RandomWalk", "WhiteNoise"), "signal"),
    **dict.fromkeys(("Text", "Words"), "one_hot"),
    "Sequences": "signal",
    "Spikes": "spikes",
    "Modalities": "ear_signal",
}
"""The field of numbers that is prepared, where it is not called image."""

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@pytest.fixture(params=ROWS, ids=[f"{name}-{opener.__name__}-{workers}" for name, opener, workers in ROWS])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Data]:
    name, opener, workers = request.param
    field = FLOATING.get(name, "image")
    opened = open_data(
        opener(tmp_path),
        root=tmp_path,
        seed=3,
        batch_size=6,
        workers=workers,
        augment=[{"type": "Noise", "std": 0.5, "field": field}],
        prepare=[{"type": "Rescale", "min": -1, "max": 1, "field": field}],
    )
    yield opened
    opened.close()


@pytest.fixture
def readable(data: Data, request: pytest.FixtureRequest) -> Data:
    """Data whose examples can be read at any position."""
    reason = CANNOT_BE_READ_AT_ANY_POSITION.get(request.node.callspec.params["data"][1].__name__)
    if reason:
        pytest.skip(reason)
    return data


def same(a: Batch, b: Batch) -> bool:
    return (
        (a.size, a.epoch, a.index) == (b.size, b.epoch, b.index)
        and a.fields.keys() == b.fields.keys()
        and all(torch.equal(a[name], b[name]) for name in a.fields)
    )


def test_every_member_has_a_row() -> None:
    assert {name for name, _, _ in ROWS} == {*SOURCES, "Python"} - NOT_REPEATABLE.keys()


@pytest.mark.parametrize("name", list(SOURCES))
def test_making_one_reads_nothing(name: str) -> None:
    needed = {
        "Images": {"root": "/nowhere"},
        "Arrays": {"train": {"x": "/nowhere.npy"}},
        "FrameArrays": {"train": {"x": "/nowhere.npy"}},
        "Generator": {"of": walkers},
        "ImageStream": {"of": "Digits"},
        "Modalities": {"of": {"eye": "MovingEdges"}},
        "Oscillators": {"period": [8]},
        "Scenes": {"of": "Digits", "size": [9, 9]},
        "Sequences": {"train": "/nowhere.npz"},
        "Text": {"file": "/nowhere.txt"},
        "Video": {"file": "/nowhere.mkv"},
        "Words": {"words": ["to", "be"]},
    }

    assert isinstance(SOURCES.find(name)(**needed.get(name, {})), Source)


def test_phases_are_in_order_and_end_with_the_evaluated_one(data: Data) -> None:
    assert data.phases in {("train",), ("train", "val"), ("train", "test"), ("train", "val", "test")}
    assert data.evaluation_phase == ("val" if "val" in data.phases else "test" if "test" in data.phases else None)


def test_fields_are_what_is_gathered(readable: Data) -> None:
    for phase in readable.phases:
        examples = readable.examples(phase)
        assert not isinstance(examples, Passes)
        gathered = examples.gather(torch.tensor([len(examples) - 1, 0]))

        assert {name: (tuple(v.shape[1:]), v.dtype) for name, v in gathered.items()} == examples.fields()
        assert all(len(value) == 2 for value in gathered.values())


def test_fields_are_what_a_feed_delivers(data: Data) -> None:
    for phase in data.phases:
        batch = data.feed(phase).next()

        assert {name: (tuple(v.shape[1:]), v.dtype) for name, v in batch.fields.items()} == data.fields(phase)


def test_gathering_is_repeatable(readable: Data) -> None:
    examples = readable.examples("train")
    assert not isinstance(examples, Passes)
    first, again = (examples.gather(torch.tensor([3, 1])) for _ in range(2))

    assert all(torch.equal(first[name], again[name]) for name in first)


def test_every_example_comes_once_in_each_epoch(readable: Data) -> None:
    feed = readable.feed("train")
    for epoch in range(2):
        batches = [feed.next() for _ in range(feed.batches_per_epoch)]
        drawn = torch.cat([batch.indices for batch in batches if batch.indices is not None])

        assert sorted(drawn.tolist()) == list(range(feed.examples))
        assert drawn.tolist() != sorted(drawn.tolist())
        assert {batch.epoch for batch in batches} == {epoch}


def test_frames_follow_from_seed_stream_and_number_alone(data: Data, request: pytest.FixtureRequest) -> None:
    opener = request.node.callspec.params["data"][1].__name__
    if opener not in IN_TIME or opener in ("text_file", "frame_arrays", "recordings", "video", "videos"):
        pytest.skip("not made of streams that are drawn")
    frames = data.examples("train")
    assert isinstance(frames, Frames)
    if opener in ("stream_in_step", "generator", "sequences"):
        pytest.skip("what a stream shows depends on how many there are, as they share images, sequences, one generator")
    for number in (0, 5, 1000):
        few, many = (frames.frame(number, streams, 3) for streams in (3, 21))

        assert all(torch.equal(few[name], many[name][:3]) for name in few)


def test_an_epoch_has_as_many_examples_as_announced(data: Data) -> None:
    feed = data.feed("train")
    for _ in range(2):
        assert sum(feed.next().size for _ in range(feed.batches_per_epoch)) == feed.examples
        assert feed.batch == 0


def test_seeking_any_position_gives_what_an_unbroken_feed_gives(data: Data) -> None:
    unbroken = data.feed("train")
    count = 2 * unbroken.batches_per_epoch + 2
    positions, expected = zip(*[(unbroken.state(), unbroken.next()) for _ in range(count)], strict=True)

    sought = data.feed("train")
    for number in range(count - 1, -1, -3):
        sought.seek(positions[number])
        assert same(sought.next(), expected[number])
        if number + 1 < count:
            assert same(sought.next(), expected[number + 1])


def test_an_evaluation_pass_is_in_order_complete_and_repeatable(data: Data) -> None:
    for phase in data.phases:
        feed = data.feed(phase)
        feed.next()
        before = feed.state()
        first, again = list(feed.once()), list(feed.once())

        assert feed.state() == before
        assert sum(batch.size for batch in first) == feed.examples
        assert [batch.index for batch in first] == list(range(len(first)))
        assert all(same(a, b) for a, b in zip(first, again, strict=True))
        if first[0].indices is not None:
            order = torch.cat([batch.indices for batch in first if batch.indices is not None])
            assert torch.equal(order, torch.arange(feed.examples))


def test_reading_leaves_the_global_generators_alone(data: Data) -> None:
    before = torch.default_generator.get_state(), np.random.get_state()[1].copy()
    feed = data.feed("train")
    feed.next()
    list(feed.once())

    assert torch.equal(torch.default_generator.get_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("opener", [images, cifar_archives, dataset], ids=lambda opener: opener.__name__)
def test_the_number_of_workers_changes_nothing(opener: Opener, tmp_path: Path) -> None:
    source = opener(tmp_path)
    feeds = [open_data(source, root=tmp_path, seed=1, batch_size=6, workers=n).feed("train") for n in (0, 1, 2)]
    for _ in range(5):
        first, *others = (feed.next() for feed in feeds)
        assert all(same(first, other) for other in others)
    for feed in feeds:
        feed.close()
