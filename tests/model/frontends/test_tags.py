"""Tags: defaults of every block that has one."""

from __future__ import annotations

from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.flat import flatten
from rillnet.model.frontends.writing import write
from rillnet.model.frontends.yaml import read_text
from rillnet.model.net import Net

TAGS = """\
globals: {n: 3}
tags:
  conv: {type: Conv2d, kernel_size: = n, padding: same, initial: {weight: 0, bias: 0}}
  wide: {kernel_size: 7}
  said: {text: == n}
net:
  inputs: {x: [1, 8, 8]}
  blocks:
"""


def block(text: str) -> dict[str, Any]:
    """A block with the tags above, as the document says it."""
    return dict(read_text(f"{TAGS}    a: {text}\n", "x.yaml").values["net"]["blocks"]["a"])


def message_of(text: str) -> str:
    with pytest.raises(RequestError) as raised:
        read_text(text, "x.yaml").experiment()
    return str(raised.value)


CONV = {"type": "Conv2d", "kernel_size": 3, "padding": "same", "initial": {"weight": 0, "bias": 0}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{tags: conv}", CONV | {"tags": ["conv"]}),
        ("{tags: [conv]}", CONV | {"tags": ["conv"]}),
        ("{tags: [conv, wide]}", CONV | {"kernel_size": 7, "tags": ["conv", "wide"]}),
        ("{tags: [wide, conv]}", CONV | {"tags": ["wide", "conv"]}),
        (
            "{tags: [conv, wide], kernel_size: 1, out_channels: 4}",
            CONV | {"kernel_size": 1, "out_channels": 4, "tags": ["conv", "wide"]},
        ),
        (
            "{tags: conv, padding: null}",
            {key: value for key, value in CONV.items() if key != "padding"} | {"tags": ["conv"]},
        ),
        ("{tags: conv, initial: {bias: 1}}", CONV | {"initial": {"weight": 0, "bias": 1}, "tags": ["conv"]}),
        ("{type: ConvTranspose2d, tags: conv}", CONV | {"type": "ConvTranspose2d", "tags": ["conv"]}),
        ("{type: Own, tags: said}", {"type": "Own", "text": "= n", "tags": ["said"]}),
        ("{type: ReLU, tags: []}", {"type": "ReLU"}),
    ],
)
def test_a_block_beats_its_tags_and_a_later_tag_an_earlier_one(text: str, expected: dict[str, Any]) -> None:
    assert block(text) == expected


def test_sources_that_are_blocks_have_tags_too() -> None:
    blocks = read_text(
        TAGS + "    a: {type: Pool, from: [x, {source: x, via: Linear, tags: wide, out_features: 2}]}\n"
    ).values["net"]["blocks"]

    assert blocks["a_x"] == {"type": "Linear", "from": ["x"], "out_features": 2, "kernel_size": 7, "tags": ["wide"]}


def test_without_a_section_tags_are_mere_words_and_stay_with_the_block_and_its_instances() -> None:
    module = "modules: {pair: {blocks: {a: ReLU, b: {type: Tanh, tags: last}}}}\n"
    blocks = "blocks: {p: {type: pair, from: x, tags: [v1, deep]}, out: {type: Sigmoid, tags: head}}"
    read = read_text(f"{module}net: {{inputs: {{x: [3]}}, {blocks}}}\n", "x.yaml")

    flat = flatten(Net.from_spec(read.net()))

    assert {name: block.tags for name, block in flat.blocks.items()} == {
        "p/a": ("v1", "deep"),
        "p/b": ("last", "v1", "deep"),
        "out": ("head",),
    }


def test_what_is_written_out_is_read_again_with_its_tags() -> None:
    first = read_text(TAGS + "    a: {tags: [conv, wide], out_channels: 2}\n", "x.yaml").net()

    again = read_text(write(first)).net()

    assert again == first
    assert Net.from_spec(again).to_spec().blocks["a"].tags == ["conv", "wide"]


def test_a_fault_of_a_default_is_told_where_the_tag_is() -> None:
    assert message_of(TAGS.replace("initial:", "share: 3, initial:") + "    a: {tags: conv}\n") == (
        "net/a.share: must be a mapping (got 3)  [x.yaml:3]"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TAGS + "    a: {type: ReLU, tags: cov}\n",
            "net/a.tags: unknown tag (got 'cov'); did you mean 'conv'?  [x.yaml:9]",
        ),
        (
            TAGS + "    a: {type: ReLU, tags: zebra}\n",
            "net/a.tags: unknown tag (got 'zebra'); known: conv, wide, said  [x.yaml:9]",
        ),
        (
            TAGS + "    a: {type: ReLU, tags: {conv: 3}}\n",
            "net/a.tags: must be a tag's name, or a list of them (got {'conv': 3})  [x.yaml:9]",
        ),
        (
            "tags: {conv: relu}\nnet: {inputs: {x: [3]}, blocks: {a: ReLU}}\n",
            "tags.conv: must be defaults of blocks by key, as in {act: relu} (got 'relu')  [x.yaml:1]",
        ),
        (
            "tags: {a: {tags: b}, b: {}}\nnet: {inputs: {x: [3]}, blocks: {a: ReLU}}\n",
            "tags.a.tags: a tag has no tags; a block may have several  [x.yaml:1]",
        ),
        (
            "tags: {a-b: {}}\nnet: {inputs: {x: [3]}, blocks: {a: ReLU}}\n",
            "tags.a-b: must be letters, digits and _ only (got 'a-b')  [x.yaml:1]",
        ),
        (
            "tags: {d: {type: Dropout, p: = q}}\nnet: {inputs: {x: [3]}, blocks: {a: {tags: d}, b: {tags: d}}}\n",
            "tags.d.p: unknown name 'q' in \"q\"; there are no globals  [x.yaml:1]",
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert message_of(text) == message
