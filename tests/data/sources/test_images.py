"""Folders of images as examples; damaged images are in test_bad_data."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from rillnet.data.sources.folders import list_images
from rillnet.data.sources.images import ImageReader, Images


def test_images_and_labels(image_folders: Path) -> None:
    source = Images(str(image_folders))
    examples = source.examples("train")
    batch = examples.gather(torch.tensor([6, 1]))

    assert source.phases() == ("train", "test")
    assert source.classes == ("cat", "dog")
    assert len(examples) == 10
    assert examples.fields() == {"image": ((3, 3, 4), torch.float32), "label": ((), torch.int64)}
    assert batch["label"].tolist() == [1, 0]
    assert torch.allclose(batch["image"].amax(dim=(1, 2, 3)), torch.tensor([110 / 255, 10 / 255]))


@pytest.mark.parametrize(
    ("size", "shape"), [(None, (1, 3, 4)), (2, (1, 2, 2)), ((2, 5), (1, 2, 5)), ([6, 6], (1, 6, 6))]
)
def test_images_are_brought_to_a_size_and_mode(image_folders: Path, size: object, shape: tuple[int, ...]) -> None:
    examples = Images("images", size=size, mode="L", base=image_folders.parent).examples("test")  # type: ignore[arg-type]

    assert examples.fields()["image"] == (shape, torch.float32)
    assert examples.gather(torch.tensor([0]))["image"].shape == (1, *shape)


def test_a_root_without_phases_is_to_train_with(image_folders: Path) -> None:
    source = Images(str(image_folders / "train"))

    assert source.phases() == ("train",)
    assert len(source.examples("train")) == 10


def test_a_reader_can_be_sent_to_a_worker(image_folders: Path) -> None:
    reader = ImageReader(list_images(image_folders / "train"), "RGB", None, "crop")
    sent = pickle.loads(pickle.dumps(reader))
    indices = torch.tensor([3, 7])

    assert torch.equal(sent.read(indices, 0)["image"], reader.read(indices, 0)["image"])


def test_names_beyond_ascii_are_read(image_folders: Path) -> None:
    cats = image_folders / "train" / "cat"
    (cats / "0.png").rename(cats / "Kätzchen 猫.png")

    assert len(Images(str(image_folders)).examples("train").gather(torch.arange(10))["image"]) == 10
