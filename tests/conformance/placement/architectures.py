"""Known architectures in small: a U-Net, a ResNet, AlexNet, layers of LSTM cells, and one large image."""

from __future__ import annotations

from typing import Any

from tests.runtime.placement.training import Document

Blocks = dict[str, Any]
CLASSES = 5
_LABEL = {"dtype": "int64"}


def _conv(out: int, kernel: int = 3, **more: Any) -> Blocks:
    return {"type": "Conv2d", "out_channels": out, "kernel_size": kernel, "padding": kernel // 2, **more}


def _twice(stage: str, out: int, source: Any) -> Blocks:
    """Two convolutions, each with what follows it, as a stage of a U-Net has them."""
    return {
        f"{stage}_a": _conv(out, **{"from": source}),
        f"{stage}_a_act": "ReLU",
        f"{stage}_b": _conv(out),
        f"{stage}_b_act": "ReLU",
    }


def unet() -> Document:
    """Three stages down and three up, joined by skips; a class for every pixel (Ronneberger et al. 2015)."""
    blocks: Blocks = {}
    source = "x"
    for depth, channels in enumerate((4, 6, 8)):
        blocks |= _twice(f"down{depth}", channels, source)
        source = f"down{depth}_pool"
        blocks[source] = {"type": "MaxPool2d", "kernel_size": 2}
    blocks |= _twice("middle", 10, source)
    source = "middle_b_act"
    for depth, channels in reversed(list(enumerate((4, 6, 8)))):
        up = {"type": "ConvTranspose2d", "out_channels": channels, "kernel_size": 2, "stride": 2, "from": source}
        joined = {"type": "Concat", "from": [f"up{depth}_up", f"down{depth}_b_act"]}
        blocks |= {f"up{depth}_up": up, f"up{depth}_join": joined}
        blocks |= _twice(f"up{depth}", channels, f"up{depth}_join")
        source = f"up{depth}_b_act"
    blocks |= {
        "pixels": _conv(CLASSES, 1, **{"from": source}),
        "loss": {"type": "CrossEntropy", "from": ["pixels", "label"]},
    }
    return {"inputs": {"x": [1, 16, 8], "label": {"shape": [16, 8], **_LABEL}}, "blocks": blocks}


UNET_LOCATIONS: Blocks = {
    "down0*": 0,
    "down1*": 1,
    "down2*": 2,
    "middle*": 3,
    "up2*": 2,
    "up1*": 1,
    "up0*": 0,
    "pixels": 0,
    "loss": 0,
}


def resnet() -> Document:
    """Residual blocks in three stages, the first of a stage strided with a projection beside it (He et al. 2016)."""
    blocks: Blocks = {"stem": _conv(4, bias=False, **{"from": "x"}), "stem_norm": "BatchNorm2d", "stem_act": "ReLU"}
    source = "stem_act"
    for stage, channels in enumerate((4, 6, 8)):
        for number in range(2):
            at, stride = f"s{stage}{number}", 2 if stage and not number else 1
            beside = source
            blocks |= {
                f"{at}_a": _conv(channels, stride=stride, bias=False, **{"from": source}),
                f"{at}_a_norm": "BatchNorm2d",
                f"{at}_a_act": "ReLU",
                f"{at}_b": _conv(channels, bias=False),
                f"{at}_b_norm": "BatchNorm2d",
            }
            if stride > 1:
                projection = {"type": "Conv2d", "out_channels": channels, "kernel_size": 1, "stride": 2, "bias": False}
                blocks |= {f"{at}_p": {**projection, "from": source}, f"{at}_p_norm": "BatchNorm2d"}
                beside = f"{at}_p_norm"
            blocks |= {
                f"{at}_sum": {"type": "Sum", "from": [f"{at}_b_norm", beside]},
                f"{at}_act": "ReLU",
            }
            source = f"{at}_act"
    blocks |= {
        "pool": {"type": "AdaptiveAvgPool2d", "output_size": 1},
        "flat": "Flatten",
        "head": {"type": "Linear", "out_features": CLASSES},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    }
    return {"inputs": {"x": [3, 12, 8], "label": _LABEL}, "blocks": blocks}


RESNET_LOCATIONS: Blocks = {"stem*": 0, "s0*": 1, "s1*": 2, "s2*": 3, "pool": 3, "flat": 3, "head": 3, "loss": 3}


def alexnet() -> Document:
    """Five convolutions and three linear layers with dropout, of fewer channels (Krizhevsky et al. 2012)."""
    pool = {"type": "MaxPool2d", "kernel_size": 3, "stride": 2}
    norm = {"type": "LocalResponseNorm", "size": 5}
    blocks: Blocks = {
        "conv1": {"type": "Conv2d", "from": "x", "out_channels": 12, "kernel_size": 11, "stride": 4, "padding": 2},
        **{"relu1": "ReLU", "norm1": norm, "pool1": pool},
        "conv2": _conv(16, 5, groups=2),
        **{"relu2": "ReLU", "norm2": norm, "pool2": pool},
        "conv3": _conv(24),
        "relu3": "ReLU",
        "conv4": _conv(24, groups=2),
        "relu4": "ReLU",
        "conv5": _conv(16, groups=2),
        **{"relu5": "ReLU", "pool5": pool, "flat": "Flatten"},
        **{"drop6": "Dropout", "fc6": {"type": "Linear", "out_features": 64}, "relu6": "ReLU"},
        **{"drop7": "Dropout", "fc7": {"type": "Linear", "out_features": 48}, "relu7": "ReLU"},
        "fc8": {"type": "Linear", "out_features": CLASSES},
        "loss": {"type": "CrossEntropy", "from": ["fc8", "label"]},
    }
    return {"inputs": {"x": [3, 99, 67], "label": _LABEL}, "blocks": blocks}


ALEXNET_HYBRID: Blocks = {
    "fc*": "feature",
    "drop*": "feature",
    "relu6": "feature",
    "relu7": "feature",
    "loss": "feature",
}


def lstm() -> Document:
    """Words as vectors, two layers of LSTM cells, a prediction in every frame."""
    blocks = {
        "embed": {"type": "Embedding", "from": "word", "num_embeddings": 7, "embedding_dim": 6},
        "lstm1": {"type": "LSTMCell", "hidden_size": 9},
        "drop": {"type": "Dropout", "p": 0.2},
        "lstm2": {"type": "LSTMCell", "hidden_size": 8},
        "head": {"type": "Linear", "out_features": CLASSES},
        "loss": {"type": "CrossEntropy", "from": ["head", "label"]},
    }
    return {"inputs": {"word": _LABEL, "label": _LABEL}, "blocks": blocks}


def large_image() -> Document:
    """Convolutions of all sorts on a picture of which one example is a batch, and a class for every pixel."""
    blocks = {
        "wide": _conv(6, 7, **{"from": "x"}),
        "norm": "BatchNorm2d",
        "act1": "ReLU",
        "strided": {"type": "Conv2d", "out_channels": 8, "kernel_size": 4, "stride": 2, "padding": 1},
        "act2": "Tanh",
        "dilated": {"type": "Conv2d", "out_channels": 8, "kernel_size": 3, "dilation": 3, "padding": 3},
        "pool": {"type": "MaxPool2d", "kernel_size": 3, "stride": 1, "padding": 1},
        "even": {"type": "Conv2d", "out_channels": 6, "kernel_size": 2, "padding": "same"},
        "up": {"type": "ConvTranspose2d", "out_channels": 6, "kernel_size": 4, "stride": 2, "padding": 1},
        "join": {"type": "Concat", "from": ["up", "act1"]},
        "pixels": _conv(CLASSES, 1),
        "loss": {"type": "CrossEntropy", "from": ["pixels", "label"]},
    }
    return {"inputs": {"x": [3, 254, 64], "label": {"shape": [254, 64], **_LABEL}}, "blocks": blocks}
