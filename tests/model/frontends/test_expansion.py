"""Documents with everything in place: what is left says all of it, and graphs of statestream can be said naturally."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rillnet.errors import Fault, RequestError
from rillnet.model.frontends.expressions import as_text
from rillnet.model.frontends.yaml import read_text, write
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program

LETTERS = """\
# ls_recall: one module, three instances that tell the letter of now, of before, and of the next frame
globals:
  units: 12
  letters: 6
tags:
  gate: {act: [tanh, sigmoid], initial: {W_0_0: xavier, W_1_1: id_0.5}}
  prediction: {act: softmax, bias_shape: feature}
modules:
  recall:
    parameters: {size: = units, out: = letters}
    inputs: [letter]
    blocks:
      np0: {type: Pool, shape: [= size], from: {source: letter, via: Synapse}}
      lstm: {type: Pool, shape: [= size], from: {source: [[np0, lstm@-1], [np0, lstm@-1]], via: Synapse, tags: gate}}
      pred: {type: Pool, shape: [= out], tags: prediction, from: {source: lstm, via: Synapse}}
net:
  inputs:
    letter: [= letters]
  blocks:
    copy: {type: recall, from: letter}
    mem: {type: recall, from: letter, size: = 2 * units}
    pred: {type: recall, from: letter, blocks: {lstm: {zoneout: 0.1}}}
"""

COMPARISON = """\
# cifar10_small_comparison: one stack of pools, once with relu and once with elu
globals: {features: 8, image: 32, sizes: [= image, = image // 2, = image // 4]}
tags:
  conv: {layernorm_mean: spatial, layernorm_std: spatial, dropout: 0.25}
  dense: {dropout: 0.5}
modules:
  stack:
    parameters: {act: relu}
    inputs: [image]
    blocks:
      conv1:
        type: Pool
        tags: conv
        shape: [= features, "= sizes[0]", "= sizes[0]"]
        act: = act
        from:
          - {source: image, via: Synapse, rf: 3}
          - {source: conv1@-1, via: Synapse, rf: 1, initial: {W_0_0: id_0.5}}
      conv2:
        type: Pool
        tags: conv
        shape: [= 2 * features, "= sizes[1]", "= sizes[1]"]
        act: = act
        from: {source: conv1, via: Synapse, rf: 3}
      hidden:
        type: Pool
        tags: [conv, dense]
        shape: [= 4 * features]
        layernorm_mean: null
        layernorm_std: null
        act: = act
        from: {source: conv2, via: Synapse}
      prediction: {type: Pool, shape: [10], act: softmax, from: {source: hidden, via: Synapse}}
net:
  inputs: {image: [3, = image, = image]}
  blocks:
    A: stack
    B: {type: stack, from: image, act: elu}
"""


def net_of(text: str, *overrides: str) -> Net:
    return Net.from_spec(read_text(text, "x.yaml", overrides).net(), seed=0)


def test_letters_of_statestream() -> None:
    net = net_of(LETTERS)

    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert list(net.blocks) == ["copy", "mem", "pred"]
    assert shapes["copy.lstm_np0_lstm.W_1_1"][:2] == (12, 12)
    assert shapes["mem.lstm_np0_lstm.W_0_0"][:2] == (24, 24)
    assert net["pred"]["lstm"].zoneout == 0.1  # type: ignore[union-attr]
    assert net["copy"]["lstm"].zoneout == 0.0  # type: ignore[union-attr]

    program = Program(net, Rollout.streaming(net), outputs=["copy", "mem", "pred"])
    frames, _ = program.unroll([{"letter": torch.eye(6)[:2]}] * 5)

    assert frames[-1]["mem"].shape == (2, 6)
    assert torch.allclose(frames[-1]["copy"].sum(1), torch.ones(2))


def test_the_comparison_of_statestream() -> None:
    net = net_of(COMPARISON, "globals.image=16", "globals.features=4")

    a, b = net["A"], net["B"]
    assert isinstance(a, Net)
    assert isinstance(b, Net)
    assert (a["conv1"].act, b["conv1"].act) == (["relu"], ["elu"])
    assert a["conv1"].layernorm_mean == "spatial"
    assert (a["conv2"].dropout, a["hidden"].dropout, a["hidden"].layernorm_mean) == (0.25, 0.5, None)
    assert net.infer_shapes()["A"].shape == (10,)  # type: ignore[union-attr]
    assert {name: block.output.shape for name, block in a.blocks.items() if name.startswith("conv")} == {  # type: ignore[union-attr]
        "conv1": (4, 16, 16),
        "conv1_conv1": (4, 16, 16),
        "conv1_image": (4, 16, 16),
        "conv2": (8, 8, 8),
        "conv2_conv1": (8, 8, 8),
    }


@pytest.mark.parametrize("text", [LETTERS, COMPARISON])
def test_what_is_written_again_is_the_same_net_without_sections(text: str) -> None:
    document = read_text(text)

    written = write(document.net())

    again = read_text(written)
    assert again.net() == document.net()
    assert Net.from_spec(again.net(), seed=3).to_spec() == Net.from_spec(document.net(), seed=3).to_spec()
    assert list(again.values) == ["net"]


def test_a_document_without_sections_is_left_as_it_is() -> None:
    document = read_text("net: {inputs: {x: [3]}, blocks: {a: ReLU, b: {type: Own, text: 'a=b'}}}")

    assert document.values["net"]["blocks"] == {"a": "ReLU", "b": {"type": "Own", "text": "a=b"}}
    assert document.notes == []


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.text("= abé", max_size=4), st.sampled_from(["=", "= 2", "=="])
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


_words = st.sampled_from(
    [
        "a",
        "m",
        "t",
        "= a",
        "= m.a",
        "= 1 / a",
        "== a",
        "=",
        "Net",
        "ReLU",
        "x",
        "gone.yaml",
        "a@-1",
        "type",
        "from",
        "n",
    ]
)
_keys = st.sampled_from(
    ["a", "m", "t", "n", "type", "from", "via", "source", "tags", "blocks", "inputs", "outputs", "parameters", "repeat"]
)
_anything = st.recursive(
    st.none() | st.integers(-2, 3) | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_sections = st.sampled_from(["globals", "modules", "tags", "imports", "net", "extends", "run"])


@settings(max_examples=300)
@given(st.dictionaries(_sections, _anything | st.dictionaries(_keys, _anything, max_size=3), min_size=1))
def test_whatever_a_document_says_has_values_or_faults(values: dict[str, Any]) -> None:
    assert [fault for fault in faults_of(json.dumps(values)) if fault.location is None] == []


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _values, max_size=3))
def test_arguments_pass_through_globals_tags_and_modules_unchanged(arguments: dict[str, Any]) -> None:
    said = said_in_a_document(arguments)
    plain = {"net": {"blocks": {"a": {"type": "Own", **said}}}}
    tagged = {"tags": {"t": said}, "net": {"blocks": {"a": {"type": "Own", "tags": "t"}}}}
    modules = {
        "m": {
            "parameters": {f"p{key}": one for key, one in said.items() if one is not None},
            "blocks": {"a": {"type": "Own"}},
        }
    }
    modules["m"]["blocks"]["a"] |= {key: f"= p{key}" for key in said if said[key] is not None}
    given_defaults = {"modules": modules, "net": {"blocks": {"i": "m"}}}
    expected = {"type": "Own", **arguments}

    assert block_of(plain) == expected
    assert block_of(tagged) == {**expected, "tags": ["t"]}
    assert block_of(given_defaults, "i") == {key: value for key, value in expected.items() if value is not None}


def faults_of(text: str) -> list[Fault]:
    """What is wrong with a document."""
    try:
        read_text(text).experiment()
    except RequestError as error:
        return error.faults
    return []


def said_in_a_document(value: Any) -> Any:
    """Plain values as a document says them."""
    if isinstance(value, dict):
        return {key: said_in_a_document(item) for key, item in value.items()}
    if isinstance(value, list):
        return [said_in_a_document(item) for item in value]
    return as_text(value) if isinstance(value, str) else value


def block_of(values: dict[str, Any], instance: str = "") -> Any:
    """The block `a` of a document that says these values, word for word."""
    blocks = read_text(json.dumps(values)).values["net"]["blocks"]
    return (blocks[instance]["blocks"] if instance else blocks)["a"]
