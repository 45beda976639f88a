"""Block types: torch's and rillnet's by name, anybody's by import path."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from rillnet.errors import RequestError
from rillnet.model import layers
from rillnet.model.layers.merge import Sum
from rillnet.model.registry import block_types, check_block, construct, find_block_type, signature_arguments
from rillnet.model.shapes import Signature
from rillnet.spec import BlockSpec


def spec(kind: str, /, **arguments: Any) -> BlockSpec:
    return BlockSpec(type=kind, arguments=arguments)


def faults(kind: str, /, **arguments: Any) -> list[str]:
    return [str(fault) for fault in check_block(spec(kind, **arguments), "net/x")]


def test_types_are_torchs_layers_and_our_own() -> None:
    types = block_types()

    assert types["Conv2d"] is nn.Conv2d
    assert types["Sum"] is Sum
    assert {"Accuracy", "Concat", "CrossEntropy", "LSTM", "Flatten"} <= set(types)
    assert not {"Module", "Sequential", "Metric", "LazyLinear", "Parameter"} & set(types)


def test_every_layer_of_ours_has_a_name() -> None:
    assert {name for name in layers.__all__ if name != "Metric"} <= set(block_types())


@pytest.mark.parametrize(
    ("name", "trust", "message"),
    [
        ("Conv2D", True, "unknown block type (got 'Conv2D'); did you mean 'Conv2d'?"),
        ("Nett", True, "unknown block type (got 'Nett'); did you mean 'Net'?"),
        (
            "torch.nn:Tanh",
            False,
            "runs code of yours; pass --trust, or trust=True in Python, if you mean it (got 'torch.nn:Tanh')",
        ),
        ("torch.none:Tanh", True, "cannot import 'torch.none': No module named 'torch.none'"),
        ("torch.nn:Tahn", True, "module 'torch.nn' has no 'Tahn'; did you mean 'Tanh'?"),
        ("math:pi", True, "must name a class or function that makes a module (got 'math:pi')"),
    ],
)
def test_what_is_not_found_is_told(name: str, trust: bool, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        find_block_type(name, trust=trust)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("block", "sources", "name", "size"),
    [
        (spec("Conv2d", out_channels=2, kernel_size=1), [(5, 8, 8)], "in_channels", 5),
        (spec("Linear", out_features=2), [(7, 6)], "in_features", 6),
        (spec("BatchNorm2d"), [(5, 8, 8)], "num_features", 5),
        (spec("GroupNorm", num_groups=1), [(5, 8, 8)], "num_channels", 5),
        (spec("LayerNorm"), [(7, 6)], "normalized_shape", (6,)),
        (spec("LSTM", hidden_size=3), [(7, 6)], "input_size", 6),
        (spec("GRUCell", hidden_size=3), [(6,), (3,)], "input_size", 6),
        (spec("MultiheadAttention", num_heads=2), [(7, 6)], "embed_dim", 6),
        (spec("Bilinear", out_features=2), [(4,), (3,)], "in2_features", 3),
        (spec("Linear", out_features=2, in_features=9), [(7, 6)], "in_features", 9),
    ],
)
def test_sizes_that_follow_from_the_sources(
    block: BlockSpec, sources: list[tuple[int, ...]], name: str, size: Any
) -> None:
    module = construct(block, [Signature(shape) for shape in sources])

    assert getattr(module, name) == size


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_sequences_come_with_the_batch_first(kind: str) -> None:
    layer = construct(spec(kind, hidden_size=3), [Signature((7, 6))])
    other = construct(spec(kind, hidden_size=3, batch_first=False), [Signature((7, 6))])

    assert layer.batch_first
    assert not other.batch_first


def test_lists_are_given_as_tuples() -> None:
    assert construct(spec("Conv2d", out_channels=1, kernel_size=[3, 1]), [Signature((1, 5, 5))]).kernel_size == (3, 1)


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        ("Conv2d", {"out_channels": 8, "kernel_size": [3, 5], "padding": "same", "bias": False}, []),
        ("ReLU", {}, []),
        ("MaxPool2d", {"kernel_size": 2, "stride": None}, []),
        ("LPPool2d", {"norm_type": 2, "kernel_size": 2}, []),
        ("Linear", {}, ["net/x.out_features: is required"]),
        (
            "Linear",
            {"out_feature": 2},
            ["net/x.out_feature: unknown key; did you mean 'out_features'?", "net/x.out_features: is required"],
        ),
        ("Linear", {"out_features": 2, "device": "cpu"}, ["net/x.device: unknown key; 'run.device' says that"]),
        ("Linear", {"out_features": "many"}, ["net/x.out_features: must be a whole number (got 'many')"]),
        ("Linear", {"out_features": 0}, ["net/x.out_features: must be at least 1 (got 0)"]),
        ("Linear", {"out_features": 2, "bias": "no"}, ["net/x.bias: must be true or false (got 'no')"]),
        ("Conv2d", {"out_channels": 1, "kernel_size": 0}, ["net/x.kernel_size: must be at least 1 (got 0)"]),
        ("Conv2d", {"out_channels": 1, "kernel_size": [3, 0]}, ["net/x.kernel_size: must be at least 1 (got [3, 0])"]),
        (
            "Conv2d",
            {"out_channels": 1, "kernel_size": 1, "padding": -1},
            ["net/x.padding: must be at least 0 (got -1)"],
        ),
        (
            "Conv2d",
            {"out_channels": 1, "kernel_size": 1, "padding": "sam"},
            ["net/x.padding: must be a whole number or 'same' or 'valid' (got 'sam')"],
        ),
        ("Conv2d", {"out_channels": 1, "kernel_size": "3"}, ["net/x.kernel_size: must be a whole number (got '3')"]),
        ("GRU", {"hidden_size": 3, "dropout": 2}, ["net/x.dropout: must be at most 1 (got 2)"]),
        ("Dropout", {"p": 1.5}, ["net/x.p: must be at most 1 (got 1.5)"]),
        ("BatchNorm2d", {"eps": 0}, ["net/x.eps: must be more than 0 (got 0)"]),
        ("CrossEntropy", {"label_smoothing": 2.0}, ["net/x.label_smoothing: must be at most 1 (got 2.0)"]),
        ("LSTM", {}, ["net/x.hidden_size: is required"]),
        (
            "LSTM",
            {"hidden_size": 3, "hidden": 2},
            ["net/x.hidden: unknown key; did you mean 'hidden_size'?"],
        ),
        ("Tahn", {}, ["net/x.type: unknown block type (got 'Tahn'); did you mean 'Tanh'?"]),
    ],
)
def test_arguments_are_checked(kind: str, arguments: dict[str, Any], expected: list[str]) -> None:
    assert faults(kind, **arguments) == expected


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 4, 5, padding=2, bias=False),
        nn.Linear(3, 4),
        nn.LSTM(3, 4),
        nn.LSTM(3, 4, batch_first=True),
        nn.Dropout(0.25),
        nn.LayerNorm(3),
        nn.MaxPool2d(2),
        Sum(),
        layers.CrossEntropy(label_smoothing=0.1),
    ],
    ids=repr,
)
def test_a_layer_shows_how_to_build_one_like_it(module: nn.Module) -> None:
    record = signature_arguments(module)

    assert record is not None
    again = construct(record, [Signature((3, 8, 8))])
    assert repr(again) == repr(module)
    assert getattr(again, "batch_first", None) == getattr(module, "batch_first", None)


def test_a_module_that_does_not_show_its_arguments_has_no_record() -> None:
    assert signature_arguments(nn.Sequential(nn.Tanh())) is None
    assert signature_arguments(nn.TransformerEncoderLayer(4, 2)) is None
