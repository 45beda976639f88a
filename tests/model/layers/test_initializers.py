"""Initialisers: the matrices of statestream, and names with numbers in them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rillnet.errors import RequestError
from rillnet.model.layers.initializers import bilinear, find_initializer, identity, local_inhibition, xavier
from rillnet.model.net import Net


def drawn(name: str, *sizes: int) -> Tensor:
    initializer = find_initializer(name)
    assert initializer is not None
    weight = nn.Parameter(torch.full(sizes, 7.0))
    initializer(weight)
    return weight.detach()


def test_identities_from_6_to_12_features_repeat_or_tile() -> None:
    repeated, tiled = drawn("id", 12, 6, 3, 3), drawn("Id", 12, 6, 3, 3)

    assert repeated.sum() == tiled.sum() == 12
    assert repeated[..., 1, 1].argmax(1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert tiled[..., 1, 1].argmax(1).tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]


def test_identities_from_6_to_3_features_read_pairs_or_strides() -> None:
    adjacent, strided = drawn("id", 3, 6), drawn("Id", 3, 6)

    assert adjacent.tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert strided.tolist() == [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "scale"), [("id", 1), ("Id", 1), ("-id", -1), ("-Id", -1), ("id_0.5", 0.5), ("Id_-2", -2)]
)
def test_identities_are_scaled(name: str, scale: float) -> None:
    assert torch.equal(drawn(name, 4, 4), scale * torch.eye(4))


def test_an_identity_needs_features_that_divide() -> None:
    with pytest.raises(ValueError, match=r"^an identity needs 4 and 6 features to divide one another$"):
        identity(torch.empty(4, 6))


def test_local_inhibition() -> None:
    weight = local_inhibition(torch.empty(2, 2, 3, 3))

    assert weight[0, 0, 1, 1] == weight[1, 1, 1, 1] == 0.5
    assert weight[0, 1].eq(-1 / 18).all()
    assert weight[0, 0, 0, 0] == pytest.approx(-1 / 18)


def test_bilinear_falls_off_with_the_distance() -> None:
    weight = bilinear(torch.empty(2, 2, 3, 3))

    assert weight[0, 0].tolist() == [[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]]
    assert torch.equal(weight[1, 1], weight[0, 0])
    assert weight[0, 1].eq(0).all()


@pytest.mark.parametrize("initializer", [bilinear, local_inhibition])
def test_some_need_as_many_targets_as_sources(initializer: type) -> None:
    with pytest.raises(ValueError, match=r"needs as many targets as sources, not 2 and 3$"):
        initializer(torch.empty(2, 3, 3, 3))


@pytest.mark.parametrize("shape", [(3, 5), (4, 2, 3, 3)])
@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_xavier_draws_what_torch_draws(shape: tuple[int, ...], gain: float) -> None:
    torch.manual_seed(1)
    expected = torch.nn.init.xavier_uniform_(torch.empty(shape), gain)
    torch.manual_seed(1)

    assert torch.equal(xavier(torch.empty(shape), gain), expected)


@pytest.mark.parametrize(("name", "gain"), [("xavier", 1.0), ("xavier_0.5", 0.5)])
def test_xavier_keeps_its_bound(name: str, gain: float) -> None:
    weight = drawn(name, 16, 8, 5, 5)
    bound = gain * math.sqrt(6 / (24 * 25))

    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_normal_and_uniform_take_their_numbers_from_the_name() -> None:
    normal, uniform = drawn("normal_-0.5_2.0", 100, 100), drawn("uniform_-2.0_4.0", 100, 100)

    assert normal.mean().item() == pytest.approx(-0.5, abs=0.1)
    assert normal.std().item() == pytest.approx(2.0, abs=0.1)
    assert uniform.min().item() == pytest.approx(-2, abs=0.01)
    assert uniform.max().item() == pytest.approx(4, abs=0.01)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("lecun_normal", math.sqrt(1 / 200)),
        ("he_uniform", math.sqrt(2 / 200)),
        ("glorot_normal", math.sqrt(1 / ((8 + 32) * 25 / 2))),
        ("he_normal_0.5", 0.5 * math.sqrt(2 / 200)),
    ],
)
def test_scaled_draws_have_the_deviation_of_their_fan(name: str, deviation: float) -> None:
    weight = drawn(name, 32, 8, 5, 5)

    assert weight.std().item() == pytest.approx(deviation, rel=0.03)
    if "uniform" in name:
        assert weight.abs().max() <= math.sqrt(3) * deviation


@pytest.mark.parametrize(("name", "like"), [("he_normal", "kaiming_normal"), ("glorot_uniform", "xavier_uniform")])
def test_scaled_draws_are_torchs_where_it_has_them(name: str, like: str) -> None:
    made = []
    for one in (name, like):
        torch.manual_seed(1)
        made.append(drawn(one, 6, 4, 3, 3))
    torch.testing.assert_close(*made)


@pytest.mark.parametrize("name", ["kaiming_normal", "kaiming_normal_", "orthogonal", "zeros_", "normal"])
def test_torchs_are_found(name: str) -> None:
    assert find_initializer(name) is not None


@pytest.mark.parametrize("name", ["idd", "id_x", "normal_1", "_no_grad_fill", "", "xavier_1_2"])
def test_others_are_not(name: str) -> None:
    assert find_initializer(name) is None


def test_weights_of_one_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        identity(torch.empty(3))
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        xavier(torch.empty(3))


def test_a_document_names_them() -> None:
    layer = {"type": "Linear", "out_features": 4, "initial": {"weight": "id_0.5", "bias": 1}}
    net = Net.from_spec({"inputs": {"x": [2]}, "blocks": {"fc": layer}}, seed=0)

    assert net(torch.tensor([[2.0, 4.0]]))["fc"].tolist() == [[2.0, 2.0, 3.0, 3.0]]


def test_one_that_does_not_fit_is_told_with_its_address() -> None:
    layer = {"type": "Linear", "out_features": 4, "initial": {"weight": "loc_inh"}}

    with pytest.raises(
        RequestError, match=r"^net/fc.initial.weight: local inhibition needs as many targets as sources"
    ):
        Net.from_spec({"inputs": {"x": [2]}, "blocks": {"fc": layer}})
