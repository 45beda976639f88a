"""The front end as a whole: documents in, records out, and back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read, read_text, validated, write
from rillnet.model.nets import path_of, ready_nets
from rillnet.spec import NAME, BlockSpec, ExperimentSpec, NetSpec, RunSpec, TypedSpec

# Strategies: what a document would say, as plain values.

RESERVED = {
    "type",
    "arguments",
    *(name for key, field in BlockSpec.model_fields.items() for name in (key, field.alias)),
}

names = st.from_regex(NAME, fullmatch=True)
keys = st.text(min_size=1, max_size=8).filter(lambda key: key not in RESERVED)
words = st.text(max_size=12)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), words)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
counts = st.integers(1, 10**12)
shapes = st.lists(counts, max_size=3)
sources = st.builds(
    lambda name, output, delay: name + (f"[{output}]" if output is not None else "") + (f"@-{delay}" if delay else ""),
    names,
    st.none() | st.integers(0, 9),
    st.integers(0, 9),
)


def some(optional: dict[str, st.SearchStrategy[Any]], **required: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


def with_arguments(own: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda arguments, fixed: {**arguments, **fixed}, st.dictionaries(keys, anything, max_size=3), own)


typed = words | with_arguments(some({}, type=words))
standing = {
    "from": sources | st.lists(sources, max_size=3),
    "exclude": st.lists(st.sampled_from(["train", "val", "test"]), max_size=2),
    "share": st.dictionaries(
        words, some({"transpose": st.booleans()}, of=words.map(lambda text: f"{text}.w")), max_size=2
    ),
    "initial": st.dictionaries(words, anything, max_size=2),
    "shape": shapes,
    "repeat": counts,
}
plain_blocks = with_arguments(some(standing, type=words.filter(lambda word: word != "Net")))
blocks = st.recursive(
    words.filter(lambda word: word != "Net") | plain_blocks,
    lambda inner: some(
        {**standing, "inputs": st.lists(names, max_size=2), "outputs": sources | st.lists(sources, max_size=2)},
        blocks=st.dictionaries(names, inner, max_size=3),
    ),
    max_leaves=5,
)
inputs = shapes | some({"shape": shapes, "dtype": st.sampled_from(["float32", "int64", "bool"])})
nets = some(
    {
        "name": words,
        "inputs": st.dictionaries(names, inputs, max_size=2),
        "blocks": st.dictionaries(names, blocks, max_size=4),
        "outputs": st.lists(sources, max_size=2),
    }
)
rollouts = st.sampled_from(["sequential", "streaming", 0, 2]) | some(
    {
        "default": st.sampled_from(["streaming", 1]),
        "delays": st.dictionaries(words, st.integers(0, 9), max_size=2),
        "align": st.booleans(),
    }
)
data = some(
    {
        "batch_size": counts,
        "shuffle": st.booleans(),
        "validation": st.integers(0, 99) | st.floats(0, 1, exclude_max=True),
        "prepare": st.lists(typed, max_size=2),
    },
    source=typed,
)
runs = some(
    {
        "seed": st.integers(0, 2**63 - 1),
        "execution": st.sampled_from(["auto", "eager"]) | some({"compile": st.booleans(), "threads": counts}),
        "checkpoint": some({"every": words, "keep": counts, "best": st.none() | words}),
        "early_stopping": st.none() | some({"min_delta": st.floats(0, 1)}, metric=words),
        "average": st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True),
        "extensions": st.lists(typed, max_size=2),
    }
)
experiments = some(
    {
        "experiment": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]*", fullmatch=True),
        "rollout": rollouts,
        "data": st.none() | data,
        "learning": st.dictionaries(names, typed, max_size=2),
        "placement": st.dictionaries(words, anything, max_size=2),
        "observe": st.lists(typed, max_size=2),
        "run": runs,
    },
    net=nets,
)


@given(nets)
def test_a_net_written_reads_back_equal(values: Any) -> None:
    net = NetSpec.model_validate(values)

    read_back = read_text(write(net)).net()

    assert read_back == net
    assert list(read_back.blocks) == list(net.blocks)


@given(experiments)
def test_an_experiment_written_reads_back_equal(values: Any) -> None:
    experiment = ExperimentSpec.model_validate(values)

    assert read_text(write(experiment)).experiment() == experiment


@given(st.dictionaries(st.text(max_size=5).filter(lambda key: key not in ("net", "extends")), anything, min_size=1))
def test_plain_values_written_read_back_equal(values: Any) -> None:
    assert read_text(write(values)).values == values


@pytest.mark.parametrize("name", ready_nets())
def test_ready_nets_read_and_write(name: str) -> None:
    document = read(path_of(name))

    net = document.net()

    assert document.files == [path_of(name)]
    assert read_text(write(net)).net() == net


def test_the_document_of_the_guide() -> None:
    text = """
experiment: lenet-mnist
net:
  inputs:
    image: [1, 28, 28]
    label: {dtype: int64}
  blocks:
    conv1: {type: Conv2d, from: image, out_channels: 32, kernel_size: 5, padding: same}
    relu1: ReLU
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data: {source: {type: MNIST, root: data/mnist}, batch_size: 64}
learning:
  main: {type: Backprop, loss: loss, optimizer: {type: SGD, lr: 0.05, momentum: 0.9}, rate: {type: Cosine}}
placement: {processes: 2, default: {partition: batch}, blocks: {logits: {partition: feature}}}
observe:
  - {type: Distribution, of: "net/*/weight", every: 1 epoch}
run: {epochs: 3, seed: 1, checkpoint: {every: 500 steps}}
"""

    assert "\n" + write(read_text(text).experiment()) == text


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("net: {blocks: {a: ReLU}}\n", encoding="utf-8")

    for given_path in (path, str(path)):
        document = read(given_path, ["run.epochs=2"])
        assert document.files == [path]
        assert document.experiment().run.epochs == 2


def test_structure_and_records_are_told_in_one_pass() -> None:
    text = "net:\n  blocks: {a: 5}\nrun:\n  epochs: 0\n  seed: 1\n  seed: !x 2\n"

    with pytest.raises(RequestError) as raised:
        read_text(text, "x.yaml")

    assert str(raised.value) == (
        "net/a: must be a type's name, or a mapping with type and arguments (got 5)  [x.yaml:2]\n"
        "run.epochs: must be at least 1 (got 0)  [x.yaml:4]\n"
        "run.seed: is given twice, first on line 5  [x.yaml:6]\n"
        "run.seed: the tag !x is not allowed: a document is plain data  [x.yaml:6]"
    )


def test_validated() -> None:
    assert validated(RunSpec, {"epochs": 2}).epochs == 2
    assert validated(ExperimentSpec, {"net": NetSpec(), "learning": {"main": TypedSpec(type="x")}}).net == NetSpec()
    with pytest.raises(RequestError) as raised:
        validated(ExperimentSpec, {"net": {"blocks": {"a": 5}}, "run": {"epochs": 0, "epoch": 1}})
    assert str(raised.value) == (
        "net/a: must be a type's name, or a mapping with type and arguments (got 5)\n"
        "run.epochs: must be at least 1 (got 0)\n"
        "run.epoch: unknown key; did you mean 'epochs'?"
    )


def test_thousands_of_blocks_are_read_in_a_blink() -> None:
    lines = [f"    conv{i}: {{type: Conv2d, out_channels: 8, kernel_size: [3, 3]}}" for i in range(2000)]
    text = "net:\n  inputs: {image: [1, 28, 28]}\n  blocks:\n" + "\n".join(lines)
    start = time.process_time()

    document = read_text(text, "x.yaml")
    net = document.net()

    assert time.process_time() - start < 2  # a quarter of a second on an idle machine
    assert len(net.blocks) == 2000
    assert str(document.locate_address("net/conv1999.kernel_size.1")) == "x.yaml:2003"
