"""Bad input, end to end through the command line: each broken document, data file or checkpoint has its own message.

None of them ends in a traceback, and none leaves a run behind that was never begun.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime import unwritten
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main

DOCUMENT = """\
experiment: tiny
net:
  inputs:
    image: [1, 8, 8]
    label: {dtype: int64}
  blocks:
    conv: {type: Conv2d, from: image, out_channels: 2, kernel_size: 3}
    relu: ReLU
    flat: Flatten
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data:
  source: Digits
  batch_size: 512
learning:
  main: {type: Backprop, loss: loss, optimizer: {type: SGD, lr: 0.1}}
run: {epochs: 1, seed: 1, execution: eager}
"""

Told = tuple[int, str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; messages then hold relative paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Runs a command line, and returns its exit code and what it wrote to standard error."""

    def run(*words: str) -> Told:
        code = main(list(words))
        return code, capsys.readouterr().err.rstrip("\n")

    return run


def write(text: str) -> None:
    Path("tiny.yaml").write_text(text)


# --- documents ----------------------------------------------------------------------------------

DOCUMENTS: dict[str, tuple[str, str, str]] = {
    "value below its bound": (
        "kernel_size: 3",
        "kernel_size: 0",
        "net/conv.kernel_size: must be at least 1 (got 0)  [tiny.yaml:7]",
    ),
    "wrong argument name": (
        "kernel_size: 3",
        "kernal_size: 3",
        "net/conv.kernel_size: is required  [tiny.yaml:7]\n"
        "net/conv.kernal_size: unknown key; did you mean 'kernel_size'?  [tiny.yaml:7]",
    ),
    "word for a number": (
        "kernel_size: 3",
        "kernel_size: big",
        "net/conv.kernel_size: must be a whole number (got 'big')  [tiny.yaml:7]",
    ),
    "unknown block type": (
        "relu: ReLU",
        "relu: ReLu",
        "net/relu.type: unknown block type (got 'ReLu'); did you mean 'ReLU'?  [tiny.yaml:8]",
    ),
    "unknown source": (
        "from: image",
        "from: imag",
        "net/conv.from: unknown source (got 'imag'); did you mean 'image'?  [tiny.yaml:7]",
    ),
    "block larger than its input": (
        "kernel_size: 3",
        "kernel_size: 9",
        "net/conv: Conv2d cannot work on image [1, 8, 8]: Calculated padded input size per channel: (8 x 8). "
        "Kernel size: (9 x 9). Kernel size can't be greater than actual input size  [tiny.yaml:7]",
    ),
    "missing argument": (
        "{type: Linear, out_features: 10}",
        "Linear",
        "net/logits.out_features: is required  [tiny.yaml:10]",
    ),
    "duplicate name of blocks": (
        "relu: ReLU",
        "conv: ReLU",
        "net/conv: is given twice, first on line 7  [tiny.yaml:8]",
    ),
    "name with a blank": (
        "relu: ReLU",
        "re lu: ReLU",
        "net/re lu: must be letters, digits and _ only (got 're lu')  [tiny.yaml:8]",
    ),
    "cycle without delay": (
        "relu: ReLU",
        "relu: {type: Sum, from: [conv, flat]}",
        "net/relu: the cycle relu -> flat -> relu has no delay; "
        "give one of its edges a delay of at least 1, as in from: name@-1  [tiny.yaml:8]",
    ),
    "block that reads itself": (
        "relu: ReLU",
        "relu: {type: ReLU, from: relu}",
        "net/relu: the cycle relu -> relu has no delay; "
        "give one of its edges a delay of at least 1, as in from: name@-1  [tiny.yaml:8]",
    ),
    "unknown phase": (
        "relu: ReLU",
        "relu: {type: ReLU, exclude: [tran]}",
        "net/relu.exclude.0: must be 'train', 'val' or 'test' (got 'tran'); did you mean 'train'?  [tiny.yaml:8]",
    ),
    "delay into the future": (
        "relu: ReLU",
        "relu: {type: ReLU, from: 'conv@1'}",
        "net/relu.from: must be a block's name, name[output] or name@-frames (got 'conv@1')  [tiny.yaml:8]",
    ),
    "code by a tag": (
        "relu: ReLU",
        "relu: !!python/object/apply:os.getcwd []",
        "net/relu: the tag !!python/object/apply:os.getcwd is not allowed: a document is plain data  [tiny.yaml:8]",
    ),
    "shared parameter of another shape": (
        "relu: ReLU",
        "relu: {type: Conv2d, out_channels: 4, kernel_size: 5, share: {weight: conv.weight}}",
        "net/relu.share.weight: shapes must be equal: conv.weight is [2, 1, 3, 3], weight is [4, 2, 5, 5]"
        "  [tiny.yaml:8]",
    ),
    "input of another shape than the data": (
        "image: [1, 8, 8]",
        "image: [1, 9, 8]",
        "net.inputs.image: the data sends [1, 8, 8], the net takes [1, 9, 8]  [tiny.yaml:4]",
    ),
    "unknown element type": (
        "dtype: int64",
        "dtype: int65",
        "net.inputs.label.dtype: must be 'float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int16', "
        "'int8', 'uint8', 'bool' or 'complex64' (got 'int65'); did you mean 'int64'?  [tiny.yaml:5]",
    ),
    "unknown name in an expression": (
        "kernel_size: 3",
        "kernel_size: = 2 * size",
        "net/conv.kernel_size: unknown name 'size' in \"2 * size\"; there are no globals  [tiny.yaml:7]",
    ),
    "expression that would run code": (
        "kernel_size: 3",
        "kernel_size: = __import__('os').getpid()",
        "net/conv.kernel_size: only functions by name are called in \"__import__('os').getpid()\"; "
        "known: abs, ceil, float, floor, int, len, max, min, round, sqrt, sum  [tiny.yaml:7]",
    ),
    "unknown tag": (
        f"kernel_size: 3}}{DOCUMENT.partition('kernel_size: 3}')[2]}",
        f"kernel_size: 3, tags: conf}}{DOCUMENT.partition('kernel_size: 3}')[2]}tags: {{conv: {{}}}}\n",
        "net/conv.tags: unknown tag (got 'conf'); did you mean 'conv'?  [tiny.yaml:7]",
    ),
    "module without blocks": (
        "run: {epochs: 1",
        "modules: {act: {blocks: {}}}\nrun: {epochs: 1",
        "modules.act.blocks: must have at least 1 items (got {})  [tiny.yaml:17]",
    ),
    "import that is not there": (
        "run: {epochs: 1",
        "imports: [parts.yaml]\nrun: {epochs: 1",
        "imports.0: there is no file 'parts.yaml'  [tiny.yaml:17]",
    ),
    "unknown data source": (
        "source: Digits",
        "source: Digit",
        "data.source.type: unknown source (got 'Digit'); did you mean 'Digits'?  [tiny.yaml:13]",
    ),
    "transform larger than the image": (
        "source: Digits",
        "source: Digits\n  augment: [{type: Crop, size: 20}]",
        "data.augment.0.size: must fit into the image, [8, 8] (got [20, 20])  [tiny.yaml:14]",
    ),
    "empty batch": (
        "batch_size: 512",
        "batch_size: 0",
        "data.batch_size: must be at least 1 (got 0)  [tiny.yaml:14]",
    ),
    "fraction above one": (
        "batch_size: 512",
        "validation: 1.5",
        "data.validation: must be a whole number of examples, or a fraction of them below 1 (got 1.5)  [tiny.yaml:14]",
    ),
    "unknown loss": (
        "loss: loss, ",
        "loss: los, ",
        "learning/main.loss: unknown block (got 'los'); did you mean 'loss'?  [tiny.yaml:16]",
    ),
    "unknown learning rule": (
        "type: Backprop",
        "type: Backpropp",
        "learning/main.type: unknown learning rule (got 'Backpropp'); did you mean 'Backprop'?  [tiny.yaml:16]",
    ),
    "unknown optimiser": (
        "type: SGD",
        "type: SDG",
        "learning/main.optimizer.type: unknown optimizer (got 'SDG'); did you mean 'SGD'?  [tiny.yaml:16]",
    ),
    "wrong argument of an optimiser": (
        "lr: 0.1",
        "lr: 0.1, momentun: 0.9",
        "learning/main.optimizer.momentun: unknown key; did you mean 'momentum'?  [tiny.yaml:16]",
    ),
    "negative learning rate": (
        "lr: 0.1",
        "lr: -1",
        "learning/main.optimizer.lr: must be at least 0 (got -1)  [tiny.yaml:16]",
    ),
    "unknown rate": (
        "lr: 0.1}",
        "lr: 0.1}, rate: Cosin",
        "learning/main.rate.type: unknown rate (got 'Cosin'); did you mean 'Cosine'?  [tiny.yaml:16]",
    ),
    "parameters that are not there": (
        "lr: 0.1}",
        "lr: 0.1}, parameters: 'conf*'",
        "learning/main.parameters: matches no parameter (got 'conf*'); did you mean 'conv'?  [tiny.yaml:16]",
    ),
    "two lengths": (
        "epochs: 1",
        "epochs: 1, steps: 5",
        "run.steps: must not stand beside epochs: one of epochs, steps and frames says how long (got 5)"
        "  [tiny.yaml:17]",
    ),
    "no length": ("epochs: 1, ", "", "run: must say how long: epochs, steps or frames  [tiny.yaml:17]"),
    "seed that is no number": ("seed: 1", "seed: one", "run.seed: must be a whole number (got 'one')  [tiny.yaml:17]"),
    "trigger with an unknown unit": (
        "seed: 1",
        "checkpoint: {every: 5 stpes}",
        "run.checkpoint.every: unknown unit 'stpes', did you mean 'steps'? (got '5 stpes')  [tiny.yaml:17]",
    ),
    "best of a metric that is not computed": (
        "seed: 1",
        "checkpoint: {best: accuracy}",
        "run.checkpoint.best: is no metric of the evaluation (got 'accuracy'); known: loss  [tiny.yaml:17]",
    ),
    "patience with a metric that is not computed": (
        "seed: 1",
        "early_stopping: {metric: accuracy}",
        "run.early_stopping.metric: is no metric of the evaluation (got 'accuracy'); known: loss  [tiny.yaml:17]",
    ),
    "evaluation on data that are not there": (
        "seed: 1",
        "evaluate: {phase: val}",
        "data: has no val phase, but train, test  [tiny.yaml:12]",
    ),
    "unknown precision": (
        "seed: 1",
        "precision: fp8",
        "run.precision: must be 'fp32', 'bf16', 'fp16' or 'fp64' (got 'fp8')  [tiny.yaml:17]",
    ),
    "name that is no directory's": (
        "experiment: tiny",
        "experiment: ti/ny",
        "experiment: must be letters, digits, '.', '_' and '-' only, as it names a directory (got 'ti/ny')"
        "  [tiny.yaml:1]",
    ),
    "base that is not there": (
        "experiment: tiny",
        "extends: nowhere.yaml",
        "extends: there is no file 'nowhere.yaml'  [tiny.yaml:1]",
    ),
    "base that is the document itself": (
        "experiment: tiny",
        "extends: tiny.yaml",
        "extends: the document builds on itself: tiny.yaml -> tiny.yaml  [tiny.yaml:1]",
    ),
    "delay of an edge that is not there": (
        "experiment: tiny",
        "rollout: {delays: {'conv->relux': 1}}",
        "rollout.delays.conv->relux: unknown edge; did you mean 'conv->relu'?  [tiny.yaml:1]",
    ),
    "window that no gradient crosses": (
        "experiment: tiny",
        "rollout: 1",
        "learning/main.window: must reach back to a block with parameters, and within 1 frame the loss depends on none "
        "(got 1); make it as many frames as the delays add up to from such a block to the loss, plus one  "
        "[tiny.yaml:16]",
    ),
    "placement of a block that is not there": (
        "experiment: tiny",
        "placement: {processes: 2, blocks: {cnv: {partition: feature}}}",
        "placement.blocks.cnv: matches no block; did you mean 'conv'?  [tiny.yaml:1]",
    ),
    "placement on no process": (
        "experiment: tiny",
        "placement: {processes: 0}",
        "placement.processes: must be at least 1 (got 0)  [tiny.yaml:1]",
    ),
    "observer that this version does not know": (
        "experiment: tiny",
        "observe: [{type: Distribtion, of: 'net/*/weight'}]",
        "observe.0.type: unknown observer (got 'Distribtion'); did you mean 'Distribution'?  [tiny.yaml:1]",
    ),
    "unknown section": (
        "experiment: tiny",
        "lerning: {}",
        "lerning: unknown key; did you mean 'learning'?  [tiny.yaml:1]",
    ),
    "list that is not closed": (
        "experiment: tiny",
        "experiment: [tiny",
        "the list that opens on line 1 is not closed: `,` or `]` is expected here  [tiny.yaml:2]",
    ),
    "tab": ("experiment: tiny", "\texperiment: tiny", "a tab cannot indent: use spaces  [tiny.yaml:1]"),
    "character of no text": (
        "experiment: tiny",
        "experiment: ti\x00ny",
        "character U+0000 cannot stand in a document  [tiny.yaml:1]",
    ),
    "empty document": (DOCUMENT, "", "the document is empty: it needs at least a net  [tiny.yaml:1]"),
    "document that is no mapping": (
        DOCUMENT,
        "just words\n",
        "a document is a mapping of sections: experiment, net, data, learning, run ... (got 'just words')"
        "  [tiny.yaml:1]",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_broken_document(name: str, place: Path, told: Callable[..., Told]) -> None:
    right, wrong, message = DOCUMENTS[name]
    assert right in DOCUMENT
    write(DOCUMENT.replace(right, wrong, 1))

    assert told("run", "tiny.yaml") == (2, message)
    assert not Path("runs").exists() or name == "window that no gradient crosses"  # found by the first step


def test_all_faults_are_told_at_once(place: Path, told: Callable[..., Told]) -> None:
    write(
        DOCUMENT.replace("kernel_size: 3", "kernel_size: 0").replace("lr: 0.1", "lr: -1").replace("seed: 1", "sed: 1")
    )

    code, text = told("run", "tiny.yaml")
    assert code == 2
    assert text.splitlines() == [
        "net/conv.kernel_size: must be at least 1 (got 0)  [tiny.yaml:7]",
        "learning/main.optimizer.lr: must be at least 0 (got -1)  [tiny.yaml:16]",
        "run.sed: unknown key; did you mean 'seed'?  [tiny.yaml:17]",
    ]


def test_faults_as_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(DOCUMENT.replace("kernel_size: 3", "kernel_size: 0"))

    assert main(["run", "tiny.yaml", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["faults"] == [
        {
            "address": "net/conv.kernel_size",
            "rule": "must be at least 1",
            "value": 0,
            "file": "tiny.yaml",
            "line": 7,
            "text": "net/conv.kernel_size: must be at least 1 (got 0)  [tiny.yaml:7]",
        }
    ]


UNTRUSTED = {
    "block": ("relu: ReLU", "relu: {type: 'marker:Run'}", "net/relu.type", 8),
    "nested block": ("relu: ReLU", "relu: {blocks: {a: {type: 'marker:Run'}}}", "net/relu/a.type", 8),
    "source": ("source: Digits", "source: 'marker:Run'", "data.source.type", 13),
    "transform": ("source: Digits", "source: Digits\n  prepare: ['marker:Run']", "data.prepare.0.type", 14),
    "augmentation": ("source: Digits", "source: Digits\n  augment: [{type: 'marker:Run'}]", "data.augment.0.type", 14),
    "learning rule": ("type: Backprop", "type: 'marker:Run'", "learning/main.type", 16),
    "optimiser": ("{type: SGD, lr: 0.1}", "'marker:Run'", "learning/main.optimizer.type", 16),
    "rate": ("lr: 0.1}", "lr: 0.1}, rate: 'marker:Run'", "learning/main.rate.type", 16),
    "extension": ("seed: 1", "extensions: ['marker:Run']", "run.extensions.0.type", 17),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_document_runs_no_code_of_its_own(
    name: str, place: Path, told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong, address, line = UNTRUSTED[name]
    Path("marker.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    monkeypatch.syspath_prepend(str(place))
    write(DOCUMENT.replace(right, wrong, 1))

    rule = "runs code of yours; pass --trust, or trust=True in Python, if you mean it (got 'marker:Run')"
    assert told("run", "tiny.yaml") == (2, f"{address}: {rule}  [tiny.yaml:{line}]")
    assert told("show", "tiny.yaml")[0] in (0, 2)
    assert not Path("ran").exists()


# --- data ---------------------------------------------------------------------------------------


def idx(values: np.ndarray) -> bytes:
    """The bytes of an idx file."""
    return struct.pack(f">I{values.ndim}I", 8 << 8 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def images(count: int) -> np.ndarray:
    return np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8)


def labels(count: int) -> np.ndarray:
    return (np.arange(count) % 10).astype(np.uint8)


def write_mnist(**replaced: bytes) -> None:
    """A small data set in MNIST's format, with some files replaced, by the first word of their names."""
    Path("mnist").mkdir()
    content = {
        "train_images": idx(images(20)),
        "train_labels": idx(labels(20)),
        "t10k_images": idx(images(10)),
        "t10k_labels": idx(labels(10)),
    }
    for key, raw in {**content, **replaced}.items():
        phase, _, kind = key.partition("_")
        dimensions = 3 if kind == "images" else 1
        packed = gzip.compress(raw) if content[key] == raw or key not in replaced else raw
        Path(f"mnist/{phase}-{kind}-idx{dimensions}-ubyte.gz").write_bytes(packed)


def damaged_middle(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 8]) + packed[middle + 8 :]


MNIST_FILES: dict[str, tuple[dict[str, bytes], str]] = {
    "truncated gzip": (
        {"train_images": gzip.compress(idx(images(20)))[:-20]},
        "mnist/train-images-idx3-ubyte.gz: ends too early (a truncated gzip file); replace it",
    ),
    "no gzip": (
        {"train_images": b"<html>not found</html>"},
        "mnist/train-images-idx3-ubyte.gz: is damaged (not a valid gzip file); replace it",
    ),
    "damaged gzip": (
        {"train_labels": damaged_middle(gzip.compress(os.urandom(4000)))},
        "mnist/train-labels-idx1-ubyte.gz: is damaged (not a valid gzip file); replace it",
    ),
    "wrong magic number": (
        {"train_images": gzip.compress(b"\x00\x00\x0d\x03" + idx(images(20))[4:])},
        "mnist/train-images-idx3-ubyte.gz: must have the magic number of images, 2051 (got 3331): "
        "it is no idx file; replace it",
    ),
    "labels in place of images": (
        {"train_images": gzip.compress(idx(labels(20)))},
        "mnist/train-images-idx3-ubyte.gz: must have the magic number of images, 2051 (got 2049): "
        "it holds labels; is the file swapped with another one?",
    ),
    "labels of the other phase": (
        {"train_labels": gzip.compress(idx(labels(10)))},
        "mnist/train-labels-idx1-ubyte.gz: must have one label per image of train-images-idx3-ubyte.gz, 20 (got 10); "
        "is the file swapped with that of another phase?",
    ),
    "labels of the other phase, found before the first step": (
        {"t10k_labels": gzip.compress(idx(labels(20)))},
        "mnist/t10k-labels-idx1-ubyte.gz: must have one label per image of t10k-images-idx3-ubyte.gz, 10 (got 20); "
        "is the file swapped with that of another phase?",
    ),
    "too few values": (
        {"train_images": gzip.compress(idx(images(20))[:-64])},
        "mnist/train-images-idx3-ubyte.gz: must have 1296 bytes for 20 x 8 x 8 values (got 1232); replace it",
    ),
    "label beyond the classes": (
        {"train_labels": gzip.compress(idx(np.array([1, 2, 77] + [0] * 17)))},
        "mnist/train-labels-idx1-ubyte.gz: labels must be 0 to 9, but label 2 is 77",
    ),
    "empty file": (
        {"train_labels": gzip.compress(b"")},
        "mnist/train-labels-idx1-ubyte.gz: must be an idx file, but has only 0 bytes; replace it",
    ),
}


@pytest.mark.parametrize("name", MNIST_FILES)
def test_a_broken_file_of_mnist(name: str, place: Path, told: Callable[..., Told]) -> None:
    replaced, message = MNIST_FILES[name]
    write_mnist(**replaced)
    write(DOCUMENT.replace("source: Digits", "source: {type: MNIST, root: mnist, download: false}"))

    assert told("run", "tiny.yaml") == (3, message)
    assert not Path("runs").exists()


def save_arrays(**changed: np.ndarray) -> None:
    fields = {"image": np.zeros((6, 1, 8, 8), np.float32), "label": np.zeros(6, np.int64), **changed}
    for field, values in fields.items():
        np.save(f"{field}.npy", values)


def with_nan() -> np.ndarray:
    values = np.zeros((6, 1, 8, 8), np.float32)
    values[4, 0, 3, 3] = np.nan
    return values


def break_pickle() -> None:
    save_arrays()
    np.save("image.npy", np.array([{}], dtype=object), allow_pickle=True)


def break_header() -> None:
    save_arrays()
    Path("image.npy").write_bytes(Path("image.npy").read_bytes()[:200])


def break_label_kind() -> None:
    save_arrays(label=np.zeros(6, np.float32))


ARRAYS: dict[str, tuple[Callable[[], None], int, str]] = {
    "NaN in an image": (
        lambda: save_arrays(image=with_nan()),
        3,
        "image.npy: image: must be finite, but example 4 holds NaN",
    ),
    "infinity in an image": (
        lambda: save_arrays(image=np.where(np.isnan(with_nan()), np.inf, 0).astype(np.float32)),
        3,
        "image.npy: image: must be finite, but example 4 holds infinity",
    ),
    "fewer labels than images": (
        lambda: save_arrays(label=np.zeros(5, np.int64)),
        3,
        "data.source.train.label: must have as many examples as image, 6 (got 5)",
    ),
    "missing file": (lambda: np.save("image.npy", with_nan()), 3, "label.npy: there is no such file"),
    "Python objects": (
        break_pickle,
        3,
        "image.npy: must hold numbers only: Python objects, or a file that is not NumPy's, are not read",
    ),
    "truncated array": (break_header, 3, "image.npy: is damaged or not a file of NumPy's"),
    "images of another shape": (
        lambda: save_arrays(image=np.zeros((6, 8, 8), np.float32)),
        2,
        "net.inputs.image: the data sends [8, 8], the net takes [1, 8, 8]  [tiny.yaml:4]",
    ),
    "labels that are fractions": (
        break_label_kind,
        2,
        "net.inputs.label.dtype: the data sends float32, the net takes int64  [tiny.yaml:5]",
    ),
    "labels beyond the classes": (
        lambda: save_arrays(label=np.full(6, 12, np.int64)),
        3,
        "labels must be class numbers from 0 to 9, as many as there are scores: Target 12 is out of bounds.",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_broken_arrays(name: str, place: Path, told: Callable[..., Told]) -> None:
    make, code, message = ARRAYS[name]
    make()
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: {image: image.npy, label: label.npy}}"))

    assert told("run", "tiny.yaml") == (code, message)
    assert not Path("runs").exists() or name == "labels beyond the classes"  # found by the first step


def test_a_damaged_archive_of_arrays(place: Path, told: Callable[..., Told]) -> None:
    with zipfile.ZipFile("all.npz", "w") as archive:
        archive.writestr("image.npy", b"no array")
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: all.npz}"))

    assert told("run", "tiny.yaml") == (3, "all.npz: image: must be numbers (got elements of type |S8)")
    assert not Path("runs").exists()


def test_a_field_that_the_data_do_not_send(place: Path, told: Callable[..., Told]) -> None:
    np.savez("all.npz", images=np.zeros((6, 1, 8, 8), np.float32), label=np.zeros(6, np.int64))
    write(DOCUMENT.replace("source: Digits", "source: {type: Arrays, train: all.npz}"))

    message = "net.inputs.image: the data sends no field 'image'; did you mean 'images'?  [tiny.yaml:4]"
    assert told("run", "tiny.yaml") == (2, message)


FOLDERS: dict[str, tuple[dict[str, bytes], str]] = {
    "no folder": ({}, "pictures: there is no such folder"),
    "no class": ({"pictures/note.txt": b""}, "pictures: must hold one folder of images per class, but holds no folder"),
    "class without images": (
        {"pictures/cat/note.txt": b""},
        "pictures/cat: holds no image (.bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp)",
    ),
    "file that is no image": (
        {"pictures/cat/a.png": b"\x89PNG and no more"},
        "pictures/cat/a.png: is no image that pillow can read; remove or replace it",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_broken_folders_of_images(name: str, place: Path, told: Callable[..., Told]) -> None:
    files, message = FOLDERS[name]
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    write(DOCUMENT.replace("source: Digits", "source: {type: Images, root: pictures, size: 8, mode: L}"))

    assert told("run", "tiny.yaml") == (3, message)
    assert not Path("runs").exists()


def test_data_that_are_not_there(place: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT.replace("source: Digits", "source: {type: MNIST, root: nowhere, download: false}"))

    files = ", ".join(
        f"{phase}-{kind}-ubyte.gz" for phase in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    )
    assert told("run", "tiny.yaml") == (3, f"nowhere: must hold {files}; put them there or set download: true")


# --- command lines ------------------------------------------------------------------------------

COMMANDS: dict[str, tuple[list[str], str]] = {
    "document that is not there": (
        ["run", "tiny.yml"],
        "tiny.yml: there is no such document; did you mean 'tiny.yaml'?",
    ),
    "name of nothing": (
        ["show", "lenett"],
        "there is no document, ready net or run 'lenett'; did you mean 'lenet'?",
    ),
    "net without an experiment": (
        ["run", "lenet"],
        "lenet: is a net alone; an experiment says its data and how it learns as well; rillnet show lenet shows it",
    ),
    "override of an unknown key": (
        ["run", "tiny.yaml", "--set", "run.epocs=2"],
        "run.epocs: unknown key; did you mean 'epochs'?  [--set run.epocs=2]",
    ),
    "override without a value": (
        ["run", "tiny.yaml", "--set", "run.epochs"],
        "must be key=value, as in run.epochs=3  [--set run.epochs]",
    ),
    "override of the wrong kind": (
        ["run", "tiny.yaml", "--set", "run.epochs=many"],
        "run.epochs: must be a whole number (got 'many')  [--set run.epochs=many]",
    ),
    "document without a run": (
        ["eval", "tiny.yaml"],
        "tiny.yaml: has no run in runs yet; rillnet run tiny.yaml makes one",
    ),
    "split that is none": (
        ["eval", "tiny.yaml", "--split", "tset"],
        "--split: must be test or val (got 'tset'); did you mean 'test'?",
    ),
    "runs of an experiment that has none": (
        ["runs", "list", "tiny"],
        "there is no run of 'tiny' in runs; there are no runs yet",
    ),
    "run that is not there": (["runs", "show", "tiny/3"], "there is no run 'tiny/3' in runs; there are no runs yet"),
    "comparison of one run": (["runs", "compare", "tiny"], "runs compare: needs two runs or more"),
    "unknown rollout": (
        ["show", "tiny.yaml", "--rollout", "streeming"],
        "--rollout: must be sequential, streaming, aligned, document or a whole number of frames (got 'streeming'); "
        "did you mean 'streaming'?",
    ),
    "device that is not there": (
        ["run", "tiny.yaml", "--set", "run.device=cuda:99"],
        "run.device: is not available here",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_command_line(name: str, place: Path, told: Callable[..., Told]) -> None:
    words, message = COMMANDS[name]
    write(DOCUMENT)

    code, text = told(*words)
    assert code == 2
    assert text == message or (name == "device that is not there" and text.startswith(message))
    assert not Path("runs").exists()


# --- run directories ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a document and its finished run, to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    before = Path.cwd()
    os.chdir(folder)
    try:
        write(DOCUMENT)
        assert main(["run", "tiny.yaml", "--quiet", "--set", "run.checkpoint.every=1 steps"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def run(place: Path, finished: Path) -> RunDirectory:
    """A finished run in the working directory."""
    subprocess.run(["cp", "-r", f"{finished}/.", "."], check=True)
    return RunDirectory.open(Path("runs/tiny/1"))


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


# --- places that cannot be written --------------------------------------------------------------


def test_a_file_in_place_of_the_directory_of_runs(place: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT)
    Path("runs").write_text("")

    reason = "a file stands where a directory must be; move the file away or choose another directory"
    assert told("run", "tiny.yaml", "--quiet") == (4, f"runs/tiny: cannot make a run: {reason}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: " + mounted.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(place: Path, small_disk: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT.replace("out_channels: 2", "out_channels: 400"))

    code, text = told("run", "tiny.yaml", "--quiet", "--runs", "disk")
    path = "disk/tiny/1/checkpoints/step-0000000003"
    assert (code, text) == (
        4,
        f"{path}: cannot be saved: no space is left on the device; free some space; no checkpoint was saved before",
    )
    assert list((small_disk / "tiny/1/checkpoints").glob("step-*")) == []
    assert RunDirectory.open(small_disk / "tiny/1").status == "failed"


def test_a_read_only_disk(place: Path, small_disk: Path, told: Callable[..., Told]) -> None:
    write(DOCUMENT)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    reason = "the file system is read-only; choose a writable directory"
    assert told("run", "tiny.yaml", "--quiet", "--runs", "disk") == (4, f"disk/tiny: cannot make a run: {reason}")


def test_a_full_disk_without_a_mount(
    run: RunDirectory, told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where nothing can be mounted: the operating system's answer is put in its place."""

    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(DOCUMENT)
    monkeypatch.setattr(unwritten, "write_group", full)

    code, text = told("run", "tiny.yaml", "--quiet", "--fresh")
    assert code == 4
    assert text.startswith("runs/tiny/2/checkpoints/step-0000000003: cannot be saved: no space is left on the device;")
