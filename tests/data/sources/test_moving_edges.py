"""Edges and bars that move."""

from __future__ import annotations

import math

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.sources.moving_edges import MovingEdges
from rillnet.errors import RequestError


def frames(source: MovingEdges, count: int, streams: int = 64) -> dict[str, torch.Tensor]:
    """By field, [frames, streams, ...]."""
    opened = source.examples("train")
    read = [opened.frame(number, streams, 1) for number in range(count)]
    return {name: torch.stack([one[name] for one in read]) for name in read[0]}


def test_an_edge_gains_what_it_moves_over() -> None:
    found = frames(MovingEdges(directions=4, speed=0.7, duration=6, size=16), 60)
    area = found["image"].sum(dim=(2, 3, 4))
    moves = (found["onset"][1:] > 0) & (area[1:] < 250) & (area[:-1] > 6)

    assert moves.sum() > 500
    assert torch.allclose(area.diff(dim=0)[moves], torch.tensor(0.7 * 16), atol=0.01)


def test_the_label_is_the_direction_of_the_velocity() -> None:
    found = frames(MovingEdges(directions=8, speed=(0.5, 2.0)), 40)
    right, down = found["velocity"].unbind(dim=-1)
    angle = torch.atan2(down, right).remainder(2 * math.pi)
    speed = torch.hypot(right, down)

    turned = (angle - found["label"] * (math.pi / 4) + math.pi).remainder(2 * math.pi) - math.pi
    assert turned.abs().max() < 1e-5
    assert found["label"].unique().tolist() == list(range(8))
    assert 0.5 <= speed.min() < 0.6
    assert 1.9 < speed.max() <= 2.0


@pytest.mark.parametrize(("label", "column", "row"), [(0, 1.0, 0.0), (1, 0.0, 1.0), (2, -1.0, 0.0), (3, 0.0, -1.0)])
def test_a_bar_moves_where_its_label_says(label: int, column: float, row: float) -> None:
    found = frames(MovingEdges(directions=4, form="bar", width=2.0, duration=5, size=20), 40)
    image = found["image"][:, :, 0]
    place = torch.arange(20.0)
    mass = image.sum(dim=(2, 3))
    middle_x = (image.sum(dim=2) * place).sum(dim=2) / mass
    middle_y = (image.sum(dim=3) * place).sum(dim=2) / mass
    moves = (found["onset"][1:] > 0) & (found["label"][1:] == label) & (mass[1:] > 39) & (mass[:-1] > 39)

    assert moves.sum() > 50
    assert torch.allclose(middle_x.diff(dim=0)[moves], torch.tensor(column), atol=1e-3)
    assert torch.allclose(middle_y.diff(dim=0)[moves], torch.tensor(row), atol=1e-3)


def test_directions_come_equally_often() -> None:
    label = frames(MovingEdges(directions=5, duration=1), 40, 500)["label"]
    share = torch.bincount(label.flatten()) / label.numel()

    assert (share - 0.2).abs().max() < 0.01


def test_speeds_that_are_out_of_order() -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "MovingEdges", "speed": [2, 1]})
    assert str(error.value) == "data.source.speed: must be a lowest and a highest number (got [2, 1])"
