"""MNIST, small and real; damaged files are in test_bad_data."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from rillnet.data.sources import mnist
from rillnet.data.sources.mnist import FILES, MNIST
from rillnet.errors import DataError


def test_images_and_labels_of_both_phases(small_mnist: Path) -> None:
    source = MNIST(str(small_mnist))
    train, test = source.examples("train"), source.examples("test")
    batch = train.gather(torch.tensor([11, 3]))

    assert source.phases() == ("train", "test")
    assert (len(train), len(test)) == (12, 5)
    assert train.fields() == {"image": ((1, 28, 28), torch.float32), "label": ((), torch.int64)}
    assert batch["label"].tolist() == [1, 3]
    assert torch.allclose(batch["image"][:, 0, 5, 5], torch.tensor([11 / 255, 3 / 255]))


def test_unpacked_files_are_read_first(small_mnist: Path) -> None:
    for packed in small_mnist.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.write_bytes(b"not read")

    assert len(MNIST(str(small_mnist)).examples("test")) == 5


def test_a_relative_root_is_below_the_base(small_mnist: Path) -> None:
    assert len(MNIST("mnist", base=small_mnist.parent).examples("test")) == 5


def test_making_one_reads_nothing(tmp_path: Path) -> None:
    assert MNIST(str(tmp_path / "none")).phases() == ("train", "test")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server(small_mnist: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(small_mnist))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_missing_files_are_downloaded(
    tmp_path: Path, small_mnist: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {name: gzip.decompress((small_mnist / f"{name}.gz").read_bytes()) for name in FILES}
    monkeypatch.setattr(mnist, "FILES", {name: hashlib.sha256(content).hexdigest() for name, content in small.items()})
    source = MNIST("fresh", mirrors=[server], base=tmp_path)

    assert len(source.examples("train")) == 12
    assert sorted(path.name for path in (tmp_path / "fresh").glob("*.gz")) == sorted(f"{name}.gz" for name in FILES)


def test_another_file_than_the_official_one_is_not_taken(tmp_path: Path, server: str) -> None:
    with pytest.raises(DataError) as raised:
        MNIST("fresh", mirrors=[server], base=tmp_path).examples("train")

    assert str(raised.value) == (
        f"MNIST is not in {tmp_path}/fresh, and train-images-idx3-ubyte.gz could not be downloaded.\n"
        "Put these files there: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        "t10k-labels-idx1-ubyte.gz.\n"
        f"Mirrors tried:\n  {server}: the file there is another one (its checksum is wrong)"
    )


@pytest.mark.data
def test_the_real_files(data_root: Path) -> None:
    begin = time.perf_counter()
    source = MNIST(str(data_root / "mnist"), download=False)
    train, test = source.examples("train"), source.examples("test")
    seconds = time.perf_counter() - begin

    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.tensors["label"].bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.tensors["label"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert abs(float(train.tensors["image"].float().mean()) / 255 - 0.1307) < 1e-4
    assert seconds < 5  # 0.3 s on an idle machine


@pytest.mark.data
def test_the_real_files_have_the_checksums_that_downloads_must_have(data_root: Path) -> None:
    for name, checksum in FILES.items():
        content = gzip.decompress((data_root / "mnist" / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == checksum
