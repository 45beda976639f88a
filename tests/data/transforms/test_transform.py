"""What all transforms have in common: every member of the family is run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.data.transforms import TRANSFORMS
from rillnet.data.transforms.transform import clipped, ordered, pair, uniform
from rillnet.errors import RequestError, ShapeError
from rillnet.spec import TypedSpec

MEMBERS: dict[str, dict[str, Any]] = {
    "Brightness": {},
    "CenterCrop": {"size": 5},
    "Contrast": {},
    "Crop": {"size": [5, 6], "padding": 2},
    "Flip": {},
    "Noise": {},
    "Normalize": {"mean": [0.5, 0.4, 0.3], "std": [1, 2, 3]},
    "Rescale": {"min": -1, "max": 1},
    "Resize": {"size": [4, 3]},
    "Whiten": {},
}
RANDOM = {"Brightness", "Contrast", "Crop", "Flip", "Noise"}
WITHOUT_DIMENSIONS = {"Brightness", "Noise", "Rescale"}


def run(name: str, x: Tensor, seed: int = 0) -> Tensor:
    transform = TRANSFORMS.build(TypedSpec(type=name, arguments={**MEMBERS[name], "field": "x"}))
    return transform({"x": x}, torch.Generator().manual_seed(seed))["x"]


def test_every_member_has_a_row() -> None:
    assert set(MEMBERS) == set(TRANSFORMS)


@pytest.mark.parametrize("name", MEMBERS)
def test_members(name: str) -> None:
    spec = TypedSpec(type=name, arguments=MEMBERS[name])
    transform = TRANSFORMS.build(spec)
    images, label = torch.rand(6, 3, 8, 7), torch.arange(6)
    before = images.clone()
    fields = transform({"image": images, "label": label}, torch.Generator().manual_seed(0))

    assert TRANSFORMS.check(spec, "data.prepare.0") == []
    assert fields["image"].shape == (6, *transform.output_shape((3, 8, 7)))
    assert fields["image"].dtype is torch.float32
    assert fields["image"].is_contiguous()
    assert fields["label"] is label
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_drawn_comes_from_the_generator_alone(name: str) -> None:
    images = torch.rand(6, 3, 8, 7)
    state = torch.default_generator.get_state()
    first = run(name, images, 1)

    assert torch.equal(first, run(name, images, 1))
    assert torch.equal(first, run(name, images, 2)) == (name not in RANDOM)
    assert torch.equal(torch.default_generator.get_state(), state)


@pytest.mark.parametrize("name", sorted(RANDOM - {"Noise"}))
def test_each_example_is_drawn_for_itself(name: str) -> None:
    image = torch.rand(1, 3, 8, 7)
    changed = run(name, image.expand(64, -1, -1, -1))

    assert len(changed.flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_precision_is_kept(name: str, dtype: torch.dtype) -> None:
    assert run(name, torch.rand(2, 3, 8, 7).to(dtype)).dtype is dtype


@pytest.mark.parametrize("name", sorted(set(MEMBERS) - WITHOUT_DIMENSIONS))
def test_examples_without_enough_dimensions_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match=r"^field: must have examples of shape \[.*\] \(got \[\]\)$"):
        TRANSFORMS.build(TypedSpec(type=name, arguments=MEMBERS[name])).output_shape(())


def test_uniform_draws_one_number_per_example() -> None:
    drawn = uniform(2, 3, torch.zeros(1000, 4, 4), torch.Generator().manual_seed(0))

    assert drawn.shape == (1000, 1, 1)
    assert drawn.min() >= 2
    assert drawn.max() < 3
    assert abs(float(drawn.mean()) - 2.5) < 0.03


def test_sizes_and_ranges() -> None:
    assert pair(3) == (3, 3)
    assert pair([3, 4]) == (3, 4)
    assert clipped(torch.tensor([-1.0, 0.5, 2.0]), (0, 1)).tolist() == [0, 0.5, 1]
    assert ordered("clip", None) is None
    with pytest.raises(RequestError, match=r"^clip: must be a lowest and a highest value \(got \[1, 0\]\)$"):
        ordered("clip", (1, 0))
