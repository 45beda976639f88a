"""Layouts of maps: every place is in a vector, every vector within the copy, and the turned round maps fit."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from rillnet.runtime.kernels.forms import Geometry
from rillnet.runtime.kernels.maps import Layout, MapSizes

SIZES = st.builds(
    MapSizes,
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.builds(
        Geometry,
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.tuples(*[st.integers(0, 3)] * 4),
        st.tuples(st.integers(1, 2), st.integers(1, 2)),
    ),
)


@given(SIZES, st.sampled_from([4, 8, 16]))
def test_vectors_cover_all_places_and_stay_within_the_copy(sizes: MapSizes, lanes: int) -> None:
    assume(min(sizes.sent) > 0)
    layout = Layout.of(sizes, lanes)
    covered = {at for start in layout.starts for at in range(start, start + layout.lanes)}
    assert {x * layout.pitch + y for x in range(sizes.sent[0]) for y in range(sizes.sent[1])} <= covered
    taps = [
        k * d // s
        for k, d, s in zip((n - 1 for n in sizes.kernel), sizes.geometry.dilation, sizes.geometry.stride, strict=True)
    ]
    phases = sizes.geometry.stride[0] * sizes.geometry.stride[1]
    furthest = (2 * phases - 1) * layout.phase + taps[0] * layout.pitch + taps[1] + max(covered)
    assert furthest < layout.copy_size(sizes, 2)


@given(SIZES)
def test_maps_turned_round_send_what_was_read(sizes: MapSizes) -> None:
    assume(min(sizes.sent) > 0)
    turned = sizes.turned_round()
    if turned is not None:
        assert turned.map == sizes.sent
        assert turned.sent == sizes.map


def test_strides_and_wide_borders_are_not_turned_round() -> None:
    assert MapSizes((8, 8), (3, 3), Geometry(stride=(2, 1))).turned_round() is None
    assert MapSizes((8, 8), (3, 3), Geometry(padding=(3, 3, 0, 0))).turned_round() is None


def test_narrow_maps_are_covered_across_rows() -> None:
    by_rows = Layout.of(MapSizes((8, 8), (3, 3), Geometry(padding=(1, 1, 1, 1))), 8)
    across = Layout.of(MapSizes((8, 3), (3, 1), Geometry()), 8)
    assert (by_rows.by_rows, by_rows.vectors, by_rows.pitch) == (True, 8, 16)
    assert (across.by_rows, across.vectors) == (False, 3)
