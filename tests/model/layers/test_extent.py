"""Extents of parameters."""

from __future__ import annotations

import pytest
import torch

from rillnet.model.layers.extent import Extent, sizes, spread


@pytest.mark.parametrize(
    ("extent", "shape", "expected"),
    [
        ("full", (16, 14, 12), (16, 14, 12)),
        ("feature", (16, 14, 12), (16,)),
        ("spatial", (16, 14, 12), (14, 12)),
        ("scalar", (16, 14, 12), (1,)),
        ("full", (16,), (16,)),
        ("feature", (16,), (16,)),
        ("spatial", (16,), (1,)),
        ("scalar", (16,), (1,)),
    ],
)
def test_sizes(extent: Extent, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert sizes(extent, shape) == expected


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3), (4,)])
@pytest.mark.parametrize("extent", ["full", "feature", "spatial", "scalar"])
@pytest.mark.parametrize("streams", [0, 5])
def test_a_parameter_is_broadcast_where_it_belongs(extent: Extent, shape: tuple[int, ...], streams: int) -> None:
    own = sizes(extent, shape)
    parameter = torch.randn(*((streams, *own) if streams else own))

    found = spread(parameter, extent, len(shape), per_stream=bool(streams)).expand(5, *shape)

    for n in range(5):
        one = parameter[n] if streams else parameter
        at = tuple(size - 1 for size in shape)
        chosen = {"full": at, "feature": at[:1], "spatial": at[1:] or (0,), "scalar": (0,)}[extent]
        assert found[(n, *at)] == one[chosen]
