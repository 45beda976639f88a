from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rillnet.data import open_data
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from rillnet.serving.cli.finding import find_checkpoint, load_run, open_session

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def digits(run: RunDirectory) -> torch.Tensor:
    """Five test images, in `five.npy` too."""
    images = next(iter(open_data("Digits", batch_size=5).feed("test").once()))["image"]
    np.save("five.npy", images.numpy())
    return images


def test_classes_are_those_of_the_net(digits: torch.Tensor, answer: Command) -> None:
    told = answer("predict", "tiny", "--input", "five.npy", "--top", "2")
    run = load_run("tiny", None, Path("runs"), False)
    assert run.directory is not None
    with open_session(run, find_checkpoint(run.directory, "newest")[0]) as session:
        expected = session.predict({"image": digits}, ["logits"])["logits"].softmax(1)

    assert (told["run"], told["step"], told["output"]) == ("tiny/1", 12, "logits")
    assert [one["class"] for one in told["predictions"]] == expected.argmax(1).tolist()
    for one, row in zip(told["predictions"], expected, strict=True):
        assert one["probability"] == pytest.approx(float(row.max()))
        assert [entry["class"] for entry in one["top"]] == row.topk(2).indices.tolist()
    assert [one["input"] for one in told["predictions"]] == [f"five.npy[{index}]" for index in range(5)]


def test_an_image_is_what_its_pixels_are(digits: torch.Tensor, answer: Command) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = (digits[0, 0] * 255).round().to(torch.uint8).numpy()
    image.fromarray(pixels).save("one.png")
    np.save("one.npy", pixels[None])

    by_file = answer("predict", "tiny", "--input", "one.png", "--input", "one.npy")["predictions"]
    assert by_file[0]["top"] == by_file[1]["top"]
    assert [one["input"] for one in by_file] == ["one.png", "one.npy"]


def test_an_image_of_another_size_and_in_colour_is_converted(digits: torch.Tensor, answer: Command) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = (digits[0, 0] * 255).round().to(torch.uint8).numpy()
    image.fromarray(pixels).resize((32, 32), image.Resampling.NEAREST).convert("RGB").save("large.png")
    image.fromarray(pixels).save("one.png")

    told = answer("predict", "tiny", "--input", "large.png", "--resize", "--input", "one.png")["predictions"]
    assert told[0]["class"] == told[1]["class"]


def test_any_block_can_be_shown(digits: torch.Tensor, answer: Command) -> None:
    told = answer("predict", "tiny", "--input", "five.npy", "--output", "conv")["predictions"]

    assert told[0]["shape"] == [4, 6, 6]
    assert np.asarray(told[0]["values"]).shape == (4, 6, 6)


def test_predictions_as_text(digits: torch.Tensor, lines: Lines) -> None:
    heading, first, *others = lines("predict", "tiny", "--input", "five.npy", "--top", "1")

    assert heading.split() == ["input", "prediction"]
    assert first.startswith("five.npy[0]")
    assert first.endswith(" %)")
    assert len(others) == 4


def test_what_the_data_go_through_the_input_goes_through(place: Path, answer: Command) -> None:
    np.save("x.npy", np.full((1, 8, 8), 0.5, np.float32))
    answer("run", "tiny.yaml", "--set", "data.prepare=[Whiten]", "--set", "experiment=zero")
    np.save("y.npy", np.full((1, 8, 8), 0.9, np.float32))

    told = answer("predict", "zero", "--input", "x.npy", "--input", "y.npy")["predictions"]
    assert told[0]["class"] == told[1]["class"]
    assert told[0]["probability"] == pytest.approx(told[1]["probability"], rel=1e-3)


def test_many_numbers_are_told_by_what_they_are_like(digits: torch.Tensor, lines: Lines) -> None:
    row = lines("predict", "tiny", "--input", "five.npy", "--output", "conv")[1]

    number = r"-?\d\S*"
    told = rf"shape \[4, 6, 6\], mean {number}, from {number} to {number}; --out FILE.npz writes the values"
    assert re.fullmatch(rf"five.npy\[0\] +{told}", row)


@pytest.mark.parametrize("name", ["values.npz", "values.json"])
def test_values_are_written_to_a_file(digits: torch.Tensor, answer: Command, name: str) -> None:
    told = answer("predict", "tiny", "--input", "five.npy", "--output", "conv")["predictions"]
    short = answer("predict", "tiny", "--input", "five.npy", "--output", "conv", "--out", name)["predictions"]

    assert [one.keys() for one in short] == [{"input", "shape"}] * 5
    if name.endswith("npz"):
        with np.load(name) as found:
            inputs, values = found["inputs"].tolist(), found["outputs"]
    else:
        content = json.loads(Path(name).read_text())
        inputs, values = [one["input"] for one in content], np.asarray([one["values"] for one in content])
    assert inputs == [one["input"] for one in told]
    assert np.allclose(values, [one["values"] for one in told])


def test_a_file_of_another_kind_is_refused(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "tiny", "--input", "five.npy", "--out", "values.txt"]) == 2
    assert capsys.readouterr().err == "--out: must end in .npz or .json (got 'values.txt')\n"
