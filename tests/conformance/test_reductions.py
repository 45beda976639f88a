"""Every reduction against numpy, on every kind of tensor there is, alone and together with others.

Each member of the family has a row; a new one without a row fails `test_every_member_has_a_row`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rillnet.runtime.observers.query import make_reduction
from rillnet.runtime.observers.reductions import REDUCTIONS
from rillnet.runtime.observers.reductions.percentiles import PERCENTILES

Array = NDArray[Any]
SHAPES = [(), (1,), (7,), (64,), (5, 3), (3, 8, 8), (6, 3, 5, 5), (2, 2, 3, 4, 4)]
KINDS = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool]


def _levels(x: Array) -> tuple[float, float]:
    """The range that a thumbnail of a small tensor tells."""
    return float(x.min()), float(x.max())


def _histogram(x: Array) -> Array:
    low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    place = (x.ravel().astype(np.float32) - np.float32(low)) * np.float32(4 / (high - low))
    return np.bincount(np.clip(place.astype(np.int64), 0, 3), minlength=4).astype(np.int32)


# name, settings, what numpy makes of an array of float32, or None where only the form is told
ROWS: list[tuple[str, dict[str, Any], Callable[[Array], Any] | None]] = [
    ("argmax", {}, lambda x: x.argmax(0)),
    ("distribution", {}, lambda x: np.percentile(x, PERCENTILES)),
    ("health", {}, lambda x: [np.isnan(x).sum(), np.isinf(x).sum(), (x == 0).sum()]),
    ("histogram", {"bins": 4}, _histogram),
    ("percentiles", {}, lambda x: np.percentile(x, PERCENTILES)),
    ("scalar", {}, lambda x: x.mean()),
    ("scalar", {"measure": "magnitude"}, lambda x: np.abs(x).mean()),
    ("scalar", {"measure": "norm"}, lambda x: np.sqrt((x.astype(np.float64) ** 2).sum())),
    ("scalar", {"measure": "deviation"}, lambda x: x.astype(np.float64).std()),
    ("scalar", {"measure": "least"}, lambda x: x.min()),
    ("scalar", {"measure": "largest"}, lambda x: x.max()),
    ("thumbnail", {"size": [256, 256]}, None),
    ("whole", {}, lambda x: x),
]
NAMES = [" ".join([name, *(f"{key}={value}" for key, value in settings.items())]) for name, settings, _ in ROWS]

FORMS = {
    "argmax": (np.int32, lambda shape: shape[1:]),
    "distribution": (np.float32, lambda shape: (9,)),
    "health": (np.int32, lambda shape: (3,)),
    "histogram": (np.int32, lambda shape: (4,)),
    "percentiles": (np.float32, lambda shape: (9,)),
    "scalar": (np.float32, lambda shape: ()),
}
"""The type of the data and their shape, by that of the tensor."""


def tensor_of(shape: tuple[int, ...], kind: torch.dtype, seed: int = 0) -> Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if kind == torch.bool:
        return made > 0
    if kind == torch.uint8:
        return (made * 40 + 100).clamp(0, 255).to(kind)
    return made.to(kind) if kind.is_floating_point else (made * 100).to(kind)


def test_every_member_has_a_row() -> None:
    assert {name for name, _, _ in ROWS} == set(REDUCTIONS)


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_numbers_are_those_of_numpy(name: str, settings: Any, expected: Any, shape: tuple[int, ...]) -> None:
    reduction = make_reduction(name, settings)
    if reduction.rule(shape):
        pytest.skip(reduction.rule(shape))
    value = tensor_of(shape, torch.float32)
    found = reduction([value])
    assert len(found.data) == 1
    if name in FORMS:
        kind, form = FORMS[name]
        assert (found.data.numpy().dtype, tuple(found.data.shape[1:])) == (kind, form(shape))
    if expected is not None:
        wanted = np.asarray(expected(value.numpy()))
        np.testing.assert_allclose(found.data[0].numpy(), wanted, rtol=2e-5, atol=1e-6)
    if name == "thumbnail":
        assert found.low is not None
        assert found.high is not None
        assert (float(found.low), float(found.high)) == pytest.approx(_levels(value.numpy()))
        assert found.data.dtype == torch.uint8
        assert found.data.dim() == 3


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_type_of_numbers_is_taken(name: str, settings: Any, expected: Any, kind: torch.dtype) -> None:
    reduction = make_reduction(name, settings)
    value = tensor_of((4, 6), kind)
    found, same = reduction([value]).data, reduction([value.float()]).data
    assert found.dtype in (torch.uint8, torch.float32, torch.int32)
    torch.testing.assert_close(found.float(), same.float(), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
def test_together_is_as_alone(name: str, settings: Any, expected: Any) -> None:
    reduction = make_reduction(name, settings)
    shapes = [(4, 6), (4, 6), (4, 6), (3,), (2, 5)] if reduction.mixes_shapes else [(4, 6)] * 4
    values = [tensor_of(shape, torch.float32, seed) * (seed + 1) for seed, shape in enumerate(shapes)]
    together = reduction(values)
    for number, value in enumerate(values):
        alone = reduction([value])
        torch.testing.assert_close(together.data[number], alone.data[0])
        for many, one in ((together.low, alone.low), (together.high, alone.high)):
            assert (many is None) == (one is None)
            if many is not None and one is not None:
                torch.testing.assert_close(many[number], one[0])


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_harms_nothing(name: str, settings: Any, expected: Any, bad: float) -> None:
    reduction = make_reduction(name, settings)
    value = tensor_of((4, 6), torch.float32)
    value[1, 2] = bad
    everywhere = torch.full((4, 6), bad)
    found = reduction([value, everywhere])
    assert len(found.data) == 2
    if found.low is not None and found.high is not None:
        assert bool(torch.isfinite(found.low).all() & torch.isfinite(found.high).all())


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
def test_the_tensor_is_left_alone_and_not_handed_out(name: str, settings: Any, expected: Any) -> None:
    reduction = make_reduction(name, settings)
    value = tensor_of((4, 6), torch.float32).requires_grad_()
    before = value.detach().clone()
    found = reduction([value])
    assert not found.data.requires_grad
    found.data.zero_()
    assert torch.equal(value.detach(), before)
    assert value._version == 0


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
def test_equal_ones_are_one(name: str, settings: Any, expected: Any) -> None:
    one, other = make_reduction(name, settings), make_reduction(name, settings)
    assert one == other
    assert hash(one) == hash(other)
    assert dataclasses.is_dataclass(one)


@pytest.mark.parametrize(("name", "settings", "expected"), ROWS, ids=NAMES)
def test_nothing_is_told_rather_than_reduced(name: str, settings: Any, expected: Any) -> None:
    reduction = make_reduction(name, settings)
    if reduction.rule((0, 3)):
        assert "needs" in reduction.rule((0, 3))
    else:
        assert len(reduction([torch.zeros(0, 3)]).data) == 1
