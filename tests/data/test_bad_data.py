"""Damaged, missing and mistaken data: each with the exact message a user gets, and the exit code of wrong data."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rillnet.data import open_data
from rillnet.errors import DataError, RillnetError

WriteIdx = Callable[[Path, np.ndarray], Path]
WriteTar = Callable[[Path, Iterable[tuple[str, bytes]]], Path]
WriteImage = Callable[..., Path]

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
AGAIN = "delete it and it is downloaded again"


def all_of(root: Path, source: object) -> None:
    """Reads everything there is."""
    data = open_data(source, root=root, batch_size=4)
    for phase in data.phases:
        for _ in data.feed(phase).once():
            pass


# MNIST: how the files are damaged, and what is said


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(bytes(content))


def shorten_unpacked(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-5]))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change_magic(path: Path) -> None:
    path.write_bytes(gzip.compress(b"\x00\x00\x0d\x03" + gzip.decompress(path.read_bytes())[4:]))


def replace_with(name: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes((path.parent / name).read_bytes())


def unpacked_under_packed_name(path: Path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes()))


def label_of_eleven(path: Path) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[8 + 3] = 11
    path.write_bytes(gzip.compress(bytes(content)))


def cut_in_header(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:10]))


MNIST_FAULTS: list[tuple[str, Callable[[Path], None], str]] = [
    (IMAGES, truncate, f"ends too early (a truncated gzip file); {AGAIN}"),
    (IMAGES, spoil, f"is damaged (not a valid gzip file); {AGAIN}"),
    (IMAGES, unpacked_under_packed_name, f"is damaged (not a valid gzip file); {AGAIN}"),
    (IMAGES, empty, f"must be an idx file, but has only 0 bytes; {AGAIN}"),
    (IMAGES, cut_in_header, f"ends within its header; {AGAIN}"),
    (IMAGES, shorten_unpacked, f"must have 9424 bytes for 12 x 28 x 28 values (got 9419); {AGAIN}"),
    (IMAGES, change_magic, f"must have the magic number of images, 2051 (got 3331): it is no idx file; {AGAIN}"),
    (
        IMAGES,
        replace_with(LABELS),
        "must have the magic number of images, 2051 (got 2049): it holds labels; is the file swapped with another one?",
    ),
    (
        LABELS,
        replace_with(IMAGES),
        "must have the magic number of labels, 2049 (got 2051): it holds images; is the file swapped with another one?",
    ),
    (
        LABELS,
        replace_with("t10k-labels-idx1-ubyte.gz"),
        f"must have one label per image of {IMAGES}, 12 (got 5); is the file swapped with that of another phase?",
    ),
    (LABELS, label_of_eleven, "labels must be 0 to 9, but label 3 is 11"),
]


@pytest.mark.parametrize(("name", "damage", "message"), MNIST_FAULTS)
def test_mnist(small_mnist: Path, name: str, damage: Callable[[Path], None], message: str) -> None:
    damage(small_mnist / name)

    with pytest.raises(DataError) as raised:
        all_of(small_mnist.parent, {"type": "MNIST", "root": "mnist"})

    assert str(raised.value) == f"{small_mnist / name}: {message}"
    assert raised.value.exit_code == 3


def test_mnist_absent_and_not_to_be_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "MNIST", "root": "mnist", "download": False})

    assert str(raised.value) == (
        f"{tmp_path / 'mnist'}: must hold train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
        "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz; put them there or set download: true"
    )


# Arrays: what the files hold, and what is said ({root} stands for their folder)

GOOD = np.zeros((6, 1, 2, 2), dtype=np.float32)


def with_value(value: float, at: int) -> np.ndarray:
    changed = GOOD.copy()
    changed[at, 0, 1, 1] = value
    return changed


ARRAY_FAULTS: list[tuple[dict[str, np.ndarray], str]] = [
    ({"image": with_value(np.nan, 4)}, "{root}/image.npy: image: must be finite, but example 4 holds NaN"),
    ({"image": with_value(-np.inf, 1)}, "{root}/image.npy: image: must be finite, but example 1 holds infinity"),
    (
        {"image": GOOD, "label": np.arange(5)},
        "data.source.train.label: must have as many examples as image, 6 (got 5)",
    ),
    (
        {"image": np.array(["a", "b"])},
        "{root}/image.npy: image: must be numbers (got elements of type <U1)",
    ),
    ({"image": np.zeros((0, 3))}, "data.source.train: has no examples"),
    (
        {"image": np.float32(1.0)},
        "data.source.train.image: must have a first dimension that counts examples (got one number)",
    ),
]


@pytest.mark.parametrize(("arrays", "message"), ARRAY_FAULTS)
def test_arrays(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Arrays", "train": {name: f"{name}.npy" for name in arrays}})

    assert str(raised.value) == message.format(root=tmp_path)


def write_truncated(path: Path) -> None:
    np.save(path, np.arange(100))
    path.write_bytes(path.read_bytes()[:-50])


def write_objects(path: Path) -> None:
    np.save(path, np.array([{}, []], dtype=object), allow_pickle=True)


def write_text(path: Path) -> None:
    path.write_text("1 2 3\n")


def write_several(path: Path) -> None:
    with path.open("wb") as target:
        np.savez(target, a=np.arange(3), b=np.arange(3))


NOT_NUMBERS = "must hold numbers only: Python objects, or a file that is not NumPy's, are not read"

FILE_FAULTS: list[tuple[Callable[[Path], None] | None, str]] = [
    (None, "there is no such file"),
    (write_truncated, "is damaged or not a file of NumPy's"),
    (write_objects, NOT_NUMBERS),
    (write_text, NOT_NUMBERS),
    (write_several, "must be one array (.npy), but holds several; name the file alone to take all of them"),
]


@pytest.mark.parametrize(("write", "message"), FILE_FAULTS)
def test_array_files(tmp_path: Path, write: Callable[[Path], None] | None, message: str) -> None:
    if write is not None:
        write(tmp_path / "x.npy")

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Arrays", "train": {"x": "x.npy"}})

    assert str(raised.value) == f"{tmp_path}/x.npy: {message}"


def test_one_array_where_several_are_expected(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(3))

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Arrays", "train": "x.npy"})

    assert str(raised.value) == (
        f"{tmp_path}/x.npy: must hold several arrays by name (.npz), but holds one; give files by field"
    )


# Images: what is put at train/cat/1.png, and what is said; None takes the file away with its neighbours


def write_truncated_image(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])


def write_larger_image(path: Path) -> None:
    Image.new("RGB", (7, 5)).save(path)


def write_16_bits(path: Path) -> None:
    Image.fromarray(np.zeros((3, 4), dtype=np.uint16)).save(path)


IMAGE_FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (write_text, "is no image that pillow can read; remove or replace it"),
    (empty, "is no image that pillow can read; remove or replace it"),
    (write_truncated_image, "is a damaged or truncated image; remove or replace it"),
    (write_16_bits, "must have 8 bits per channel (got pillow's mode I;16); convert it"),
    (write_larger_image, "must be as large as the other images, 4 x 3 (got 7 x 5): give size to bring all to one"),
]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("write", "message"), IMAGE_FAULTS)
def test_images(image_folders: Path, write: Callable[[Path], None], message: str, workers: int) -> None:
    bad = image_folders / "train" / "cat" / "1.png"
    write(bad)
    data = open_data({"type": "Images", "root": str(image_folders)}, workers=workers)
    feed = data.feed("train")

    with pytest.raises(DataError) as raised:
        feed.next()
    data.close()

    assert str(raised.value) == f"{bad}: {message}"


def test_image_folder_absent(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Images", "root": "photos"})

    assert str(raised.value) == f"{tmp_path}/photos: there is no such folder"


def test_image_folder_without_classes(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "0.png")

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Images", "root": "."})

    assert str(raised.value) == f"{tmp_path}: must hold one folder of images per class, but holds no folder"


def test_class_without_images(tmp_path: Path, write_image: WriteImage) -> None:
    write_image(tmp_path / "cat" / "0.png")
    (tmp_path / "dog").mkdir()
    write_text(tmp_path / "dog" / "notes.txt")

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "Images", "root": "."})

    assert str(raised.value) == (
        f"{tmp_path}/dog: holds no image (.bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp)"
    )


def test_phases_with_other_classes(image_folders: Path) -> None:
    (image_folders / "test" / "dog").rename(image_folders / "test" / "wolf")

    with pytest.raises(DataError) as raised:
        all_of(image_folders, {"type": "Images", "root": "."})

    assert str(raised.value) == (
        f"{image_folders}/test: must hold the classes cat, dog (got them without dog and with wolf)"
    )


# CIFAR-10


def test_cifar_binary_of_a_wrong_size(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(bytes(3073 * 2))
    (tmp_path / "data_batch_3.bin").write_bytes(bytes(3000))

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "CIFAR10", "root": "."})

    assert (
        str(raised.value) == f"{tmp_path}/data_batch_3.bin: must have a multiple of 3073 bytes (got 3000); replace it"
    )


def test_cifar_binary_with_a_wrong_label(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(bytes([17]) + bytes(3072))

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "CIFAR10", "root": "."})

    assert str(raised.value) == f"{tmp_path}/data_batch_1.bin: labels must be 0 to 9 (got 17); replace it"


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.9])
def test_cifar_archive_truncated(
    tmp_path: Path, write_tar: WriteTar, cifar_members: list[tuple[str, bytes]], kept: float
) -> None:
    archive = write_tar(tmp_path / "train.tar", cifar_members)
    blocks = int(len(cifar_members) * 2 * kept) * 512
    archive.write_bytes(archive.read_bytes()[:blocks])

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "CIFAR10", "root": "."})

    assert str(raised.value) == f"{archive}: is a damaged or truncated archive; replace it"


def test_cifar_archive_with_an_unknown_class(
    tmp_path: Path, write_tar: WriteTar, cifar_members: list[tuple[str, bytes]]
) -> None:
    archive = write_tar(tmp_path / "train.tar", [*cifar_members[1:], ("plane/0.png", cifar_members[0][1])])

    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "CIFAR10", "root": "."})

    assert str(raised.value) == (
        f"{archive}: must hold the classes airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck "
        "(got them without airplane and with plane)"
    )


def test_cifar_absent_and_not_to_be_downloaded(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        all_of(tmp_path, {"type": "CIFAR10", "root": "cifar", "download": False})

    assert str(raised.value) == (
        f"{tmp_path}/cifar: must hold cifar-10-binary.tar.gz, data_batch_1.bin, train.tar or a folder train; "
        "put one there or set download: true"
    )


# Objects of Python


class Broken(torch.utils.data.Dataset[object]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> object:
        return torch.zeros(2) / 0 if index == 0 else {}[index]


OBJECT_FAULTS: list[tuple[object, str]] = [
    ({"image": torch.tensor([0.0, torch.nan])}, "train.image: must be finite, but example 1 holds NaN"),
    ({"image": torch.zeros(4), "label": torch.zeros(3)}, "train.label: must have as many examples as image, 4 (got 3)"),
    ({"image": ["a", "b"]}, "train.image: must be numbers (got elements of type <U1)"),
    ({}, "train: has no fields"),
    (Broken(), "train[1]: cannot be read: KeyError: 1"),
    (
        [(torch.zeros(2), 0), (torch.zeros(3), 1)],
        "train[1].image: must have the shape of the other examples, [2] (got [3])",
    ),
    ([{"x": 1.0}, {"y": 1.0}], "train[1]: must have the fields of the other examples, x (got y)"),
    (
        [(1, 2, 3)],
        'train[0]: has 3 parts, but only 2 are named: name them all, as in fields=("image", "label")',
    ),
    (lambda: iter(()), "train: has no examples"),
]


@pytest.mark.parametrize(("given", "message"), OBJECT_FAULTS)
def test_objects(tmp_path: Path, given: object, message: str) -> None:
    with pytest.raises(DataError) as raised:
        all_of(tmp_path, given)

    assert str(raised.value) == message


REQUEST_FAULTS: list[tuple[object, str]] = [
    (
        iter([(1.0, 0)]),
        "train: must be an iterable that begins anew in each epoch, and list_iterator can be gone through only once: "
        "give the function that makes it",
    ),
    (
        3,
        "train: must be arrays by field, a data set, a DataLoader, an iterable or a function that makes one (got int)",
    ),
    (
        (torch.zeros(2), torch.zeros(2), torch.zeros(2)),
        'train: has 3 arrays, but only 2 are named: name them all, as in fields=("image", "label")',
    ),
]


@pytest.mark.parametrize(("given", "message"), REQUEST_FAULTS)
def test_what_is_no_data(tmp_path: Path, given: object, message: str) -> None:
    with pytest.raises(RillnetError) as raised:
        all_of(tmp_path, given)

    assert str(raised.value) == message
    assert raised.value.exit_code == 2
