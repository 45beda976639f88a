"""Faults of blocks that are written as sources of others are told with the places where they are written."""

from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends.tree import Node
from rillnet.model.frontends.unfolding import unfolded_tree
from rillnet.model.frontends.yaml import read_text
from rillnet.model.net import Net

DOCUMENT = """\
net:
  inputs: {image: [1, 28, 28]}
  blocks:
    h1:
      type: Pool
      shape: [4, 14, 14]
      from:
        - {source: image, via: Synapse, rf: 5}
        - source: h1@-1
          via: Conv2d
          out_channels: 4
          kernel_size: 3
          padding: same
    h2: {type: Pool, shape: [3], from: {source: h1, via: Synapse}}
    nested:
      inputs: [x]
      blocks:
        p:
          type: Pool
          from:
            - source: x
              via: Linear
              out_features: 2
"""


def faults_of(text: str) -> list[str]:
    document = read_text(text)
    try:
        Net.from_spec(document.net(), seed=0)
    except RequestError as error:
        return [str(fault) for fault in document.located(error.faults)]
    return []


def test_the_document_is_right() -> None:
    assert faults_of(DOCUMENT) == []


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("rf: 5", "rf: -5", "net/h1_image.rf: must be at least 0 or must be a list (got -5)  [<text>:8]"),
        ("rf: 5", "size: 5", "net/h1_image.size: unknown key"),
        ("kernel_size: 3", "kernel_size: 0", "net/h1_h1.kernel_size: must be at least 1 (got 0)  [<text>:12]"),
        ("via: Conv2d", "via: Conv2D", "net/h1_h1.type: unknown block type (got 'Conv2D')"),
        ("padding: same", "share: 3", "net/h1_h1.share: must be a mapping (got 3)  [<text>:13]"),
        ("source: h1@-1", "source: h0@-1", "net/h1_h0.from: unknown source (got 'h0')"),
        ("source: h1@-1", "sauce: h1@-1", "net/h1.from.1: must name a source and a type"),
        ("via: Synapse}}", "via: Sinapse}}", "net/h2_h1.type: unknown block type (got 'Sinapse')"),
        (
            "out_features: 2",
            "out_features: -2",
            "net/nested/p_x.out_features: must be at least 1 (got -2)  [<text>:23]",
        ),
        ("rf: 5", "rf: 5, shape: [4, 13, 14]", "net/h1_image: Synapse cannot be made: 28 x 28 pixels do not divide"),
    ],
)
def test_a_fault_is_told_where_it_is_written(right: str, wrong: str, message: str) -> None:
    assert right in DOCUMENT

    told = faults_of(DOCUMENT.replace(right, wrong, 1))

    assert told[0].startswith(message)
    line = DOCUMENT[: DOCUMENT.index(right)].count("\n") + 1
    assert told[0].endswith(f"[<text>:{line}]")


def test_values_are_those_of_the_records() -> None:
    blocks = read_text(DOCUMENT).values["net"]["blocks"]

    assert list(blocks) == ["h1_image", "h1_h1", "h1", "h2_h1", "h2", "nested"]
    assert blocks["h2"] == {"type": "Pool", "shape": [3], "from": ["h2_h1"]}
    assert blocks["nested"]["blocks"]["p"]["from"] == ["p_x"]


def test_other_documents_are_left_as_they_are() -> None:
    mark = ("<text>", 1, 1)
    for value in (
        {},
        {"net": Node("lenet", mark)},
        {"net": Node({"blocks": Node({"a": Node("ReLU", mark)}, mark)}, mark)},
    ):
        node = Node(value, mark)
        assert unfolded_tree(node).plain() == node.plain()
