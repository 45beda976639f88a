"""Broken documents, each with every message it ends in. Shapes, types and arguments of blocks are checked elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read

SECTIONS = "a document is a mapping of sections: experiment, net, data, learning, run ..."
NET = "net: {inputs: {x: [3]}, blocks: {a: ReLU}}\n"

TABLE: list[tuple[str, list[str]]] = [
    # No document at all.
    ("", ["the document is empty: it needs at least a net  [x.yaml:1]"]),
    ("# to be written\n", ["the document is empty: it needs at least a net  [x.yaml:1]"]),
    (
        "- net\n- run\n",
        [SECTIONS + " (got ['net', 'run'])  [x.yaml:1]"],
    ),
    (
        "lenet\n",
        [SECTIONS + " (got 'lenet')  [x.yaml:1]"],
    ),
    (NET + "---\n" + NET, ["a file holds one document, and another begins here  [x.yaml:2]"]),
    ("net:\n\tblocks: {}\n", ["a tab cannot indent: use spaces  [x.yaml:2]"]),
    (
        "net:\n  blocks:\n    a: {type: ReLU\nrun: {epochs: 1}\n",
        ["the mapping that opens on line 3 is not closed: `,` or `}` is expected here  [x.yaml:4]"],
    ),
    ("net: {blocks: {a: {type: ReLU, from: @x}}}\n", ["text that begins with @ stands in quotes  [x.yaml:1]"]),
    (
        "observe:\n  - {type: Distribution, of: */weight}\n",
        ["text that begins with * stands in quotes  [x.yaml:2]"],
    ),
    # Keys, tags, aliases.
    (NET + "run:\n  epochs: 1\n  epochs: 2\n", ["run.epochs: is given twice, first on line 3  [x.yaml:4]"]),
    (
        "net:\n  blocks:\n    a: ReLU\n    b: Tanh\n    a: Sigmoid\n",
        ["net/a: is given twice, first on line 3  [x.yaml:5]"],
    ),
    (
        NET + "run: !!python/object/apply:os.system [ls]\n",
        ["run: the tag !!python/object/apply:os.system is not allowed: a document is plain data  [x.yaml:2]"],
    ),
    (NET + "rollout: {delays: {1: 2}}\n", ["rollout.delays: a key must be text: put 1 in quotes  [x.yaml:2]"]),
    (
        "net:\n  blocks:\n    a: &a {type: ReLU}\n    b: {<<: *a, inplace: true}\n",
        [
            "net/b.type: is required  [x.yaml:4]",
            "net/b.<<: merge keys are not YAML 1.2; repeat the keys, or use `extends`  [x.yaml:4]",
        ],
    ),
    # Sections.
    ("run: {epochs: 1}\n", ["net: is required  [x.yaml:1]"]),
    ("net:\n", ["net: must be a mapping (got None)  [x.yaml:1]"]),
    ("net: [ReLU]\n", ["net: must be a mapping (got ['ReLU'])  [x.yaml:1]"]),
    (NET + "run: 3 epochs\n", ["run: must be a mapping (got '3 epochs')  [x.yaml:2]"]),
    (NET + "nett: {}\n", ["nett: unknown key; did you mean 'net'?  [x.yaml:2]"]),
    (NET + "epochs: 3\n", ["epochs: unknown key; did you mean 'run.epochs'?  [x.yaml:2]"]),
    (
        NET + "experiment: my/own\n",
        [
            "experiment: must be letters, digits, '.', '_' and '-' only, as it names a directory "
            "(got 'my/own')  [x.yaml:2]"
        ],
    ),
    (NET + "experiment: 7\n", ["experiment: must be text (got 7)  [x.yaml:2]"]),
    # Nets.
    ("net: lenat\n", ["net: there is no ready net of this name (got 'lenat'); did you mean 'lenet'?  [x.yaml:1]"]),
    ("net: {block: {a: ReLU}}\n", ["net.block: unknown key; did you mean 'blocks'?  [x.yaml:1]"]),
    (
        "net:\n  inputs: {x: 28, y: [1, 0], z: {dtype: integer}}\n",
        [
            "net.inputs.x: must be a shape such as [1, 28, 28], or a mapping with shape and dtype (got 28)  [x.yaml:2]",
            "net.inputs.y.1: must be at least 1 (got 0)  [x.yaml:2]",
            "net.inputs.z.dtype: must be 'float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int16', "
            "'int8', 'uint8', 'bool' or 'complex64' (got 'integer')  [x.yaml:2]",
        ],
    ),
    (
        "net: {inputs: {my image: [3]}}\n",
        ["net.inputs.my image: must be letters, digits and _ only (got 'my image')  [x.yaml:1]"],
    ),
    (
        "net:\n  blocks:\n    conv-1: ReLU\n    a:\n    b: [ReLU]\n    c: {kernel_size: 3}\n    d: {type: 3}\n",
        [
            "net/conv-1: must be letters, digits and _ only (got 'conv-1')  [x.yaml:3]",
            "net/a: must be a type's name, or a mapping with type and arguments (got None)  [x.yaml:4]",
            "net/b: must be a type's name, or a mapping with type and arguments (got ['ReLU'])  [x.yaml:5]",
            "net/c.type: is required  [x.yaml:6]",
            "net/d.type: must be text (got 3)  [x.yaml:7]",
        ],
    ),
    (
        "net:\n  blocks:\n    a:\n"
        "      type: ReLU\n      from: [x y, b@1]\n      exclude: [training]\n      repeat: 0\n",
        [
            "net/a.from.0: must be a block's name, name[output] or name@-frames (got 'x y')  [x.yaml:5]",
            "net/a.from.1: must be a block's name, name[output] or name@-frames (got 'b@1')  [x.yaml:5]",
            "net/a.exclude.0: must be 'train', 'val' or 'test' (got 'training'); did you mean 'train'?  [x.yaml:6]",
            "net/a.repeat: must be at least 1 (got 0)  [x.yaml:7]",
        ],
    ),
    (
        "net: {blocks: {a: {type: Linear, share: {weight: b}}, b: {type: Linear, share: {weight: {off: a.weight}}}}}\n",
        [
            "net/a.share.weight: must be block.parameter (got 'b')  [x.yaml:1]",
            "net/b.share.weight.of: is required  [x.yaml:1]",
            "net/b.share.weight.off: unknown key; did you mean 'of'?  [x.yaml:1]",
        ],
    ),
    (
        "net:\n  blocks:\n    u:\n      repeat: two\n      input: [x]\n      blocks:\n        a: {typ: ReLU}\n",
        [
            "net/u.repeat: must be a whole number (got 'two')  [x.yaml:4]",
            "net/u.input: unknown key; did you mean 'inputs'?  [x.yaml:5]",
            "net/u/a.type: is required  [x.yaml:7]",
        ],
    ),
    ("net: {blocks: {u: {type: Net}}}\n", ["net/u.blocks: is required  [x.yaml:1]"]),
    # Rollouts.
    (
        NET + "rollout: streeming\n",
        [
            "rollout: must be 'sequential', 'streaming' or 'sampling', or a whole number (got 'streeming'); "
            "did you mean 'streaming'?  [x.yaml:2]"
        ],
    ),
    (
        NET + 'rollout: {delays: {"a->b": -1}}\n',
        ["rollout.delays.a->b: must be at least 0, or 'auto' (got -1)  [x.yaml:2]"],
    ),
    (NET + "rollout: {align: yes}\n", ["rollout.align: must be true or false (got 'yes')  [x.yaml:2]"]),
    (
        NET + "rollout:\n",
        [
            "rollout: must be sequential, streaming, sampling, or a mapping with default, delays and align "
            "(got None)  [x.yaml:2]"
        ],
    ),
    # Data.
    (NET + "data: {batch_size: 64}\n", ["data.source: is required  [x.yaml:2]"]),
    (
        NET + "data:\n  source: [MNIST]\n  batch_size: 0\n  shuffle: on\n  validation: 1.5\n  workers: 1_000\n",
        [
            "data.source: must be a type's name, or a mapping with type and arguments (got ['MNIST'])  [x.yaml:3]",
            "data.batch_size: must be at least 1 (got 0)  [x.yaml:4]",
            "data.shuffle: must be true or false (got 'on')  [x.yaml:5]",
            "data.validation: must be a whole number of examples, or a fraction of them below 1 (got 1.5)  [x.yaml:6]",
            "data.workers: must be a whole number (got '1_000')  [x.yaml:7]",
        ],
    ),
    (NET + "data: {source: MNIST, augment: Flip}\n", ["data.augment: must be a list (got 'Flip')  [x.yaml:2]"]),
    # Learning and observing.
    (
        NET + "learning: {type: Backprop, optimizer: {type: SGD}, loss: [a]}\n",
        [
            "learning: must be learning rules by name, as in {main: {type: Backprop, ...}} "
            "(got {'type': 'Backprop', 'optimizer': {'type': 'SGD'}, 'loss ...)  [x.yaml:2]",
        ],
    ),
    (
        NET + "learning:\n  main rule: {typ: Backprop}\n",
        [
            "learning/main rule: must be letters, digits and _ only (got 'main rule')  [x.yaml:3]",
            "learning/main rule.type: is required  [x.yaml:3]",
        ],
    ),
    (NET + "observe: {type: Distribution}\n", ["observe: must be a list (got {'type': 'Distribution'})  [x.yaml:2]"]),
    # Runs.
    (
        NET + "run: {epochs: 3, steps: 100}\n",
        [
            "run.steps: must not stand beside epochs: one of epochs, steps and frames says how long "
            "(got 100)  [x.yaml:2]"
        ],
    ),
    (
        NET + "run:\n  epochs: '3'\n  seed: -1\n  precision: fp23\n  average: 1\n  execution: fast\n  device: 0\n",
        [
            "run.epochs: must be a whole number (got '3')  [x.yaml:3]",
            "run.seed: must be at least 0 (got -1)  [x.yaml:4]",
            "run.precision: must be 'fp32', 'bf16', 'fp16' or 'fp64' (got 'fp23'); did you mean 'fp32'?  [x.yaml:5]",
            "run.average: must be less than 1 (got 1)  [x.yaml:6]",
            "run.execution: must be 'auto', 'eager' or 'compiled', or a mapping (got 'fast')  [x.yaml:7]",
            "run.device: must be text (got 0)  [x.yaml:8]",
        ],
    ),
    (
        NET + "run: {execution: {compile: maybe, threads: 1.5, memory: 1}}\n",
        [
            "run.execution.compile: must be true or false (got 'maybe')  [x.yaml:2]",
            "run.execution.threads: must be a whole number (got 1.5)  [x.yaml:2]",
            "run.execution.memory: unknown key; did you mean 'memory_format'?  [x.yaml:2]",
        ],
    ),
    (
        NET + "run: {checkpoint: 5, early_stopping: {patience: 0}, evaluate: {phase: training}}\n",
        [
            "run.checkpoint: must be a mapping (got 5)  [x.yaml:2]",
            "run.early_stopping.metric: is required  [x.yaml:2]",
            "run.early_stopping.patience: must be at least 1 (got 0)  [x.yaml:2]",
            "run.evaluate.phase: must be 'val' or 'test' (got 'training')  [x.yaml:2]",
        ],
    ),
    (
        NET + "run: {seed: 9223372036854775808}\n",
        [
            "run.seed: must be less than 9223372036854775808 (got 9223372036854775808)  [x.yaml:2]",
        ],
    ),
]


@pytest.mark.parametrize(("text", "messages"), TABLE)
def test_every_fault_is_told_with_its_place(
    text: str, messages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(RequestError) as raised:
        read("x.yaml").experiment()

    assert str(raised.value).splitlines() == messages
    assert raised.value.exit_code == 2
