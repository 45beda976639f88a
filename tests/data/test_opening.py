"""Data: opened from records and from objects of Python, split, transformed, fed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from rillnet.data import Data, open_data
from rillnet.data.examples import ArrayExamples, Subset
from rillnet.data.transforms import CenterCrop, Crop, Flip, Noise, Rescale, Whiten
from rillnet.errors import DataError, RequestError
from rillnet.spec import DataSpec, Phase, TypedSpec

IMAGES = torch.rand(20, 1, 6, 6)
ARRAYS = {"image": IMAGES, "label": torch.arange(20)}

OPENED: list[Callable[[], Data]] = [
    lambda: open_data(ARRAYS, batch_size=4, seed=1),
    lambda: open_data({"source": ARRAYS, "batch_size": 4}, seed=1),
    lambda: open_data(Data(ARRAYS, batch_size=4), seed=1),
    lambda: open_data({"train": ARRAYS}, batch_size=4, seed=1),
    lambda: open_data((IMAGES, torch.arange(20)), batch_size=4, seed=1),
    lambda: open_data((IMAGES.numpy(), np.arange(20)), batch_size=4, seed=1),
    lambda: open_data(TensorDataset(IMAGES, torch.arange(20)), batch_size=4, seed=1),
    lambda: open_data(list(zip(IMAGES, range(20), strict=True)), batch_size=4, seed=1),
]


@pytest.mark.parametrize("opened", OPENED)
def test_the_same_examples_are_the_same_data_however_they_are_given(opened: Callable[[], Data]) -> None:
    expected, batch = open_data(ARRAYS, batch_size=4, seed=1).feed("train").next(), opened().feed("train").next()

    assert opened().phases == ("train",)
    assert torch.equal(batch["image"], expected["image"])
    assert torch.equal(batch["label"], expected["label"])


def test_making_data_reads_nothing() -> None:
    class Unread:
        def phases(self) -> tuple[Phase, ...]:
            raise AssertionError

        def examples(self, phase: Phase) -> ArrayExamples:
            raise AssertionError

    assert Data(Unread()).spec.source.type == "Python"


@pytest.mark.parametrize(
    "source",
    [
        "Digits",
        {"type": "Digits"},
        TypedSpec(type="Digits"),
        DataSpec(source="Digits"),
        {"source": "Digits"},
        {"source": {"type": "Digits"}},
    ],
)
def test_records_and_names_are_sources(source: Any) -> None:
    data = open_data(source)

    assert data.phases == ("train", "test")
    assert data.evaluation_phase == "test"
    assert data.feed("train").next().size == 128
    assert data.spec.source.type == "Digits"


def test_paths_are_relative_to_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", np.arange(3.0))
    spec = DataSpec(source={"type": "Arrays", "train": {"x": "x.npy"}})

    assert open_data(spec, root=tmp_path).feed("train").examples == 3
    assert open_data(Data(spec, root=tmp_path), root=Path("/nowhere")).feed("train").examples == 3
    monkeypatch.chdir(tmp_path)
    assert open_data(spec).feed("train").examples == 3


def test_the_seed_of_the_experiment_decides() -> None:
    def order(data: Data) -> list[int]:
        batch = data.feed("train").next()
        return batch["label"].tolist()

    data = Data(ARRAYS)

    assert order(open_data(data, seed=1)) == order(open_data(ARRAYS, seed=1))
    assert order(open_data(data, seed=1)) != order(open_data(data, seed=2))
    assert data.seed == 0


def test_evaluation_is_in_order_with_a_batch_size_of_its_own() -> None:
    data = open_data({"train": ARRAYS, "test": ARRAYS}, batch_size=4, evaluation_batch_size=8, drop_last=True)

    assert data.feed("train").batches_per_epoch == 5
    assert data.feed("test").batches_per_epoch == 3
    assert data.feed("test").next()["label"].tolist() == list(range(8))
    assert data.feed("test", batch_size=3).next().size == 3
    assert data.feed("train", batch_size=3).next().size == 3


# Validation


@pytest.mark.parametrize(("validation", "held"), [(5, 5), (0.25, 5), (0.01, 1), (1, 1)])
def test_validation_is_held_out_of_training(validation: float, held: int) -> None:
    data = open_data({"train": ARRAYS, "test": ARRAYS}, validation=validation, seed=3)
    drawn = {phase: [n for b in data.feed(phase).once() for n in b["label"].tolist()] for phase in data.phases}

    assert data.phases == ("train", "val", "test")
    assert data.evaluation_phase == "val"
    assert len(drawn["val"]) == held
    assert sorted(drawn["train"] + drawn["val"]) == drawn["test"] == list(range(20))
    assert isinstance(data.examples("val"), Subset)


def test_what_is_held_out_depends_on_the_seed_alone() -> None:
    def held(seed: int, batch_size: int) -> list[int]:
        batch = open_data(ARRAYS, validation=8, seed=seed, batch_size=batch_size).feed("val").next()
        return batch["label"].tolist()

    assert held(1, 8) == held(1, 10)
    assert held(1, 8) != held(2, 8)


def test_what_is_held_out_is_not_augmented() -> None:
    data = open_data({"image": torch.zeros(9, 1, 2, 2)}, validation=4, augment=[Noise()])

    assert data.feed("val").next()["image"].abs().max() == 0
    assert data.feed("train").next()["image"].abs().max() > 0


VALIDATION_FAULTS: list[tuple[Any, float, type[Exception], str]] = [
    (
        {"train": ARRAYS, "val": ARRAYS},
        3,
        RequestError,
        "data.validation: must be 0, as the source has a val phase of its own",
    ),
    (ARRAYS, 20, DataError, "data.validation: must leave some of the 20 training examples (got 20)"),
    (
        DataLoader(TensorDataset(IMAGES)),
        3,
        RequestError,
        "data.validation: must be 0 for an iterable, which cannot be split; give it a val phase",
    ),
]


@pytest.mark.parametrize(("source", "validation", "error", "message"), VALIDATION_FAULTS)
def test_what_cannot_be_held_out(source: Any, validation: float, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        open_data(source, validation=validation).feed("val")

    assert str(raised.value) == message


# Transforms


def test_transforms_may_be_objects_records_or_names() -> None:
    settings: list[Any] = [Rescale(min=-1, max=1), {"type": "Rescale", "min": -1, "max": 1}]
    batches = [open_data(ARRAYS, prepare=[one, "Whiten"]).feed("train").next() for one in settings]

    assert torch.equal(batches[0]["image"], batches[1]["image"])


def test_fields_are_those_after_the_transforms() -> None:
    augment, prepare = [Crop(4), Flip()], [CenterCrop(4), {"type": "Resize", "size": [8, 2]}]
    data = open_data({"train": ARRAYS, "test": ARRAYS}, augment=augment, prepare=prepare)

    for phase in data.phases:
        assert data.fields(phase)["image"] == ((1, 8, 2), torch.float32)
        assert data.feed(phase).next()["image"].shape == (20, 1, 8, 2)


TRANSFORM_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"prepare": [Whiten("picture")]}, "data.prepare.0.field: is no field (got 'picture'); known: image, label"),
    ({"prepare": [Whiten("label")]}, "data.prepare.0.field: must be of floating numbers, and is torch.int64"),
    ({"augment": [Flip("label")]}, ""),
    ({"augment": [Flip(), Crop(9)]}, "data.augment.1.size: must fit into the image, [6, 6] (got [9, 9])"),
    ({"augment": [Crop(9, padding=1)]}, "data.augment.0.size: must fit into the padded image, [8, 8] (got [9, 9])"),
    (
        {"augment": [Crop(4)]},
        "data.augment: must leave image as large as it is without, [1, 6, 6] (got [1, 4, 4]); "
        "where it crops, prepare needs a CenterCrop of the same size",
    ),
    (
        {"prepare": [{"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1]}]},
        "data.prepare.0.mean: must have one number per channel, 1 (got [0.0, 0.0, 0.0])",
    ),
]


@pytest.mark.parametrize(("settings", "message"), [row for row in TRANSFORM_FAULTS if row[1]])
def test_transforms_that_cannot_be_applied(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as raised:
        open_data(ARRAYS, **settings).feed("train")

    assert str(raised.value) == message


# Faults


def test_a_phase_that_is_not_there() -> None:
    with pytest.raises(RequestError) as raised:
        open_data(ARRAYS).feed("test")

    assert str(raised.value) == "data: has no test phase, but train"


def test_settings_beside_a_record() -> None:
    with pytest.raises(RequestError) as raised:
        open_data(DataSpec(source="Digits"), batch_size=3)

    assert str(raised.value) == "data: settings stand in the record already: batch_size"


def test_a_wrong_record_is_told_before_anything_is_opened() -> None:
    with pytest.raises(RequestError) as raised:
        Data(DataSpec(source={"type": "Images", "rot": "x"}, prepare=["Blur"]))

    assert str(raised.value).splitlines() == [
        "data.source.rot: unknown key; did you mean 'root'?",
        "data.source.root: is required",
        "data.prepare.0.type: unknown transform (got 'Blur'); known: Brightness, CenterCrop, Contrast, Crop, Flip, "
        "Noise, Normalize, Rescale, Resize, Whiten",
    ]


def test_a_source_without_phases() -> None:
    class Empty:
        def phases(self) -> tuple[Phase, ...]:
            return ()

        def examples(self, phase: Phase) -> ArrayExamples:
            raise KeyError(phase)

    with pytest.raises(DataError) as raised:
        open_data(Empty())

    assert str(raised.value) == "data: the source has no examples for train, val or test"


def test_closing_ends_the_feeds(image_folders: Path) -> None:
    data = open_data({"type": "Images", "root": str(image_folders)}, workers=1, batch_size=2)
    feed = data.feed("train")
    before = feed.next()
    data.close()
    feed.seek({"epoch": 0, "batch": 0})

    assert torch.equal(feed.next()["image"], before["image"])
    data.close()
