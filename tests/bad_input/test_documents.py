"""Broken documents: each has its own message with its line, none runs code, and none leaves a run behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rillnet.serving.cli import main
from tests.bad_input.tiny import DOCUMENT, Told, write

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
