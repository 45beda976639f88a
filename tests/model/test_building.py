"""From a record to a module: sizes inferred, parameters drawn by address."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.errors import RequestError
from rillnet.model.building import Inference, build_block, check_initial, draw_initial, draw_module, infer_output
from rillnet.model.shapes import Output, Signature
from rillnet.spec import BlockSpec

READ: list[tuple[str, Output]] = [("image", Signature((3, 8, 8)))]
CONV = BlockSpec(type="Conv2d", arguments={"out_channels": 4, "kernel_size": 3})


class Doubling(nn.Module):
    """A block of a user's own."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        if size < 1:
            raise ValueError("size must be positive")
        self.scale = nn.Parameter(torch.randn(size))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x], dim=1)


def build(spec: BlockSpec, address: str = "net/conv", seed: int = 1, **how: Any) -> tuple[nn.Module, Output]:
    options: dict[str, Any] = {"device": None, "trust": True, "known": {}} | how
    return build_block(spec, address, READ, seed=seed, **options)


def test_sizes_come_from_what_is_read() -> None:
    module, output = build(CONV)

    assert isinstance(module, nn.Conv2d)
    assert module.in_channels == 3
    assert output == Signature((4, 6, 6))


def test_a_draw_depends_on_seed_and_address_alone() -> None:
    weight = build(CONV)[0].weight
    state = torch.get_rng_state()

    torch.randn(7)
    assert torch.equal(build(CONV)[0].weight, weight)  # type: ignore[arg-type]
    assert not torch.equal(build(CONV, seed=2)[0].weight, weight)  # type: ignore[arg-type]
    assert not torch.equal(build(CONV, address="net/conv2")[0].weight, weight)  # type: ignore[arg-type]
    assert torch.equal(draw_module(CONV, "net/conv", READ, 1, True).weight, weight)  # type: ignore[arg-type]
    torch.set_rng_state(state)
    before = torch.get_rng_state()
    build(CONV)
    assert torch.equal(torch.get_rng_state(), before)


def test_on_meta_nothing_is_allocated() -> None:
    module, output = build(CONV, device="meta")

    assert all(parameter.is_meta for parameter in module.parameters())
    assert output == Signature((4, 6, 6))


def test_equal_blocks_are_inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Inference = {}
    build(CONV, known=known)
    monkeypatch.setattr("rillnet.model.building.infer", lambda *_: pytest.fail("was inferred again"))

    assert build(CONV, address="net/other", known=known)[1] == Signature((4, 6, 6))
    assert len(known) == 1


@pytest.mark.parametrize("device", [None, "meta"])
def test_a_block_of_ones_own(device: str | None) -> None:
    module, output = build(BlockSpec(type=f"{__name__}:Doubling"), device=device)

    assert type(module).__name__ == "Doubling"
    assert output == Signature((6, 8, 8))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (BlockSpec(type="Conv3D"), "net/x.type: unknown block type (got 'Conv3D'); did you mean 'Conv3d'?"),
        (BlockSpec(type="Linear"), "net/x.out_features: is required"),
        (
            BlockSpec(type="Conv2d", arguments={"out_channels": 2, "kernel_size": 9}),
            "net/x: Conv2d cannot work on image [3, 8, 8]: Calculated padded input size per channel: (8 x 8). "
            "Kernel size: (9 x 9). Kernel size can't be greater than actual input size",
        ),
        (
            BlockSpec(type="Conv2d", arguments={"out_channels": 2, "kernel_size": 3, "groups": 2}),
            "net/x: Conv2d cannot be made: in_channels must be divisible by groups; it reads image [3, 8, 8]",
        ),
        (
            BlockSpec(type=f"{__name__}:Doubling", arguments={"size": -1}),
            "net/x: SELF:Doubling cannot be made: size must be positive; it reads image [3, 8, 8]",
        ),
    ],
)
def test_what_cannot_be_built_is_told_with_address_and_sources(spec: BlockSpec, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        build(spec, address="net/x")

    assert str(caught.value) == message.replace("SELF", __name__)


def test_import_paths_are_followed_only_if_trusted() -> None:
    with pytest.raises(RequestError, match="runs code of yours; pass --trust, or trust=True in Python, if you mean it"):
        build(BlockSpec(type=f"{__name__}:Doubling"), trust=False)


def test_any_error_of_a_forward_names_the_block() -> None:
    with pytest.raises(
        RequestError, match=r"^net/x: Doubling cannot work on nothing: it needs \w+ as well; name all in `from`"
    ):
        infer_output(Doubling(), "net/x", "Doubling", [])


# --- initial values -------------------------------------------------------------------------------


def initialised(**initial: Any) -> nn.Linear:
    module = nn.Linear(6, 4)
    draw_initial(module, initial, "net/fc")
    return module


def test_parameters_are_drawn_as_told() -> None:
    module = initialised(weight={"type": "uniform", "a": 3, "b": 4}, bias=0.5)

    assert ((module.weight >= 3) & (module.weight <= 4)).all()
    assert module.bias.eq(0.5).all()


@pytest.mark.parametrize("name", ["kaiming_normal", "kaiming_normal_", {"type": "kaiming_normal", "mode": "fan_in"}])
def test_initialisers_of_torch_by_name(name: Any) -> None:
    module = nn.Linear(6, 4)
    expected = nn.Linear(6, 4)

    torch.manual_seed(0)
    draw_initial(module, {"weight": name}, "net/fc")
    torch.manual_seed(0)
    nn.init.kaiming_normal_(expected.weight)

    assert torch.equal(module.weight, expected.weight)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"wait": 0}, "net/fc.initial.wait: names no parameter; known: weight, bias"),
        (
            {"weight": "normall"},
            "net/fc.initial.weight: "
            "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init (got 'normall')",
        ),
        (
            {"bias": True},
            "net/fc.initial.bias: "
            "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init (got True)",
        ),
        (
            {"weight": {"type": "normal", "stdd": 1}},
            "net/fc.initial.weight: normal_() got an unexpected keyword argument 'stdd'",
        ),
        (
            {"bias": "xavier_uniform"},
            "net/fc.initial.bias: Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
        ),
    ],
)
def test_a_wrong_initial_is_told(initial: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        initialised(**initial)

    assert str(caught.value) == message


@pytest.mark.parametrize("device", [None, "meta"])
def test_a_wrong_initial_is_told_on_every_device(device: str | None) -> None:
    spec = BlockSpec(type="Linear", arguments={"out_features": 2}, initial={"wait": 0})

    with pytest.raises(RequestError, match=r"net/conv\.initial\.wait: names no parameter; known: weight, bias"):
        build(spec, device=device)


def test_initial_is_checked_without_a_module() -> None:
    assert check_initial({"weight": "orthogonal", "bias": 1}, "net/fc") == []
    assert [str(fault) for fault in check_initial({"weight": None}, "net/fc")] == [
        "net/fc.initial.weight: "
        "must be a number or an initialiser: xavier, id, bilin, loc_inh or one of torch.nn.init (got None)"
    ]
