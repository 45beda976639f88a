"""The picture of accuracy per response."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from rillnet.errors import RequestError
from rillnet.model.response_drawing import Curve, responses_svg

SVG = "{http://www.w3.org/2000/svg}"
CURVES = [
    Curve("streaming", [3, 4, 5, 6], [0.2, 0.5, 0.75, 1.0]),
    Curve("sequential <own>", [3, 6, 9], [0.5, 0.75, 0.8]),
]


def drawn(curves: list[Curve], title: str = "mnist") -> ElementTree.Element:
    return ElementTree.fromstring(responses_svg(curves, title))


def texts(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def points(picture: ElementTree.Element) -> list[list[tuple[float, float]]]:
    lines = [element.attrib["points"].split() for element in picture.iter(f"{SVG}polyline")]
    return [[tuple(map(float, pair.split(","))) for pair in line] for line in lines]  # type: ignore[misc]


def test_every_curve_is_named_and_has_its_points() -> None:
    picture = drawn(CURVES)
    assert [len(line) for line in points(picture)] == [4, 3]
    assert {"mnist", "update steps", "accuracy", "streaming", "sequential <own>"} <= set(texts(picture))
    assert picture.attrib["aria-label"] == (
        "mnist. streaming: 0.20 first, 1.00 last; sequential <own>: 0.50 first, 0.80 last"
    )


def test_later_is_to_the_right_and_better_is_above() -> None:
    streaming, sequential = points(drawn(CURVES))
    assert [x for x, _ in streaming] == sorted({x for x, _ in streaming})
    assert [y for _, y in streaming] == sorted({y for _, y in streaming}, reverse=True)
    assert streaming[0][0] == sequential[0][0]  # both answer first at step 3
    assert streaming[3][0] == sequential[1][0]  # and at step 6
    assert streaming[1][1] == sequential[0][1]  # 0.5


def test_all_of_it_lies_within_the_picture() -> None:
    picture = drawn([*CURVES, Curve("a very long name of a rollout, aligned: prediction", [400], [0.0])])
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    for line in points(picture):
        assert all(0 < x < width and 0 < y < height for x, y in line)
    for element in picture.iter(f"{SVG}text"):
        length = 0 if element.attrib.get("text-anchor") else 6.0 * len(element.text or "")
        assert float(element.attrib["x"]) + length <= width


def test_ticks_stay_few() -> None:
    for last in (1, 11, 36, 400):
        numbers = [text for text in texts(drawn([Curve("a", [last], [0.5])])) if text.isdecimal()]
        assert 2 <= len(numbers) <= 13


def test_nothing_to_draw_is_told() -> None:
    with pytest.raises(RequestError) as error:
        responses_svg([Curve("a", [], [])], "nothing")
    assert str(error.value) == "there is no response to draw: no curve has a point"
