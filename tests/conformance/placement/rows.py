"""The layers that a net of the library uses, each in a small net, and the ways in which each can be split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from tests.runtime.placement.training import Case

IMAGE, LINE, VOLUME, FLAT, SEQUENCE, WORDS = (2, 12, 6), (2, 12), (2, 10, 4, 4), (6,), (5, 6), (5,)


class Doubled(nn.Module):
    """A block of one's own that says that it computes each example alone."""

    per_example = True

    def __init__(self, features: int = 6) -> None:
        super().__init__()
        self.scale = nn.Parameter(nn.init.uniform_(nn.Parameter(Tensor(features))))

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x * self.scale


class Centred(nn.Module):
    """A block of one's own that looks at the whole batch, and says nothing of it."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


@dataclass(frozen=True)
class Row:
    """A layer in a net: what it reads has parameters before it, and a loss stands behind it.

    Args:
        shape: of the input, for one example.
        block: what is tried; a list of blocks where it is several.
        kinds: the ways in which it can be split: batch, feature, space.
        more: more of the case.
    """

    shape: tuple[int, ...]
    block: Any
    kinds: str = "bfs"
    more: dict[str, Any] = field(default_factory=dict)

    def case(self, rollout: str = "sequential", *, bias: bool = True, **more: Any) -> Case:
        """The net in training.

        Args:
            rollout: a named policy.
            bias: of the layer before what is tried.
            more: more of the case.
        """
        document = {"inputs": self._inputs(), "blocks": self._blocks(bias)}
        return Case(document, rollout=rollout, **{**self.more, **more})

    def _inputs(self) -> dict[str, Any]:
        x = {"shape": list(self.shape), "dtype": "int64"} if self.shape == WORDS else list(self.shape)
        return {"x": x, "label": {"dtype": "int64"}}

    def _blocks(self, bias: bool) -> dict[str, Any]:
        convolutions = {2: "Conv1d", 3: "Conv2d", 4: "Conv3d"}
        before: Any = {"type": "Linear", "from": "x", "out_features": 8, "bias": bias}
        if self.shape in (IMAGE, LINE, VOLUME):
            before = {"type": convolutions[len(self.shape)], "from": "x", "out_channels": 8, "kernel_size": 1}
            before["bias"] = bias
        tried = self.block if isinstance(self.block, list) else [self.block]
        blocks = {} if self.shape == WORDS else {"before": before}
        for number, block in enumerate(tried):
            said = {"type": block} if isinstance(block, str) else dict(block)
            if self.shape == WORDS and not number:
                said |= {"from": "x"}
            blocks[f"b{number}"] = said
        head = {"flat": "Flatten", "head": {"type": "Linear", "out_features": 5}}
        return {**blocks, **head, "loss": {"type": "CrossEntropy", "from": ["head", "label"]}}


def conv(rank: int = 2, **arguments: Any) -> dict[str, Any]:
    return {"type": f"Conv{rank}d", "out_channels": 8, "kernel_size": 3, **arguments}


def pool(kind: str, **arguments: Any) -> dict[str, Any]:
    return {"type": kind, **arguments}


EACH_NUMBER = (
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid", "Tanh"),
    *("Softplus", "Softsign", "Softshrink", "Hardtanh", "Hardsigmoid", "Hardswish", "Hardshrink", "Tanhshrink"),
    *("Square", "NegativeSquare", "Gaussian", "ErrorFunction", "SoftRound", "Sign", "Identity", "PReLU"),
)

ROWS: dict[str, Row] = {
    "Conv1d": Row(LINE, conv(1, padding=1)),
    "Conv1d dilated": Row(LINE, conv(1, dilation=2, padding=2, stride=2)),
    "Conv2d": Row(IMAGE, conv()),
    "Conv2d even, same": Row(IMAGE, conv(kernel_size=4, padding="same")),
    "Conv2d even, strided": Row(IMAGE, conv(kernel_size=2, stride=2, bias=False)),
    "Conv2d wide": Row(IMAGE, conv(kernel_size=[7, 3], padding=[3, 1])),
    "Conv2d padded far": Row(IMAGE, conv(kernel_size=1, padding=2)),
    "Conv2d strided, dilated": Row(IMAGE, conv(kernel_size=[3, 2], stride=[2, 3], dilation=[2, 1], padding=[1, 0])),
    "Conv2d valid": Row(IMAGE, conv(padding="valid")),
    "Conv2d in groups": Row(IMAGE, conv(groups=4, padding=1)),
    "Conv2d depthwise": Row(IMAGE, conv(out_channels=16, groups=8, padding=1)),
    "Conv2d circular": Row(IMAGE, conv(padding=1, padding_mode="circular"), "bf"),
    "Conv2d circular in groups": Row(IMAGE, conv(padding=1, padding_mode="circular", groups=4), "bf"),
    "Conv3d": Row(VOLUME, conv(3, padding=1, stride=[2, 1, 1])),
    "ConvTranspose1d": Row(LINE, {"type": "ConvTranspose1d", "out_channels": 8, "kernel_size": 3, "stride": 2}),
    "ConvTranspose2d": Row(
        IMAGE,
        {
            "type": "ConvTranspose2d",
            "out_channels": 8,
            "kernel_size": 3,
            "stride": 2,
            "padding": 1,
            "output_padding": 1,
        },
    ),
    "ConvTranspose2d in groups": Row(
        IMAGE, {"type": "ConvTranspose2d", "out_channels": 8, "kernel_size": 2, "groups": 4, "dilation": 2}
    ),
    "MaxPool1d": Row(LINE, pool("MaxPool1d", kernel_size=3, stride=2, padding=1)),
    "MaxPool2d": Row(IMAGE, pool("MaxPool2d", kernel_size=2)),
    "MaxPool2d overlapping": Row(IMAGE, pool("MaxPool2d", kernel_size=3, stride=1, padding=1, dilation=1)),
    "MaxPool2d ceil": Row(IMAGE, pool("MaxPool2d", kernel_size=3, stride=2, ceil_mode=True)),
    "MaxPool3d": Row(VOLUME, pool("MaxPool3d", kernel_size=2)),
    "AvgPool1d": Row(LINE, pool("AvgPool1d", kernel_size=3, stride=1, padding=1)),
    "AvgPool2d": Row(IMAGE, pool("AvgPool2d", kernel_size=3, stride=2, padding=1)),
    "AvgPool2d ceil": Row(IMAGE, pool("AvgPool2d", kernel_size=3, stride=2, padding=1, ceil_mode=True)),
    "AvgPool2d inside": Row(
        IMAGE, pool("AvgPool2d", kernel_size=3, stride=1, padding=1, count_include_pad=False, ceil_mode=True)
    ),
    "AvgPool2d divided": Row(IMAGE, pool("AvgPool2d", kernel_size=3, stride=2, divisor_override=5)),
    "AvgPool3d": Row(VOLUME, pool("AvgPool3d", kernel_size=2, stride=[1, 2, 2])),
    "LPPool2d": Row(IMAGE, pool("LPPool2d", norm_type=2, kernel_size=2), "bf"),
    "AdaptiveAvgPool2d": Row(IMAGE, pool("AdaptiveAvgPool2d", output_size=[4, 3])),
    "AdaptiveAvgPool2d uneven": Row(IMAGE, pool("AdaptiveAvgPool2d", output_size=[5, 4]), "bf"),
    "AdaptiveMaxPool1d": Row(LINE, pool("AdaptiveMaxPool1d", output_size=4)),
    "Upsample": Row(IMAGE, {"type": "Upsample", "scale_factor": 2}),
    "Upsample bilinear": Row(IMAGE, {"type": "Upsample", "scale_factor": 2, "mode": "bilinear"}, "bf"),
    "ZeroPad2d": Row(IMAGE, {"type": "ZeroPad2d", "padding": 2}, "bf"),
    "Linear": Row(FLAT, {"type": "Linear", "out_features": 7}, "bf"),
    "Linear, activated": Row(FLAT, [{"type": "Linear", "out_features": 7}, "Tanh", "Dropout"], "bf"),
    "Linear on a sequence": Row(SEQUENCE, [{"type": "Linear", "out_features": 7}, "Tanh"]),
    "Embedding": Row(WORDS, {"type": "Embedding", "num_embeddings": 5, "embedding_dim": 6}, "bf"),
    "BatchNorm1d": Row(FLAT, "BatchNorm1d", "bf"),
    "BatchNorm2d": Row(IMAGE, "BatchNorm2d"),
    "BatchNorm2d, bare": Row(IMAGE, {"type": "BatchNorm2d", "affine": False}),
    "BatchNorm3d, not tracked": Row(VOLUME, {"type": "BatchNorm3d", "track_running_stats": False}),
    "LayerNorm": Row(FLAT, {"type": "LayerNorm", "normalized_shape": 8}, "bf"),
    "LayerNorm of images": Row(IMAGE, {"type": "LayerNorm", "normalized_shape": [12, 6]}),
    "LayerNorm on a sequence": Row(SEQUENCE, {"type": "LayerNorm", "normalized_shape": 8}),
    "RMSNorm": Row(FLAT, {"type": "RMSNorm", "normalized_shape": 8}, "bf"),
    "GroupNorm": Row(IMAGE, {"type": "GroupNorm", "num_groups": 4}, "bf"),
    "InstanceNorm2d": Row(IMAGE, {"type": "InstanceNorm2d", "affine": True}, "bf"),
    "InstanceNorm2d, tracked": Row(IMAGE, {"type": "InstanceNorm2d", "track_running_stats": True}, ""),
    "LocalResponseNorm": Row(IMAGE, {"type": "LocalResponseNorm", "size": 4, "alpha": 0.5}),
    **{name: Row(FLAT, name, "bf") for name in EACH_NUMBER},
    "PReLU of channels": Row(IMAGE, {"type": "PReLU", "num_parameters": 8}),
    "ReLU in place": Row(IMAGE, {"type": "ReLU", "inplace": True}),
    "Softmax": Row(FLAT, {"type": "Softmax", "dim": 1}, "bf"),
    "LogSoftmax of pixels": Row(IMAGE, [{"type": "LogSoftmax", "dim": 2}, "Sigmoid"]),
    "Softmax2d": Row(IMAGE, "Softmax2d"),
    "Softmax over the batch": Row(FLAT, {"type": "Softmax", "dim": 0}, "f"),
    "GLU": Row(FLAT, "GLU", "b"),
    "Dropout": Row(FLAT, "Dropout", "bf"),
    "Dropout2d": Row(IMAGE, {"type": "Dropout2d", "p": 0.4}),
    "AlphaDropout": Row(FLAT, {"type": "AlphaDropout", "p": 0.4}, "bf"),
    "FeatureAlphaDropout": Row(IMAGE, {"type": "FeatureAlphaDropout", "p": 0.4}),
    "RReLU": Row(FLAT, "RReLU", ""),
    "Noise": Row(FLAT, {"type": "Noise", "std": 0.1}, ""),
    "Flatten": Row(IMAGE, "Flatten", "bf"),
    "Concat": Row(IMAGE, {"type": "Concat", "from": ["before", "x"]}),
    "Concat of rows": Row(IMAGE, {"type": "Concat", "dim": 2, "from": ["before", "before"]}),
    "Concat of columns": Row(IMAGE, {"type": "Concat", "dim": -1, "from": ["before", "before", "before"]}),
    "Sum": Row(IMAGE, [conv(padding=1), {"type": "Sum", "from": ["b0", "before"]}]),
    "Product, broadcast": Row(
        IMAGE,
        [
            {"type": "AdaptiveAvgPool2d", "output_size": [12, 1]},
            {"type": "Product", "from": ["b0", "before"]},
        ],
    ),
    "SimpleRNN": Row(FLAT, {"type": "SimpleRNN", "hidden_size": 5}, "bf"),
    "RNNCell": Row(FLAT, {"type": "RNNCell", "hidden_size": 5, "nonlinearity": "relu"}, "bf"),
    "GRUCell": Row(FLAT, {"type": "GRUCell", "hidden_size": 5}, "bf"),
    "LSTMCell": Row(FLAT, {"type": "LSTMCell", "hidden_size": 5}, "bf"),
    "ConvLSTMCell": Row(IMAGE, {"type": "ConvLSTMCell", "hidden_channels": 5, "kernel_size": [4, 3]}),
    "RNN": Row(SEQUENCE, {"type": "RNN", "hidden_size": 5, "nonlinearity": "relu", "bias": False}, "bf"),
    "LSTM": Row(SEQUENCE, {"type": "LSTM", "hidden_size": 5, "num_layers": 2}, "bf"),
    "LSTM, both ways": Row(SEQUENCE, {"type": "LSTM", "hidden_size": 5, "bidirectional": True}, "b"),
    "GRU with its state": Row(SEQUENCE, {"type": "GRU", "hidden_size": 5, "from": ["before", "b0[1]@-1"]}, "bf"),
    "LSTM with its state": Row(SEQUENCE, {"type": "LSTM", "hidden_size": 5, "from": ["before", "b0[1]@-1"]}, "bf"),
    "Pool": Row(IMAGE, {"type": "Pool", "act": "tanh", "gain_shape": "full", "bias_shape": "spatial"}),
    "Pool, normalised": Row(IMAGE, {"type": "Pool", "layernorm_mean": "full", "layernorm_std": "spatial"}, "b"),
    "Pool, over the batch": Row(IMAGE, {"type": "Pool", "batchnorm_mean": "spatial"}, ""),
    "Pool, noisy": Row(IMAGE, {"type": "Pool", "noise": "normal", "zoneout": 0.2}, ""),
    "Synapse": Row(IMAGE, {"type": "Synapse", "shape": [6, 6, 6], "rf": 3}, "bf"),
    "Synapse of factors": Row(
        IMAGE,
        {
            "type": "Synapse",
            "from": ["before", "x", "before"],
            "shape": [5, 6, 3],
            "factors": [2, 1],
            "act": ["sigmoid", "tanh"],
            "maxout": 2,
            "avgout": 3,
            "projection": 4,
            "factor_shapes": ["full", "feature"],
            "rf": [3, 3, 0],
        },
        "bf",
    ),
    "own, each example alone": Row(FLAT, {"type": "tests.conformance.placement.rows:Doubled", "features": 8}, "b"),
    "own, of the whole batch": Row(FLAT, {"type": "tests.conformance.placement.rows:Centred"}, ""),
    "a nested net": Row(
        FLAT,
        {
            "type": "Net",
            "blocks": {"fc": {"type": "Linear", "out_features": 8}, "act": "Tanh"},
        },
        "bf",
    ),
}

CANNOT: dict[str, str] = {
    "Conv2d circular": "rows at both ends would be neighbours",
    "Conv2d circular in groups": "rows at both ends would be neighbours",
    "LPPool2d": "its rows are rarely worth it; channels are split instead",
    "AdaptiveAvgPool2d uneven": "windows of different heights",
    "Upsample bilinear": "a row depends on two, by where it lies in the whole",
    "ZeroPad2d": "its rows are rarely worth it; channels are split instead",
    "GroupNorm": "statistics of all rows",
    "InstanceNorm2d": "statistics of all rows",
    "InstanceNorm2d, tracked": "running statistics over the batch and over space",
    "Softmax over the batch": "looks along the batch",
    "GLU": "reads two ranges of features for each one",
    "RReLU": "draws for the whole tensor",
    "Noise": "draws for the whole tensor",
    "LSTM, both ways": "sends two ranges of features for some units",
    "Pool, normalised": "statistics of the whole example",
    "Pool, over the batch": "statistics of the whole batch",
    "Pool, noisy": "draws for the whole tensor",
    "Synapse": "pixels of source and target are not in step",
    "Synapse of factors": "pixels of source and target are not in step",
    "own, each example alone": "nothing more is known of it",
    "own, of the whole batch": "nothing is known of it",
}
