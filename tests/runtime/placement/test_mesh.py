"""The mesh: processes on named axes, the last one running fastest."""

from __future__ import annotations

from rillnet.runtime.placement.mesh import Mesh


def test_every_process_has_a_place_of_its_own() -> None:
    mesh = Mesh({"data": 2, "model": 3})

    places = [(mesh.coordinate(rank, ["data"]), mesh.coordinate(rank, ["model"])) for rank in range(mesh.processes)]

    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_axes_together_count_as_one() -> None:
    mesh = Mesh({"data": 2, "model": 3})

    assert mesh.extent(["data", "model"]) == 6
    assert [mesh.coordinate(rank, ["data", "model"]) for rank in range(6)] == list(range(6))


def test_features_go_along_the_axis_called_model() -> None:
    assert Mesh({"data": 2, "model": 3}).inner == ("model",)
    assert Mesh({"all": 4}).inner == ("all",)
