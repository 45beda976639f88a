"""What blocks send, told without running them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.model.shapes import Output, Signature, infer, pick, shape_error, written
from rillnet.spec import InputSpec

IMAGE = Signature((3, 8, 8))
LABEL = Signature((), torch.int64)


class Branch(nn.Module):
    """Control flow that reads values."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] if x.sum().item() > 0 else x[:, :2]


class Words(nn.Module):
    def forward(self, x: Tensor) -> str:
        return "no tensor"


def run(module: nn.Module, sources: list[Output], batch: int) -> Any:
    """What the module returns on real tensors, as shapes."""

    def tensors(output: Output) -> Any:
        return tuple(map(tensors, output)) if isinstance(output, tuple) else output.zeros(batch)

    def shapes(value: Any) -> Any:
        return tuple(map(shapes, value)) if isinstance(value, tuple) else tuple(value.shape)

    with torch.no_grad():
        return shapes(module(*map(tensors, sources)))


def of_batch(output: Output, batch: int) -> Any:
    return tuple(of_batch(o, batch) for o in output) if isinstance(output, tuple) else output.of_batch(batch)


SEQUENCE = Signature((7, 4))
CASES = [
    (nn.Conv2d(3, 5, 3, stride=2), [IMAGE]),
    (nn.Flatten(), [IMAGE]),
    (nn.BatchNorm2d(3), [IMAGE]),
    (nn.BatchNorm2d(3, momentum=None), [IMAGE]),
    (nn.MaxPool2d(2, return_indices=True), [IMAGE]),
    (nn.Embedding(9, 2), [LABEL]),
    (nn.Bilinear(2, 3, 4), [Signature((2,)), Signature((3,))]),
    (nn.LSTM(4, 5, batch_first=True), [SEQUENCE]),
    (nn.GRU(4, 5, num_layers=2, bidirectional=True, batch_first=True), [SEQUENCE]),
    (nn.MultiheadAttention(4, 2, batch_first=True), [SEQUENCE] * 3),
    (nn.CrossEntropyLoss(), [Signature((4,)), LABEL]),
]


@pytest.mark.parametrize(("module", "sources"), CASES, ids=lambda case: type(case).__name__)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shapes_are_those_of_a_run_with_any_batch(module: nn.Module, sources: list[Output], device: str) -> None:
    output = infer(module.to(device) if device == "cpu" else described(module), sources)

    for batch in (2, 5):
        assert of_batch(output, batch) == run(module, sources, batch)


def described(module: nn.Module) -> nn.Module:
    with torch.device("meta"):
        return type(module)(**arguments_of(module))


def arguments_of(module: nn.Module) -> dict[str, Any]:
    kept = {
        nn.Conv2d: ("in_channels", "out_channels", "kernel_size", "stride"),
        nn.BatchNorm2d: ("num_features",),
        nn.MaxPool2d: ("kernel_size", "return_indices"),
        nn.Embedding: ("num_embeddings", "embedding_dim"),
        nn.Bilinear: ("in1_features", "in2_features", "out_features"),
        nn.LSTM: ("input_size", "hidden_size", "batch_first"),
        nn.GRU: ("input_size", "hidden_size", "num_layers", "bidirectional", "batch_first"),
        nn.MultiheadAttention: ("embed_dim", "num_heads", "batch_first"),
    }
    return {name: getattr(module, name) for name in kept.get(type(module), ())}


def test_nothing_is_changed_by_telling_the_shape() -> None:
    norm = nn.BatchNorm2d(3)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    state = torch.get_rng_state()

    infer(nn.Sequential(norm, nn.Dropout()), [IMAGE])

    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_control_flow_that_reads_values_is_run_on_zeros() -> None:
    state = torch.get_rng_state()

    assert infer(Branch(), [Signature((4,))]) == Signature((2,))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_block_must_return_tensors() -> None:
    with pytest.raises(TypeError, match="a block must return tensors, not str"):
        infer(Words(), [IMAGE])


def test_torch_does_not_log_what_is_told_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(RuntimeError):
        infer(nn.Linear(5, 2), [Signature((4,))])

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not logging.getLogger("torch._subclasses.fake_tensor").disabled


@pytest.mark.parametrize(
    ("signature", "text", "sizes"),
    [
        (IMAGE, "[3, 8, 8]", (2, 3, 8, 8)),
        (LABEL, "[] int64", (2,)),
        (Signature((), batched=False), "[] for the whole batch", ()),
        (Signature((1, 5), batch_dim=1), "[1, 5] with the batch as dimension 1", (1, 2, 5)),
    ],
)
def test_a_signature_in_words_and_as_zeros(signature: Signature, text: str, sizes: tuple[int, ...]) -> None:
    assert str(signature) == text
    assert signature.zeros(2).shape == sizes
    assert signature.zeros(2).dtype == signature.dtype


def test_several_outputs_in_words() -> None:
    assert written((IMAGE, (LABEL, LABEL))) == "([3, 8, 8], ([] int64, [] int64))"


def test_the_signature_of_an_input() -> None:
    assert Signature.of_input(InputSpec(shape=(2,), dtype="uint8")) == Signature((2,), torch.uint8)


@pytest.mark.parametrize(
    ("output", "index", "expected"),
    [("x", None, "x"), ("x", 0, "x"), (("x", "y"), 1, "y"), ((("x",), "y"), None, "x"), ((("x",), "y"), 0, ("x",))],
)
def test_picking_an_output(output: Any, index: int | None, expected: Any) -> None:
    assert pick(output, index) == expected


def test_picking_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        pick("x", 1)


@pytest.mark.parametrize(
    ("sources", "error", "message"),
    [
        ([("a", IMAGE)], RuntimeError("bad size\nmore"), "net/c: Conv2d cannot work on a [3, 8, 8]: bad size"),
        ([], ValueError(), "net/c: Conv2d cannot work on nothing: ValueError"),
        ([("a[1]", (IMAGE, LABEL))], TypeError("t"), "net/c: Conv2d cannot work on a[1] ([3, 8, 8], [] int64): t"),
    ],
)
def test_shape_errors_name_the_block_and_its_sources(
    sources: list[tuple[str, Output]], error: Exception, message: str
) -> None:
    assert str(shape_error("net/c", "Conv2d", sources, error)) == message


@pytest.mark.parametrize(
    ("kind", "sources", "error", "end"),
    [
        (
            "Linear",
            [Signature((16, 4, 4))],
            "mat1 and mat2 shapes cannot be multiplied (3904x4 and 256x10)",
            "mat1 and mat2 shapes cannot be multiplied (N*64x4 and 256x10); "
            "a Flatten before it makes one row of what it reads",
        ),
        (
            "Conv2d",
            [IMAGE],
            "expected input[61, 3, 8, 8] to have 1 channels",
            "expected input[N, 3, 8, 8] to have 1 channels",
        ),
        (
            "CrossEntropy",
            [Signature((16, 4, 10)), LABEL],
            "expected 61",
            "expected N; a Flatten before the block that makes a gives one row of scores",
        ),
        (
            "Sum",
            [IMAGE],
            "Sum.forward() takes 2 positional arguments but 3 were given",
            "it takes 1 source, and `from` names 2",
        ),
        (
            "CrossEntropy",
            [Signature((10,))],
            "CrossEntropy.forward() missing 1 required positional argument: 'label_N'",
            "it needs label_N as well; name all in `from`",
        ),
    ],
)
def test_shape_errors_say_n_for_the_batch_and_what_is_probably_missing(
    kind: str, sources: list[Output], error: str, end: str
) -> None:
    named = list(zip("abc", sources, strict=False))
    read = ", ".join(f"{name} {written(output)}" for name, output in named)
    assert str(shape_error("net/x", kind, named, TypeError(error))) == f"net/x: {kind} cannot work on {read}: {end}"


def test_a_lazy_layer_takes_its_sizes_from_what_it_reads() -> None:
    layer = nn.LazyLinear(3)

    assert infer(layer, [Signature((4,))]) == Signature((3,))
    assert layer.weight.shape == (3, 4)
