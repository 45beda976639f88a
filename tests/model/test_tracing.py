"""Any PyTorch model as a net: what ran is what is shown, and it computes the same."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import rnn

from rillnet.errors import RequestError
from rillnet.model.layers.function import Constant, Function
from rillnet.model.net import Net
from rillnet.model.observed import tensors_in
from rillnet.model.shapes import Signature
from rillnet.model.tracing import trace


def edges(net: Net) -> list[str]:
    return [f"{name} <- {', '.join(map(str, block.sources))}".strip() for name, block in net.blocks.items()]


def returned(model: nn.Module, example: tuple[Any, ...]) -> list[Tensor]:
    torch.manual_seed(0)
    return [tensor for _, tensor in tensors_in(model(*example))]


def sent(net: Net, example: tuple[Any, ...]) -> list[Tensor]:
    torch.manual_seed(0)
    return [tensor for _, tensor in tensors_in(net.sent(net(*(tensor for _, tensor in tensors_in(example)))))]


def gradients(model: nn.Module, outputs: list[Tensor]) -> dict[str, Tensor | None]:
    model.zero_grad()
    sum(tensor.float().square().sum() for tensor in outputs if tensor.requires_grad).backward()  # type: ignore[union-attr]
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def traced(model: nn.Module, *example: Any, others: tuple[Any, ...] | None = None) -> Net:
    """The net of a model, after checking that it computes the same and has the same gradients."""
    net = Net.from_module(model, *example)
    for inputs in filter(None, (example, others)):
        expected, found = returned(model, inputs), sent(net, inputs)
        assert len(expected) == len(found)
        assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
    if any(tensor.requires_grad for tensor in returned(model, example)):
        expected_gradients = gradients(model, returned(model, example))
        found_gradients = gradients(model, sent(net, example))
        for name, gradient in expected_gradients.items():
            assert (gradient is None) == (found_gradients[name] is None), name
            if gradient is not None:
                torch.testing.assert_close(found_gradients[name], gradient)
    first = returned(model, example)[0]
    assert torch.equal(sent(copy.deepcopy(net), example)[0], first)
    return net


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(36, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.features(x)), 2)
        x = self.drop(x.view(x.size(0), -1))
        return functional.log_softmax(self.fc(x), dim=1)


@pytest.mark.parametrize("training", [True, False])
def test_a_convolutional_net(training: bool) -> None:
    model = Convolutional().train(training)

    net = traced(model, torch.randn(2, 1, 8, 8), others=(torch.randn(5, 1, 8, 8),))

    assert edges(net) == [
        "features_0 <- x",
        "features_1 <- features_0",
        "relu <- features_1",
        "max_pool2d <- relu",
        "view <- max_pool2d",
        "drop <- view",
        "fc <- drop",
        "log_softmax <- fc",
    ]
    assert net["features_0"] is model.features[0]
    assert net.infer_shapes()["view"] == Signature((36,))
    assert net.training is training
    assert net.phase == ("train" if training else "val")


def test_tracing_changes_nothing() -> None:
    model = Convolutional()
    before = copy.deepcopy(model.state_dict())
    buffers = list(model.buffers())
    state = torch.get_rng_state()

    net = Net.from_module(model, torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)))

    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(now is then for now, then in zip(model.buffers(), buffers, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.autograd.Function.apply.__module__ == "torch.autograd.function"
    assert not net.seed_given


class Residual(nn.Module):
    """Skips, an in-place activation, a parameter and a buffer outside layers, a view that is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)) for _ in range(2))
        self.drop = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.rand(4))
        self.register_buffer("offset", torch.rand(4))
        self.unregistered = torch.rand(4)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Any]]:
        for layer in self.layers:
            kept = self.drop(x)
            x = kept + layer(x) * self.scale
        x += self.offset
        x[:, 0] = 0
        return x.T.T + self.unregistered, {"mean": x.mean(), "rest": [3, x.sum(0), None]}


@pytest.mark.parametrize("training", [True, False])
def test_a_residual_net(training: bool) -> None:
    model = Residual().train(training)

    net = traced(model, torch.randn(3, 4), others=(torch.randn(5, 4),))

    assert edges(net)[:5] == [
        "drop <- x",
        "layers_0_0 <- x",
        "layers_0_1 <- layers_0_0",
        "scale <-",
        "mul <- layers_0_1, scale",
    ]
    assert net["scale"].value is model.scale
    assert net.parameters_by_address("scale/*") == {"net/scale/value": model.scale}
    assert "net/offset/value" in net.state_by_address()
    assert "net/constant/value" not in net.state_by_address()
    assert [str(source) for source in net.output_sources] == ["add_4", "mean", "sum"]


def test_a_layer_that_does_nothing_now_is_no_shortcut_later() -> None:
    """In evaluation dropout returns its input itself; the skip must not run through it in training."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.drop(x)

    model = Model().eval()
    net = traced(model, torch.ones(4, 3))

    assert edges(net) == ["drop <- x", "add <- x, drop"]
    net.train()
    torch.manual_seed(1)
    assert {1.0, 3.0} == set(net(torch.ones(40, 3))["add"].flatten().tolist())


@pytest.mark.parametrize("training", [True, False])
def test_a_transformer_layer(training: bool) -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).train(training)

    net = traced(model, torch.randn(3, 5, 8), others=(torch.randn(2, 7, 8),))

    assert edges(net) == [
        "self_attn <- src",
        "dropout1 <- self_attn[0]",
        "add <- src, dropout1",
        "norm1 <- add",
        "linear1 <- norm1",
        "relu <- linear1",
        "dropout <- relu",
        "linear2 <- dropout",
        "dropout2 <- linear2",
        "add_2 <- norm1, dropout2",
        "norm2 <- add_2",
    ]
    assert net["self_attn"].function is model.self_attn


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.lstm = nn.LSTM(4, 3, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, words: Tensor) -> Tensor:
        _, (hidden, cell) = self.lstm(self.embed(words))
        return self.fc(torch.cat([hidden[-1], cell.squeeze(0)], 1))  # type: ignore[no-any-return]


def test_an_lstm_with_nested_outputs() -> None:
    net = traced(Classifier(), torch.randint(10, (3, 5)), others=(torch.randint(10, (4, 7)),))

    assert edges(net) == [
        "embed <- words",
        "lstm <- embed",
        "lstm_1_0 <- lstm[1]",
        "getitem <- lstm_1_0",
        "lstm_1_1 <- lstm[1]",
        "squeeze <- lstm_1_1",
        "cat <- getitem, squeeze",
        "fc <- cat",
    ]


def test_packed_sequences() -> None:
    class Packed(Classifier):
        def forward(self, words: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
            packed = rnn.pack_padded_sequence(self.embed(words), lengths, batch_first=True, enforce_sorted=False)
            padded, _ = rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            return padded.sum(1)

    net = traced(Packed(), torch.randint(10, (3, 5)), torch.tensor([3, 5, 2]))

    assert list(net.inputs) == ["words", "lengths"]


class Choosing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return self.up(x)  # type: ignore[no-any-return]
        return self.down(x) * 2  # type: ignore[no-any-return]


@pytest.mark.parametrize(("sign", "blocks"), [(1, ["sum", "gt", "up"]), (-1, ["sum", "gt", "down", "mul"])])
def test_of_control_flow_the_path_that_ran(sign: int, blocks: list[str]) -> None:
    assert list(traced(Choosing(), sign * torch.ones(4, 3)).blocks) == blocks


def test_a_layer_that_is_called_again_is_the_same_module() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return functional.linear(self.fc(torch.tanh(self.fc(x))), self.fc.weight)

    model = Model()
    net = traced(model, torch.ones(4, 3))

    assert edges(net) == ["fc <- x", "tanh <- fc", "fc_2 <- tanh", "fc_weight <-", "linear <- fc_2, fc_weight"]
    assert net["fc"] is net["fc_2"] is model.fc
    assert list(net.parameters_by_address()) == ["net/fc/weight", "net/fc/bias"]


def test_functions_with_several_outputs() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> tuple[Any, ...]:
            left, right = x.chunk(2, dim=1)
            best = x.max(dim=1)
            first, *_ = right
            return left * right, best.values, best.indices, first

    net = traced(Model(), torch.randn(4, 6))

    assert edges(net) == ["chunk <- x", "max <- x", "unbind <- chunk[1]", "mul <- chunk[0], chunk[1]"]
    assert [str(source) for source in net.output_sources] == ["mul", "max[0]", "max[1]", "unbind[0]"]


class Attention(nn.Module):
    """Written out as users do, with sizes of its input in many places."""

    def __init__(self, width: int = 8, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.places = nn.Embedding(16, width)
        self.project = nn.Linear(width, 3 * width)
        self.register_buffer("mask", torch.tril(torch.ones(16, 16))[None, None])

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.size()
        x = x + self.places(torch.arange(t))
        query, key, value = (
            part.view(n, t, self.heads, c // self.heads).transpose(1, 2) for part in self.project(x).split(c, dim=2)
        )
        scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        return (scores.softmax(-1) @ value).transpose(1, 2).contiguous().view(n, t, c)


def test_sizes_are_followed_so_that_batches_and_lengths_may_differ() -> None:
    net = traced(Attention(), torch.randn(2, 5, 8), others=(torch.randn(3, 9, 8),))

    assert "arange <- x" in edges(net)
    assert "getitem <- mask, x" in edges(net)


def test_gradients_that_are_switched_off_stay_off() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.frozen = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                target = self.frozen(x) * 2
            return self.fc(x) - target  # type: ignore[no-any-return]

    net = traced(Model(), torch.randn(2, 3))

    assert isinstance(net["frozen"], Function)
    assert not net(torch.randn(2, 3))["mul"].requires_grad


def test_mixed_precision_inside_a_model_is_kept() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.fc(x)  # type: ignore[no-any-return]

    net = traced(Model(), torch.randn(2, 3))

    assert net(torch.randn(2, 3))["fc"].dtype == torch.bfloat16


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


rounded = Rounded.apply


class Quantised(nn.Module):
    def __init__(self, is_seen: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.is_seen = is_seen

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return 2 * (Rounded.apply(x) if self.is_seen else rounded(x))  # type: ignore[no-untyped-call,operator]


def test_an_autograd_function_keeps_its_own_backward() -> None:
    assert edges(traced(Quantised(is_seen=True), torch.randn(4, 3))) == ["fc <- x", "Rounded <- fc", "mul <- Rounded"]


def test_an_autograd_function_that_is_not_seen_is_told() -> None:
    with pytest.raises(RequestError) as caught:
        Net.from_module(Quantised(is_seen=False), torch.randn(4, 3))

    assert str(caught.value) == (
        "net/round: Rounded.apply is called by another name and is not seen; write Rounded.apply(...)"
    )
    assert torch.autograd.Function.apply.__module__ == "torch.autograd.function"


def test_what_is_computed_out_of_sight_is_told() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Sequential(nn.Linear(3, 3))

        def forward(self, x: Tensor) -> Tensor:
            x = self.part(x)
            with torch._C.DisableTorchFunction():
                hidden = x * 2
            return hidden + 1

    with pytest.raises(RequestError) as caught:
        Net.from_module(Model(), torch.randn(4, 3))

    assert str(caught.value) == (
        "net: computes a tensor in a way that cannot be seen: neither by a function of torch's nor in a layer"
    )


def test_inputs_in_groups_and_arguments_that_are_no_tensors() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor, state: tuple[Tensor, Tensor], scale: float, flag: bool = True) -> Tensor:
            return (x + state[0] * state[1]) * scale if flag else x

    net = Net.from_module(Model(), torch.ones(2, 3), (torch.ones(2, 3), torch.ones(2, 3)), 5.0)

    assert list(net.inputs) == ["x", "state_0", "state_1"]
    assert net(torch.ones(2, 3), torch.ones(2, 3), 2 * torch.ones(2, 3))["mul_2"].eq(15).all()


def test_mappings_of_any_kind_may_be_returned() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
            return OrderedDict(double=2 * x, same=x)

    net = traced(Model(), torch.ones(2, 3))

    assert [str(source) for source in net.output_sources] == ["mul", "x"]


def test_a_layer_of_ones_own_without_layers_inside_is_one_block() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(3))

        def forward(self, x: Tensor, *, power: int = 1) -> dict[str, Tensor]:
            return {"y": x * self.weight**power}

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = Scale()

        def forward(self, x: Tensor) -> Tensor:
            return self.scale(x)["y"] + self.scale(x, power=2)["y"]  # type: ignore[no-any-return]

    net = traced(Model(), torch.ones(2, 3))

    assert edges(net) == [
        "scale <- x",
        "scale_2 <- x",
        "scale_y <- scale",
        "scale_2_y <- scale_2",
        "add <- scale_y, scale_2_y",
    ]


@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        (nn.Linear(3, 2), ["linear"]),
        (nn.Sequential(nn.Linear(3, 2), nn.Tanh()), ["0", "1"]),
        (nn.Sequential(nn.Sequential(nn.Tanh()), nn.Tanh()), ["0_0", "1"]),
    ],
)
def test_names_follow_the_paths_of_layers(model: nn.Module, blocks: list[str]) -> None:
    assert list(traced(model, torch.randn(4, 3)).blocks) == blocks


def test_a_traced_net_goes_on_as_any_net() -> None:
    net = traced(Classifier(), torch.randint(10, (3, 5)))

    net.add("label_scores", nn.Softmax(dim=1))

    assert net(torch.randint(10, (4, 5)))["label_scores"].sum(1).allclose(torch.ones(4))
    assert net.run(until="lstm", given={"words": torch.randint(10, (2, 5))}).shape == (2, 5, 3)


def test_a_model_must_return_a_tensor() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> float:
            return x.sum().item()

    with pytest.raises(RequestError) as caught:
        trace(Net, Model(), (torch.ones(2),))

    assert str(caught.value) == "the model must return a tensor (got 2.0)"


def test_a_models_own_error_is_not_changed_and_leaves_nothing_behind() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            raise ZeroDivisionError(self.fc(x).shape)

    model = Model()
    with pytest.raises(ZeroDivisionError):
        Net.from_module(model, torch.ones(2, 3))

    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert torch.autograd.Function.apply.__module__ == "torch.autograd.function"


def test_a_compiled_model_is_seen_through() -> None:
    model = torch.compile(nn.Sequential(nn.Linear(3, 2)), backend="eager")

    assert list(Net.from_module(model, torch.ones(1, 3)).blocks) == ["0"]  # type: ignore[arg-type]


def test_constants_are_blocks_without_sources() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.zeros(3) + torch.tensor([1.0, 2.0, 3.0])

    net = traced(Model(), torch.ones(2, 3))

    assert edges(net) == ["zeros <-", "add <- x, zeros", "tensor <-", "add_2 <- add, tensor"]
    assert not any(isinstance(module, Constant) for _, module in net.leaves())
