"""A net's graph as a picture."""

from __future__ import annotations

import re
import time
from xml.etree import ElementTree

import pytest
import torch
import yaml
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.drawing import COLOURS, kind_of, svg
from rillnet.model.layers.function import Function, Port
from rillnet.model.lettering import text_width
from rillnet.model.net import Net
from rillnet.model.nets import path_of

SVG = "{http://www.w3.org/2000/svg}"


def ready(name: str) -> Net:
    return Net.from_spec(yaml.safe_load(path_of(name).read_text(encoding="utf-8"))["net"], device="meta")


def recurrent() -> Net:
    blocks = {
        "fc": {"type": "Linear", "from": "x", "out_features": 4},
        "h": {"type": "Sum", "from": ["fc", "h@-1", "back@-2"]},
        "back": {"type": "Tanh", "from": "h"},
        "pair": {
            "inputs": ["a", "b"],
            "from": ["h", "back"],
            "outputs": ["l", "r"],
            "blocks": {"l": {"type": "Tanh", "from": "a"}, "r": {"type": "Linear", "out_features": 3, "from": "b"}},
        },
        "many": {"type": "Linear", "out_features": 3, "repeat": 4, "from": "pair[1]"},
        "noise": {"type": "Dropout", "exclude": ["test"]},
    }
    return Net.from_spec({"name": "re<current>", "inputs": {"x": [4]}, "blocks": blocks}, seed=0)


def texts(drawn: str) -> list[str]:
    """All texts, with the letter for the sign of multiplication."""
    found = ElementTree.fromstring(drawn).iter(f"{SVG}text")
    return [(element.text or "").replace("\u00d7", "x") for element in found]


def titles(drawn: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter(f"{SVG}title")]


def lines(drawn: str, kind: str) -> list[str]:
    """The titles of all lines of a kind."""
    root = ElementTree.fromstring(drawn)
    return [path.findtext(f"{SVG}title") or "" for path in root.iter(f"{SVG}path") if path.get("class") == kind]


def test_every_block_stands_with_its_type_and_what_it_sends() -> None:
    found = texts(svg(ready("lenet")))

    assert found[0] == "lenet: 10 blocks, 431,080 parameters"
    for name, caption in (
        ("image", "1 x 28 x 28"),
        ("label", "int64"),
        ("conv1", "Conv2d → 20 x 24 x 24"),
        ("pool2", "MaxPool2d → 50 x 4 x 4"),
        ("logits", "Linear → 10"),
        ("loss", "CrossEntropy"),
    ):
        assert caption == found[found.index(name) + 1]


def test_the_colours_that_occur_are_explained() -> None:
    explained = set(texts(svg(ready("lenet")))) & set(COLOURS)

    assert explained == {"input", "weights", "activation", "pooling", "metric", "other"}


def test_every_edge_is_a_line_and_delays_are_dashed_and_marked() -> None:
    drawn = svg(recurrent())

    assert lines(drawn, "delayed") == ["h@-1 to h", "back@-2 to h"]
    plain = [
        "x to fc",
        "fc to h",
        "h to back",
        "h to pair",
        "back to pair",
        "a to l",
        "b to r",
        "pair[1] to many",
        "many to noise",
    ]
    assert sorted(lines(drawn, "edge")) == sorted([*plain, "output", "output"])
    assert {"@-1", "@-2", "[1]"} <= set(texts(drawn))


def test_nested_nets_are_boxes_and_of_a_repetition_one_copy_is_drawn() -> None:
    found = texts(svg(ready("resnet20_cifar")))

    assert "stage1 x 3" in found
    assert found.count("conv2") == 5  # of three stages, two of them with a first block
    assert "Linear x 4 → 3" in texts(svg(recurrent()))


def test_depth_closes_nested_nets() -> None:
    closed = texts(svg(ready("googlenet"), depth=0))

    assert "conv1x1" not in closed
    assert "Net of 14 → 256 x 28 x 28" in closed
    assert texts(svg(ready("googlenet"), depth=1)) == texts(svg(ready("googlenet")))


def test_blocks_left_out_of_a_phase_have_a_dashed_border() -> None:
    assert svg(recurrent()).count('stroke-dasharray="4 2"') == 1
    assert "net/noise: Dropout\nreads many\nsends 3\n0 parameters\nexcluded from test" in titles(svg(recurrent()))


def test_names_are_escaped() -> None:
    drawn = svg(recurrent())

    assert "re<current>: 6 blocks (10 with nested nets opened), 83 parameters" in texts(drawn)
    assert "re<current>" not in drawn


def test_nothing_lies_outside_of_the_picture() -> None:
    drawn = svg(ready("googlenet"))
    width, height = (float(number) for number in re.findall(r'viewBox="0 0 (\d+) (\d+)"', drawn)[0])

    def walk(element: ElementTree.Element, x: float, y: float) -> None:
        found = re.match(r"translate\(([\d.-]+) ([\d.-]+)\)", element.get("transform", ""))
        if found:
            x, y = x + float(found[1]), y + float(found[2])
        if element.tag == f"{SVG}rect":
            left, top = x + float(element.get("x", 0)), y + float(element.get("y", 0))
            assert left >= 0
            assert top >= 0
            assert left + float(element.get("width", 0)) <= width
            assert top + float(element.get("height", 0)) <= height
        for child in element:
            walk(child, x, y)

    walk(ElementTree.fromstring(drawn), 0, 0)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Conv2d(1, 1, 1), "weights"),
        (nn.LSTM(1, 1), "weights"),
        (nn.MultiheadAttention(2, 1), "weights"),
        (nn.Tanh(), "activation"),
        (nn.PReLU(), "activation"),
        (nn.MaxPool2d(2), "pooling"),
        (nn.BatchNorm2d(1), "normalisation"),
        (nn.LayerNorm(1), "normalisation"),
        (nn.MSELoss(), "metric"),
        (nn.Flatten(), "other"),
        (nn.Sequential(nn.Linear(1, 1)), "weights"),
        (None, "other"),
        (Net("n", {"x": (1,)}), "net"),
        (Function(torch.relu, (Port(0),)), "activation"),
        (Function(torch.Tensor.add, (Port(0), Port(0))), "merge"),
        (Function(nn.functional.max_pool2d, (Port(0), 2)), "pooling"),
        (Function(nn.functional.layer_norm, (Port(0), (2,))), "normalisation"),
        (Function(nn.functional.cross_entropy, (Port(0), Port(1))), "metric"),
        (Function(torch.Tensor.view, (Port(0), 2)), "other"),
        (Function(nn.LSTM(1, 1), (Port(0), None)), "weights"),
    ],
)
def test_blocks_are_coloured_by_what_they_do(module: nn.Module | None, kind: str) -> None:
    assert kind_of(module) == kind
    assert kind in COLOURS


def test_what_is_only_read_for_its_shape_is_dotted() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + 1).reshape(x.shape[0], -1)

    drawn = svg(Net.from_module(Model(), torch.zeros(2, 3, 4)))

    assert lines(drawn, "sizes") == ["x to reshape"]
    assert lines(drawn, "edge") == ["x to add", "add to reshape"]


def test_a_net_without_blocks_and_one_that_is_not_built() -> None:
    assert texts(svg(Net("empty", {"x": (1,)})))[0] == "empty: 0 blocks, 0 parameters"
    waiting = Net("waiting", {"x": (1,)}).add("sum", rn.Linear(out_features=2), source="later@-1")
    assert "Linear" in texts(svg(waiting))


def test_a_thousand_blocks() -> None:
    net = Net("long", {"x": (2,)})
    for number in range(500):
        net.add(f"act{number}", nn.Tanh())
        net.add(f"sum{number}", rn.Sum(), [f"act{number}", f"act{max(0, number - number % 7)}"])

    start = time.process_time()
    drawn = svg(net)

    assert time.process_time() - start < 5
    assert len(lines(drawn, "edge")) == 1500


def test_long_labels_stay_within_their_boxes_and_are_whole_on_hovering() -> None:
    name = "a_block_whose_name_is_so_long_that_no_picture_of_a_net_has_a_place_for_it"
    net = Net("wide", {"an_input_with_quite_a_long_name_of_its_own_as_well_as_the_block": (4,)}).add(name, nn.Tanh())

    root = ElementTree.fromstring(svg(net))
    shown = [element.text or "" for element in root.iter(f"{SVG}text") if element.get("class") == "name"]
    assert all("\u2026" in text for text in shown)
    assert any(name in title for title in titles(svg(net)))
    for group in root.iter(f"{SVG}g"):
        box, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        if box is not None and text is not None and text.get("class") == "name":
            assert text_width(text.text or "", 12, bold=True) < float(box.get("width", 0))
