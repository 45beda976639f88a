"""Gathered blocks: equal to torch's formula, with gradients of every order, whatever computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rillnet.errors import RequestError, ShapeError
from rillnet.runtime.kernels import choosing, plain
from rillnet.runtime.kernels.compiling import Compiler
from rillnet.runtime.kernels.forms import ACTS, Act, Geometry
from rillnet.runtime.kernels.gathered import explain, gathered_conv2d, gathered_linear

ROWS, POOLS = 7, 5


def close(ours: Tensor, theirs: Tensor) -> None:
    """Equal to 1e-5 of the largest value, which is what sums of float32 in another order differ by."""
    largest = float(theirs.detach().abs().max())
    torch.testing.assert_close(ours.float(), theirs.float(), rtol=1e-5, atol=1e-5 * (largest + 1))


def same(ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *tensors: Tensor | None) -> None:
    """Results and gradients agree."""
    given_ = [tensor for tensor in tensors if tensor is not None]
    for tensor in given_:
        tensor.requires_grad_()
    mine, formula = ours(*tensors), theirs(*tensors)
    close(mine, formula)
    with torch.no_grad():
        assert torch.equal(ours(*tensors), mine)
    direction = torch.randn_like(mine)
    for a, b in zip(
        torch.autograd.grad(mine, given_, direction), torch.autograd.grad(formula, given_, direction), strict=True
    ):
        assert a.dtype == b.dtype
        close(a, b) if a.dtype == torch.float32 else torch.testing.assert_close(a, b, rtol=2e-2, atol=2e-2)


def same_linear(streams: int, inputs: int, outputs: int, sources: int, act: Act, *, bias: bool, dtype: Any) -> None:
    rows, index = torch.randn(ROWS, streams, inputs), torch.randint(ROWS, (POOLS, sources))
    weight = torch.randn(POOLS, sources, outputs, inputs).to(dtype)
    same(
        lambda x, w, b: gathered_linear(x, w, index, b, act),
        lambda x, w, b: plain.linear(x, w, index, b, act),
        rows,
        weight,
        torch.randn(POOLS, outputs) if bias else None,
    )


@pytest.mark.parametrize("act", ["tanh", "sigmoid"])
@pytest.mark.parametrize("outputs", [3, 16])
def test_activations_are_exact_to_the_last_bits(compiler: Compiler, act: Act, outputs: int) -> None:
    z = torch.cat([torch.linspace(-20, 20, 4001), torch.logspace(-30, 4, 800), -torch.logspace(-30, 4, 800)])
    rows_RBI = z.reshape(-1, 1, 1).expand(-1, 1, outputs + 4)
    weight_GSOI = torch.eye(outputs, outputs + 4).expand(len(z), 1, -1, -1)
    ours = gathered_linear(rows_RBI, weight_GSOI, torch.arange(len(z))[:, None], act=act)
    expected = getattr(torch, act)(z.double())[:, None, None].expand_as(ours)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("act", ACTS)
def test_what_is_no_number_is_sent_on(compiler: Compiler, act: Act) -> None:
    rows = torch.tensor([[float("nan")], [float("inf")], [-float("inf")]])[..., None].expand(-1, -1, 4)
    weight, index = torch.full((3, 1, 4, 4), 0.25), torch.tensor([[0], [1], [2]])
    expected = plain.linear(rows, weight, index, None, act)
    torch.testing.assert_close(gathered_linear(rows, weight, index, act=act), expected, equal_nan=True)


@pytest.mark.parametrize("streams", [1, 2, 3, 7])
def test_linear_blocks_are_torchs(compiler: Compiler, streams: int) -> None:
    same_linear(streams, 16, 16, 4, "relu", bias=True, dtype=torch.float32)
    assert explain()["linear, 16 to 16, float32"].startswith("C++, ")


@pytest.mark.parametrize("act", ACTS)
def test_linear_blocks_of_sizes_that_no_vector_divides(act: Act) -> None:
    same_linear(3, 11, 5, 3, act, bias=act != "id", dtype=torch.float32)


def test_weights_may_be_half_as_wide(compiler: Compiler) -> None:
    same_linear(2, 16, 3, 2, "id", bias=True, dtype=torch.bfloat16)
    assert explain()["linear, 16 to 3, bfloat16"].startswith("C++, ")


@pytest.mark.slow
@settings(max_examples=20)
@given(
    streams=st.integers(1, 13),
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 20),
    sources=st.integers(1, 5),
    act=st.sampled_from(ACTS),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_all_linear_blocks_are_torchs(**sizes: Any) -> None:
    same_linear(**sizes)


def same_conv2d(
    streams: int,
    channels: tuple[int, int],
    map_: tuple[int, int],
    kernel: tuple[int, int],
    act: Act = "id",
    *,
    bias: bool = False,
    dtype: Any = torch.float32,
    **geometry: Any,
) -> None:
    inputs, outputs = channels
    rows, index = torch.randn(ROWS, streams, inputs, *map_), torch.randint(ROWS, (POOLS, 2))
    weight = torch.randn(POOLS, 2, outputs, inputs, *kernel).to(dtype)
    form = Geometry.of(*(geometry.get(name, (n, n)) for name, n in (("stride", 1), ("padding", 0), ("dilation", 1))))
    same(
        lambda x, w, b: gathered_conv2d(x, w, index, b, act, **geometry),
        lambda x, w, b: plain.conv2d(x, w, index, b, act, form),
        rows,
        weight,
        torch.randn(POOLS, outputs) if bias else None,
    )


@pytest.mark.parametrize("streams", [1, 3])
def test_convolutions_are_torchs(compiler: Compiler, streams: int) -> None:
    same_conv2d(streams, (8, 8), (8, 8), (3, 3), "relu", bias=True, padding=(1, 1))
    assert explain()["convolution 3 x 3, 8 x 8 x 8 to 8, float32"].startswith("C++, ")


@pytest.mark.parametrize(
    ("channels", "map_", "kernel", "geometry"),
    [
        ((3, 5), (7, 5), (3, 3), {"padding": (1, 1)}),
        ((2, 3), (9, 9), (3, 3), {"padding": (1, 1), "stride": (2, 2)}),
        ((2, 5), (6, 8), (4, 4), {"padding": (1, 2, 1, 2)}),
        ((2, 1), (12, 1), (3, 1), {"padding": (1, 0)}),
        ((1, 2), (8, 9), (3, 2), {"padding": (4, 4), "dilation": (2, 3), "stride": (3, 2)}),
        ((2, 2), (4, 4), (2, 2), {"padding": (2, 2)}),
        ((2, 3), (4, 3), (4, 3), {}),
        ((2, 4), (20, 24), (3, 3), {"padding": (1, 1)}),
    ],
    ids=["odd", "strides", "one side", "one dimension", "dilation", "wide border", "whole map", "large"],
)
def test_convolutions_of_all_geometries(channels: Any, map_: Any, kernel: Any, geometry: Any) -> None:
    same_conv2d(2, channels, map_, kernel, bias=True, **geometry)


def test_convolutions_with_weights_half_as_wide() -> None:
    same_conv2d(2, (3, 2), (5, 5), (3, 3), "tanh", dtype=torch.bfloat16, padding=(1, 1))


@pytest.mark.slow
@settings(max_examples=15)
@given(
    streams=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 7), st.integers(1, 9)),
    map_=st.tuples(st.integers(5, 18), st.integers(5, 18)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    act=st.sampled_from(ACTS),
    bias=st.booleans(),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_all_convolutions_are_torchs(**sizes: Any) -> None:
    same_conv2d(**sizes)


# What may be given


def test_weights_may_be_views_of_a_larger_storage() -> None:
    storage = torch.randn(POOLS, 6, 3 * 8)
    weight = storage.unflatten(2, (3, 8)).transpose(1, 2)[:, :2]
    rows, index = torch.randn(8, ROWS, 2).permute(1, 2, 0), torch.randint(ROWS, (POOLS, 2))
    assert not weight.is_contiguous()
    close(gathered_linear(rows, weight, index), plain.linear(rows, weight, index, None, "id"))


def test_results_are_written_where_one_wants_them() -> None:
    rows, weight, index = torch.randn(ROWS, 2, 8), torch.randn(POOLS, 1, 3, 8), torch.randint(ROWS, (POOLS, 1))
    out = torch.empty(POOLS, 2, 3)
    assert gathered_linear(rows, weight, index, out=out) is out
    close(out, plain.linear(rows, weight, index, None, "id"))
    maps, kernels, sent = (
        torch.randn(ROWS, 2, 1, 4, 4),
        torch.randn(POOLS, 1, 3, 1, 4, 4),
        torch.empty(POOLS, 2, 3, 1, 1),
    )
    assert gathered_conv2d(maps, kernels, index, out=sent) is sent
    close(sent, plain.conv2d(maps, kernels, index, None, "id", Geometry()))


@pytest.mark.parametrize("outputs", [3, 5, 9])
def test_nothing_is_written_beyond_the_result(outputs: int) -> None:
    rows, weight, index = torch.randn(ROWS, 1, 9), torch.randn(1, 2, outputs, 9), torch.randint(ROWS, (1, 2))
    around = torch.full((3, 1, outputs), 7.0)
    gathered_linear(rows, weight, index, out=around[1:2])
    assert (around[::2] == 7).all()
    close(around[1:2], plain.linear(rows, weight, index, None, "id"))


def drawn(*sizes: int) -> Tensor:
    return torch.randn(sizes, dtype=torch.float64, requires_grad=True)


def test_double_precision_is_left_to_torch_with_exact_gradients() -> None:
    index = torch.tensor([[0, 2], [2, 2]])
    rows, weight, bias = (drawn(*sizes) for sizes in ((3, 2, 4), (2, 2, 3, 4), (2, 3)))
    assert torch.autograd.gradcheck(lambda x, w, b: gathered_linear(x, w, index, b, "tanh"), (rows, weight, bias))
    maps, kernels = drawn(3, 1, 1, 3, 3), drawn(2, 2, 1, 1, 2, 2)
    assert torch.autograd.gradcheck(
        lambda x, w: gathered_conv2d(x, w, index, None, "sigmoid", padding=(1, 0)), (maps, kernels)
    )


def test_gradients_have_gradients() -> None:
    index = torch.tensor([[0, 2], [2, 2]])
    rows, weight = torch.randn(3, 2, 16, requires_grad=True), torch.randn(2, 2, 16, 16, requires_grad=True)

    def of(function: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(
            function(rows, weight, index, None, "tanh").sum(), [rows, weight], create_graph=True
        )
        return torch.autograd.grad(sum(each.square().sum() for each in first), [rows, weight])

    for ours, theirs in zip(of(gathered_linear), of(plain.linear), strict=True):
        close(ours, theirs)


def test_only_what_needs_a_gradient_gets_one() -> None:
    rows, index = torch.randn(ROWS, 2, 16), torch.randint(ROWS, (POOLS, 4))
    weight, bias = torch.randn(POOLS, 4, 16, 16), torch.randn(POOLS, 16, requires_grad=True)
    gathered_linear(rows, weight, index, bias, "relu").sum().backward()
    assert (rows.grad, weight.grad) == (None, None)
    assert bias.grad is not None


def test_transforms_of_torch_work() -> None:
    rows, weight, index = torch.randn(ROWS, 2, 16), torch.randn(POOLS, 4, 16, 16), torch.randint(ROWS, (POOLS, 4))
    ours = torch.func.grad(lambda w: gathered_linear(rows, w, index, None, "tanh").sum())(weight)
    close(ours, torch.func.grad(lambda w: plain.linear(rows, w, index, None, "tanh").sum())(weight))


def test_compiled_code_has_torchs_formula() -> None:
    rows, weight, index = torch.randn(ROWS, 2, 16), torch.randn(POOLS, 4, 16, 16), torch.randint(ROWS, (POOLS, 4))
    compiled = torch.compile(gathered_linear, backend="eager", fullgraph=True)
    close(compiled(rows, weight, index), gathered_linear(rows, weight, index))


def test_a_row_that_is_not_a_number_stays_so() -> None:
    rows, weight, index = (
        torch.full((1, 1, 16), torch.nan),
        torch.ones(1, 4, 16, 16),
        torch.zeros(1, 4, dtype=torch.int64),
    )
    assert gathered_linear(rows, weight, index, torch.zeros(1, 16), "relu").isnan().all()


def test_threads_change_nothing() -> None:
    rows, weight, index = torch.randn(40, 1, 16), torch.randn(64, 4, 16, 16), torch.randint(40, (64, 4))
    alone, threads = gathered_linear(rows, weight, index), torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(gathered_linear(rows, weight, index), alone)
    finally:
        torch.set_num_threads(threads)


# What may not


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"act": "gelu"}, "act: must be one of id, relu, tanh, sigmoid (got 'gelu')"),
        ({"index": torch.tensor([[0, 3]])}, "index: must hold numbers of the 3 rows, 0 to 2 (got 3)"),
        ({"index": torch.tensor([[-1, 0]])}, "index: must hold row numbers of at least 0 (got -1)"),
        ({"index": torch.tensor([[0.0, 1.0]])}, "index: must be int64 (got 'torch.float32')"),
        (
            {"out": torch.empty(1, 1, 3)},
            "out: must be contiguous, torch.float32, of the shape [1, 1, 2] (got 'torch.float32 [1, 1, 3]')",
        ),
    ],
)
def test_wrong_requests_are_told(changed: dict[str, Any], message: str) -> None:
    given_ = {"rows": torch.ones(3, 1, 4), "weight": torch.ones(1, 2, 2, 4), "index": torch.tensor([[0, 2]])} | changed
    with pytest.raises(RequestError) as caught:
        gathered_linear(given_.pop("rows"), given_.pop("weight"), given_.pop("index"), **given_)
    assert str(caught.value) == message


def test_an_index_that_was_changed_is_looked_at_again() -> None:
    rows, weight, index = torch.ones(3, 1, 4), torch.ones(1, 2, 2, 4), torch.tensor([[0, 2]])
    gathered_linear(rows, weight, index)
    index[0, 0] = 9
    with pytest.raises(RequestError, match=r"index: must hold numbers of the 3 rows, 0 to 2 \(got 9\)"):
        gathered_linear(rows, weight, index)


def test_a_result_that_needs_a_gradient_is_not_written_elsewhere() -> None:
    weight = torch.ones(1, 2, 2, 4, requires_grad=True)
    with pytest.raises(RequestError, match=r"out: is written to only where no gradient is needed; use torch\.no_grad"):
        gathered_linear(torch.ones(3, 1, 4), weight, torch.tensor([[0, 2]]), out=torch.empty(1, 1, 2))


def test_a_kernel_larger_than_its_map_is_told() -> None:
    with pytest.raises(ShapeError) as caught:
        gathered_conv2d(torch.ones(1, 1, 1, 2, 2), torch.ones(1, 1, 1, 1, 3, 3), torch.zeros(1, 1, dtype=torch.int64))
    assert str(caught.value) == "weight: a kernel [3, 3] must fit into the padded map (got [2, 2])"


def test_kernels_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choosing.SWITCH, "torch")
    rows, weight, index = torch.randn(2, 1, 17), torch.randn(1, 1, 17, 17), torch.zeros(1, 1, dtype=torch.int64)
    close(gathered_linear(rows, weight, index), plain.linear(rows, weight, index, None, "id"))
    assert explain()["linear, 17 to 17, float32"] == "torch: RILLNET_KERNELS is torch"
