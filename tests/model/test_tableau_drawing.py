"""Tableaus as tables and pictures."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from rillnet.errors import RequestError
from rillnet.model.lettering import text_width
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.model.tableau_drawing import tableau_svg, tableau_text

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def net() -> Net:
    blocks = {
        "first": {"type": "Linear", "out_features": 2},
        "second": {"type": "Linear", "out_features": 2},
        "loss": {"type": "MSELoss", "from": ["second", "target"]},
    }
    return Net.from_spec({"inputs": {"x": [2], "target": [2]}, "blocks": blocks}, device="meta")


def test_the_table_shows_every_block_and_what_comes_of_it(net: Net) -> None:
    text = tableau_text({"sequential": Rollout(net), "1 everywhere": Rollout(net, default=1)}, 10)

    assert text.splitlines() == [
        "                        sequential                         1 everywhere",
        "frame                    0  1  2  3  4  5  6  7  8  9 10    0  1  2  3  4  5  6  7  8  9 10",
        "x                        0  0  0  0  0  0  0  0  0  0  0    0  0  0  0  0  0  0  0  0  0  0",
        "target                   0  0  0  0  0  0  0  0  0  0  0    0  0  0  0  0  0  0  0  0  0  0",
        "first                    0  1  1  1  1  1  1  1  1  1  1    0  1  1  1  1  1  1  1  1  1  1",
        "second                   0  2  2  2  2  2  2  2  2  2  2    0  1  2  2  2  2  2  2  2  2  2",
        "loss                     0  3  3  3  3  3  3  3  3  3  3    0  1  2  3  3  3  3  3  3  3  3",
        "steps per frame          3                                  1",
        "first response: second   1                                  2",
    ]


def test_the_picture_holds_a_cell_for_every_block_of_every_frame(net: Net) -> None:
    rollouts = {"sequential": Rollout(net), "stream & 1": Rollout(net, default=1)}

    picture = ElementTree.fromstring(tableau_svg(rollouts, 4))

    texts = [element.text or "" for element in picture.iter(f"{SVG}text")]
    steps = [element.text for element in picture.iter(f"{SVG}text") if "step" in element.get("class", "")]
    expected = [str(step) for r in rollouts.values() for row in r.tableau(4).values() for step in row]
    assert steps == expected
    assert [text for text in texts if "per frame" in text] == ["3 update steps per frame", "1 update step per frame"]
    assert {"sequential", "stream & 1", "x", "target", "first", "second", "loss"} <= set(texts)
    framed = [element for element in picture.iter(f"{SVG}rect") if element.get("class") == "first"]
    assert len(framed) == 2 * len(net.blocks)


def test_everything_is_drawn_within_the_picture(net: Net) -> None:
    svg = tableau_svg({"a rollout with quite a long name for so few frames": Rollout(net), "b": Rollout(net)}, 1)
    picture = ElementTree.fromstring(svg)
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))

    for box in picture.iter(f"{SVG}rect"):
        right = float(box.get("x", 0)) + float(box.get("width", 0))
        bottom = float(box.get("y", 0)) + float(box.get("height", 0))
        assert right <= width
        assert bottom <= height
    assert all(re.fullmatch(r"#[0-9a-f]{6}", box.get("fill", "#000000")) for box in picture.iter(f"{SVG}rect"))


def test_rollouts_of_different_nets_are_not_compared(net: Net) -> None:
    other = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"only": "Tanh"}}, device="meta")

    with pytest.raises(RequestError) as error:
        tableau_text({"one": Rollout(net), "other": Rollout(other)}, 2)

    assert str(error.value) == "the rollouts one, other are not of the same net"
    with pytest.raises(RequestError, match="a tableau needs at least one rollout"):
        tableau_svg({}, 2)


def test_the_legend_says_what_colours_and_frames_mean_and_fits(net: Net) -> None:
    picture = ElementTree.fromstring(tableau_svg({"sequential": Rollout(net)}, 1))

    notes = [element for element in picture.iter(f"{SVG}text") if element.get("class") == "note"]
    told = [element.text or "" for element in notes]
    assert [text.split(":")[0] for text in told[1:3]] == [
        "ready at once",
        "a block, with the update step at which it is ready",
    ]
    assert told[3].startswith("the first frame of a block that depends on")
    ends = [float(element.get("x", 0)) + text_width(element.text or "", 11) for element in notes]
    assert max(ends) <= float(picture.get("width", 0))


def test_a_long_name_is_shortened_and_whole_on_hovering() -> None:
    name = "a_block_whose_name_is_so_long_that_no_picture_of_a_tableau_has_a_place_for_it"
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {name: "Tanh"}}, device="meta")

    picture = ElementTree.fromstring(tableau_svg({"sequential": Rollout(net)}, 1))
    assert [title.text for title in picture.iter(f"{SVG}title")] == [name]
