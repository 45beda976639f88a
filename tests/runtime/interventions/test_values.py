"""What a clamp's value may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rillnet.errors import RequestError
from rillnet.model.shapes import Signature
from rillnet.runtime.interventions.values import Drawn, read_value

MAP = Signature((2, 4, 4))
LABEL = Signature((), torch.int64)


def read(value: Any, signature: Signature = MAP, indices: tuple[Any, ...] = ()) -> Any:
    return read_value(value, signature, indices, "net/h")


@pytest.mark.parametrize("value", [3, 3.0, True, [[[3.0]]], torch.tensor(3), np.full((4, 4), 3), [[3], [3], [3], [3]]])
def test_numbers_and_arrays_are_repeated(value: Any) -> None:
    expected = 1.0 if value is True else 3.0

    assert torch.equal(read(value), torch.full((2, 4, 4), expected, dtype=torch.float64))


def test_an_array_may_have_the_shape_of_the_region() -> None:
    numbers = torch.arange(8.0).reshape(4, 2)

    found = read(numbers, indices=(1, slice(None), slice(1, 3)))

    assert torch.equal(found[1, :, 1:3].float(), numbers)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("normal(0, 1)", Drawn("normal", 0.0, 1.0)),
        (" uniform( -.5 , 1e-1 ) ", Drawn("uniform", -0.5, 0.1)),
    ],
)
def test_distributions(text: str, drawn: Drawn) -> None:
    assert read(text) == drawn


def test_what_is_drawn_is_told_by_the_seed() -> None:
    low, high = 2.0, 5.0
    one, again, other = (
        Drawn("uniform", low, high).draw((1000,), torch.float32, torch.device("cpu"), seed) for seed in (1, 1, 2)
    )

    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert low <= float(one.min()) < low + 0.1
    assert high - 0.1 < float(one.max()) <= high


def test_a_picture_is_brought_to_the_size_of_what_it_is_for(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:4] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")

    for signature in (Signature((1, 4, 4)), Signature((3, 4, 4)), Signature((4, 4))):
        found = read(str(tmp_path / "half.png"), signature)
        assert tuple(found.shape) == signature.shape
        assert float(found[..., :1, :].mean()) > 0.9
        assert float(found[..., -1:, :].mean()) < 0.1
    region: Tensor = read(str(tmp_path / "half.png"), MAP, (1,))
    assert float(region[1].mean()) == pytest.approx(0.5, abs=0.05)


def test_saved_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(32.0).reshape(2, 4, 4))

    assert torch.equal(read(str(tmp_path / "a.npy")), torch.arange(32.0, dtype=torch.float64).reshape(2, 4, 4))


HINT = "a number, a list, a picture or .npy file, normal(mean, std) or uniform(low, high)"


@pytest.mark.parametrize(
    ("value", "signature", "message"),
    [
        ("half", MAP, f"net/h: can be clamped to {HINT} (got 'half')"),
        ("gone.png", MAP, "net/h: there is no such file (got 'gone.png')"),
        ({"a": 1}, MAP, f"net/h: can be clamped to {HINT} (got {{'a': 1}})"),
        (None, MAP, f"net/h: can be clamped to {HINT} (got None)"),
        ([], MAP, f"net/h: can be clamped to {HINT} (got [])"),
        ([[1, 2], [3]], MAP, f"net/h: can be clamped to {HINT} (got [[1, 2], [3]])"),
        ([1, 2, 3], MAP, "net/h: takes a number, or an array of the shape [2, 4, 4] (got [3])"),
        (float("nan"), MAP, "net/h: can be clamped to finite numbers only (got nan)"),
        ("normal(0, -1)", MAP, "net/h: normal(mean, std) needs a std of at least 0 (got 'normal(0, -1)')"),
        ("uniform(1, 0)", MAP, "net/h: uniform(low, high) needs low to be at most high (got 'uniform(1, 0)')"),
        ("uniform(0, 1e999)", MAP, "net/h: can be clamped to finite numbers only (got 'uniform(0, 1e999)')"),
        ("normal(0, 1)", LABEL, "net/h: sends whole numbers, which no distribution gives (got 'normal(0, 1)')"),
        (0.5, LABEL, "net/h: sends whole numbers (got 0.5)"),
    ],
)
def test_what_is_no_value_is_told(value: Any, signature: Signature, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(value, signature)

    assert str(caught.value) == message


def test_files_that_are_no_pictures_or_arrays_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"no array")
    (tmp_path / "a.png").write_bytes(b"no picture")
    np.save(tmp_path / "b.npy", np.array(["word"]))
    where = str(tmp_path)
    for name, message in (
        ("a.npy", f"net/h: {where}/a.npy: is no array that numpy can read"),
        ("a.png", f"net/h: {where}/a.png: is no image that pillow can read; remove or replace it"),
        ("b.npy", f"net/h: {where}/b.npy: must be an array of numbers, is one of <U4 with the shape (1,)"),
    ):
        with pytest.raises(RequestError) as caught:
            read(f"{where}/{name}", Signature((1, 4, 4)))
        assert str(caught.value) == message


def test_a_picture_needs_something_like_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(RequestError) as caught:
        read(str(tmp_path / "a.png"), Signature((16,)))

    rule = "takes a picture where it sends [1, height, width], [3, height, width] or [height, width]"
    assert str(caught.value) == f"net/h: {rule} (got [16])"
