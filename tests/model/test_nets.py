"""The ready nets: parameter counts as published, multiply-adds, shapes, and a forward pass of the small ones."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import yaml

from rillnet.errors import RequestError
from rillnet.model.frontends.yaml import read
from rillnet.model.net import Net
from rillnet.model.nets import path_of, ready_nets
from rillnet.spec import NetSpec

# name: parameters, classes, example shape
PUBLISHED = {
    "lenet": (431_080, 10, (1, 28, 28)),
    "mlp": (669_706, 10, (1, 28, 28)),
    "alexnet": (61_100_840, 1000, (3, 224, 224)),
    "vgg_a": (132_863_336, 1000, (3, 224, 224)),
    "googlenet": (6_998_552, 1000, (3, 224, 224)),
    "overfeat_fast": (145_920_872, 1000, (3, 231, 231)),
    "resnet20_cifar": (269_722, 10, (3, 32, 32)),
    "resnet32_cifar": (464_154, 10, (3, 32, 32)),
    "resnet44_cifar": (658_586, 10, (3, 32, 32)),
    "resnet56_cifar": (853_018, 10, (3, 32, 32)),
    "resnet110_cifar": (1_727_962, 10, (3, 32, 32)),
    "resnet18": (11_689_512, 1000, (3, 224, 224)),
    "resnet34": (21_797_672, 1000, (3, 224, 224)),
    "resnet50": (25_557_032, 1000, (3, 224, 224)),
    "resnet101": (44_549_160, 1000, (3, 224, 224)),
    "resnet152": (60_192_808, 1000, (3, 224, 224)),
}

SMALL = ["lenet", "mlp", "resnet20_cifar", "resnet32_cifar"]


def document(name: str) -> dict[str, Any]:
    return yaml.safe_load(path_of(name).read_text(encoding="utf-8"))


def described(name: str) -> Net:
    """The net on the meta device: nothing is allocated."""
    return Net.from_spec(document(name)["net"], seed=0, device="meta")


def count(net: Net) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_every_ready_net_has_its_count_here() -> None:
    assert ready_nets() == sorted(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_net_has_the_published_number_of_parameters(name: str) -> None:
    parameters, classes, shape = PUBLISHED[name]

    net = described(name)

    assert count(net) == parameters
    outputs = net.infer_shapes()
    assert net.name == name
    assert list(net.inputs) == ["image", "label"]
    assert outputs["image"].shape == shape  # type: ignore[union-attr]
    assert outputs["logits"].shape == (classes,)  # type: ignore[union-attr]
    assert not outputs["loss"].batched  # type: ignore[union-attr]
    assert net.blocks["accuracy"].exclude == {"train"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_document_holds_a_net_and_says_where_it_comes_from(name: str) -> None:
    text = path_of(name).read_text(encoding="utf-8")

    assert list(document(name)) == ["net"]
    assert f"{PUBLISHED[name][0]:,} parameters" in text.splitlines()[0]
    assert max(map(len, text.splitlines())) <= 120


def conv(sources: int, out: int, size: int) -> int:
    return (sources * size * size + 1) * out


def test_googlenet_count_from_the_table_of_the_paper() -> None:
    """Szegedy et al. 2014, table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj of each module."""
    table = [
        (192, 64, 96, 128, 16, 32, 32),
        (256, 128, 128, 192, 32, 96, 64),
        (480, 192, 96, 208, 16, 48, 64),
        (512, 160, 112, 224, 24, 64, 64),
        (512, 128, 128, 256, 24, 64, 64),
        (512, 112, 144, 288, 32, 64, 64),
        (528, 256, 160, 320, 32, 128, 128),
        (832, 256, 160, 320, 32, 128, 128),
        (832, 384, 192, 384, 48, 128, 128),
    ]
    stem = conv(3, 64, 7) + conv(64, 64, 1) + conv(64, 192, 3)
    modules = sum(
        conv(sources, one, 1) + conv(sources, r3, 1) + conv(r3, c3, 3) + conv(sources, r5, 1) + conv(r5, c5, 5)
        + conv(sources, pool, 1)
        for sources, one, r3, c3, r5, c5, pool in table
    )  # fmt: skip

    assert stem + modules + conv(1024, 1000, 1) == PUBLISHED["googlenet"][0]
    for (_, one, _, c3, _, c5, pool), (sources, *_) in itertools.pairwise(table):
        assert one + c3 + c5 + pool == sources


def test_overfeat_count_from_the_table_of_the_paper() -> None:
    """Sermanet et al. 2013, table 1."""
    convolutions = conv(3, 96, 11) + conv(96, 256, 5) + conv(256, 512, 3) + conv(512, 1024, 3) + conv(1024, 1024, 3)
    linear = conv(1024, 3072, 6) + conv(3072, 4096, 1) + conv(4096, 1000, 1)

    assert convolutions + linear == PUBLISHED["overfeat_fast"][0]


@pytest.mark.parametrize(("depth", "n"), [(20, 3), (32, 5), (44, 7), (56, 9), (110, 18)])
def test_cifar_resnet_count_from_the_formula_of_the_paper(depth: int, n: int) -> None:
    """He et al. 2015, section 4.2: 6 n + 2 layers, shortcuts without parameters; 2 numbers per normalised channel."""

    def layer(sources: int, out: int) -> int:
        return sources * out * 9 + 2 * out

    stages = sum(layer(before, out) + (2 * n - 1) * layer(out, out) for before, out in ((16, 16), (16, 32), (32, 64)))

    assert layer(3, 16) + stages + 64 * 10 + 10 == PUBLISHED[f"resnet{depth}_cifar"][0]


@pytest.mark.parametrize("name", SMALL)
def test_small_net_runs_and_learns_from_every_parameter(name: str) -> None:
    _, classes, shape = PUBLISHED[name]
    net = Net.from_spec(document(name)["net"], seed=0)

    outputs = net(image=torch.randn(2, *shape), label=torch.tensor([0, 1]))
    outputs["loss"].backward()

    assert outputs["logits"].shape == (2, classes)
    assert torch.isfinite(outputs["loss"])
    assert "accuracy" not in outputs
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_cifar_resnet_shortcut_of_option_a_has_no_parameters() -> None:
    net = described("resnet20_cifar")

    assert list(net.parameters_by_address("stage2_first/*")) == [
        f"net/stage2_first/{block}/{name}"
        for block in ("conv1", "norm1", "conv2", "norm2")
        for name in (("weight",) if block.startswith("conv") else ("weight", "bias"))
    ]
    assert net["stage2_first/zeros"](torch.ones(1, 16, 2, 2)).sum(dim=(2, 3)).tolist() == [[0] * 8 + [4] * 16 + [0] * 8]


def test_deep_plain_nets_keep_the_scale_of_their_input() -> None:
    """Without normalisation, the draw decides whether a deep net learns at all."""
    net = Net.from_spec(document("googlenet")["net"], seed=0)

    logits = net(image=torch.randn(2, 3, 224, 224))["logits"]

    assert 0.05 < logits.std() < 20


def test_unknown_net_is_told_with_the_nearest() -> None:
    with pytest.raises(RequestError) as caught:
        path_of("lenett")

    assert str(caught.value) == "net: there is no ready net of this name (got 'lenett'); did you mean 'lenet'?"


def test_unknown_net_is_told_with_all() -> None:
    with pytest.raises(RequestError, match="known: alexnet, googlenet, lenet"):
        path_of("zebra")


@pytest.mark.parametrize("name", PUBLISHED)
def test_documents_are_read_as_they_are_by_our_own_reading(name: str) -> None:
    """Aliases and all; any other reading of YAML is good for these documents too."""
    assert read(path_of(name)).net() == NetSpec.model_validate(document(name)["net"])
