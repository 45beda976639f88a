"""Damaged runs and checkpoints, and what a run cannot predict from: named, passed over where another one is intact."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from tests.bad_input.tiny import DOCUMENT, Told, write


def damage_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def newest(run: RunDirectory) -> Path:
    return checkpoints.saved(run.checkpoints)[-1]


DAMAGE = "the checkpoint is damaged, load another one"
CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit in a parameter": (
        lambda path: damage_byte(path / "parameters.safetensors"),
        f"parameters.safetensors: does not match its checksum; {DAMAGE}",
    ),
    "truncated parameters": (
        lambda path: os.truncate(path / "parameters.safetensors", 100),
        f"parameters.safetensors: must have SIZE bytes (got 100); {DAMAGE}",
    ),
    "missing parameters": (
        lambda path: (path / "parameters.safetensors").unlink(),
        f"parameters.safetensors: is missing; {DAMAGE}",
    ),
    "flipped bit in a learning rate": (
        lambda path: (path / "manifest.json").write_text(
            (path / "manifest.json").read_text().replace('"step":', '"stEp":').replace('"step": ', '"stEp": ')
        ),
        f"manifest.json: does not match its own checksum; {DAMAGE}",
    ),
    "empty manifest": (
        lambda path: (path / "manifest.json").write_bytes(b""),
        f"manifest.json: is not JSON; {DAMAGE}",
    ),
    "missing manifest": (lambda path: (path / "manifest.json").unlink(), f"manifest.json: is missing; {DAMAGE}"),
    "manifest of a newer version": (
        lambda path: (path / "manifest.json").write_text('{"format": 99, "rillnet": "9.0"}'),
        "manifest.json: format version must be at most 1 (got 99); it was written by a newer rillnet (9.0): "
        "install that one",
    ),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    name: str, run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, message = CHECKPOINTS[name]
    path = newest(run)
    size = (path / "parameters.safetensors").stat().st_size
    damage(path)
    fault = f"{path}/{message.replace('SIZE', str(size))}"

    assert main(["eval", "tiny", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"{fault}; taking the checkpoint before\n"
    assert json.loads(captured.out)["step"] == 2
    assert main(["eval", "tiny", "--checkpoint", str(path)]) == 3
    assert capsys.readouterr().err == f"{fault}\n"


def test_a_run_goes_on_from_the_checkpoint_before(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    path = newest(run)
    whole = checkpoints.load(path).tensors("parameters")
    damage_byte(path / "parameters.safetensors")
    run.set_status("interrupted")

    assert main(["run", "tiny", "--json"]) == 0
    captured = capsys.readouterr()
    fault = f"{path}/parameters.safetensors: does not match its checksum; {DAMAGE}; going back to the checkpoint before"
    assert captured.err.splitlines()[:2] == [fault, "going on with tiny/1 from step 2"]
    again = checkpoints.load(path).tensors("parameters")
    assert all(bool((whole[address] == again[address]).all()) for address in whole)


def test_a_run_without_an_intact_checkpoint_does_not_begin_anew(run: RunDirectory, told: Callable[..., Told]) -> None:
    for path in checkpoints.saved(run.checkpoints):
        (path / "manifest.json").unlink()
    run.set_status("interrupted")

    code, text = told("run", "tiny")
    assert code == 3
    assert text.splitlines()[-1] == "tiny/1: every checkpoint is damaged; --fresh starts anew"
    assert told("eval", "tiny")[0] == 3


def test_a_checkpoint_of_another_net(run: RunDirectory, told: Callable[..., Told]) -> None:
    write(DOCUMENT.replace("experiment: tiny", "experiment: other").replace("out_channels: 2", "out_channels: 3"))
    assert main(["run", "tiny.yaml", "--quiet"]) == 0

    code, text = told("eval", "other", "--checkpoint", str(newest(run)))
    assert code == 3
    assert text.splitlines()[0].startswith(f"{newest(run)}: does not fit the net: ")


def test_a_checkpoint_that_is_not_there(run: RunDirectory, told: Callable[..., Told]) -> None:
    rule = "--checkpoint: must be newest, best, a step, or a checkpoint's directory (got 'nowhere')"
    code, text = told("eval", "tiny", "--checkpoint", "nowhere")
    assert (code, text.partition("; ")[0]) == (2, rule)
    assert told("eval", "tiny", "--checkpoint", "no/where") == (3, "no/where: there is no such checkpoint")
    message = "tiny/1: has no best checkpoint; run.checkpoint.best names the metric to keep it by"
    assert told("eval", "tiny", "--checkpoint", "best") == (3, message)


def test_a_damaged_record_of_a_run(run: RunDirectory, told: Callable[..., Told]) -> None:
    (run.path / "run.json").write_text("{")

    assert told("eval", "runs/tiny/1") == (2, "runs/tiny/1/run.json: is damaged; the run cannot be opened")


def test_a_run_without_its_document(run: RunDirectory, told: Callable[..., Told]) -> None:
    (run.path / "experiment.yaml").unlink()

    code, text = told("eval", "tiny/1")
    assert (code, "experiment.yaml" in text) == (2, True)


def test_a_run_that_is_in_use(run: RunDirectory, told: Callable[..., Told]) -> None:
    run.set_status("interrupted")
    with run.lock():
        code, text = told("run", "tiny")

    assert code == 2
    assert text.startswith("runs/tiny/1: is in use by process ")


def test_fresh_and_overrides_are_for_documents(run: RunDirectory, told: Callable[..., Told]) -> None:
    message = "--fresh: tiny is a run, which can only go on; give --fresh its document"
    assert told("run", "tiny", "--fresh") == (2, message)
    message = "--set: changes a document, and a run goes on as it began; give --set the document"
    assert told("run", "tiny", "--set", "run.epochs=2") == (2, message)


PREDICTIONS: dict[str, tuple[Callable[[], str], int, str]] = {
    "array of another shape": (
        lambda: saved_array(np.zeros((3, 9, 8), np.float32)),
        3,
        "x.npy: net.inputs.image takes [1, 8, 8], or several such (got [3, 9, 8])",
    ),
    "array that is none": (lambda: saved_bytes("x.npy", b"nothing"), 3, "x.npy: is damaged or not a file of NumPy's"),
    "file that is not there": (lambda: "y.npy", 3, "y.npy: there is no such file"),
    "file of another kind": (
        lambda: saved_bytes("x.txt", b"nothing"),
        2,
        "x.txt: must be a .npy file or an image (.bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp)",
    ),
    "damaged image": (
        lambda: saved_bytes("x.png", b"nothing"),
        3,
        "x.png: is no image that pillow can read; remove or replace it",
    ),
    "image of another size": (
        lambda: saved_image(9, 8),
        3,
        "x.png: must be 8 x 8 pixels (got 9 x 8); --resize scales it",
    ),
}


def saved_array(values: np.ndarray) -> str:
    np.save("x.npy", values)
    return "x.npy"


def saved_bytes(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


def saved_image(height: int, width: int) -> str:
    image = pytest.importorskip("PIL.Image")
    image.new("L", (width, height)).save("x.png")
    return "x.png"


@pytest.mark.parametrize("name", PREDICTIONS)
def test_bad_input_of_a_prediction(name: str, run: RunDirectory, told: Callable[..., Told]) -> None:
    make, code, message = PREDICTIONS[name]

    assert told("predict", "tiny", "--input", make()) == (code, message)


UNCOMPUTED: dict[str, tuple[list[str], str]] = {
    "block that is not there": (
        ["--output", "zebra"],
        "net/zebra: unknown block; known: conv, relu, flat, logits",
    ),
    "block that needs another input": (
        ["--output", "loss"],
        "--output: cannot be computed from 'image' alone (got 'loss'); known: conv, relu, flat, logits",
    ),
    "input that is not there": (
        ["--field", "zebra"],
        "--field: is no input of the net (got 'zebra'); known: image, label",
    ),
}


@pytest.mark.parametrize("name", UNCOMPUTED)
def test_what_cannot_be_predicted(name: str, run: RunDirectory, told: Callable[..., Told]) -> None:
    words, message = UNCOMPUTED[name]
    np.save("x.npy", np.zeros((1, 8, 8), np.float32))

    assert told("predict", "tiny", "--input", "x.npy", *words) == (2, message)


@pytest.mark.parametrize("words", [["predict", "tiny", "--input", "x.npy"], ["convert", "tiny", "--frames", "1"]])
def test_whoever_reads_a_checkpoint_says_which_damaged_one_is_passed_over(
    words: list[str], run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", np.zeros((1, 8, 8), np.float32))
    path = newest(run)
    damage_byte(path / "parameters.safetensors")

    assert main([*words, "--json"]) == 0
    fault = f"{path}/parameters.safetensors: does not match its checksum; {DAMAGE}"
    assert capsys.readouterr().err == f"{fault}; taking the checkpoint before\n"
