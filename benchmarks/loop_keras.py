"""A training loop of Keras 3 on torch, as its users write it: layers in a functional model, `compile`, `fit`."""

from __future__ import annotations

import os
import tempfile
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="rillnet-benchmark-")  # it writes its settings there

import keras
import torch
from cases import LEARNING_RATE, MOMENTUM, Case
from keras import layers
from measuring import Stamps
from torch.nn.functional import local_response_norm


@keras.saving.register_keras_serializable()
class ResponseNorm(layers.Layer):
    """Local response normalisation, which Keras does not have."""

    def call(self, x: torch.Tensor) -> torch.Tensor:
        if keras.config.image_data_format() == "channels_last":
            return local_response_norm(x.permute(0, 3, 1, 2), 5, 1e-4, 0.75).permute(0, 2, 3, 1)
        return local_response_norm(x, 5, 1e-4, 0.75)


def lenet(image: Any) -> Any:
    """431,080 parameters."""
    x = layers.MaxPooling2D(2)(layers.Conv2D(20, 5)(image))
    x = layers.MaxPooling2D(2)(layers.Conv2D(50, 5)(x))
    x = layers.Dense(500, activation="relu")(layers.Flatten()(x))
    return layers.Dense(10)(x)


def alexnet(image: Any) -> Any:
    """61,100,840 parameters."""
    x = layers.Conv2D(64, 11, 4, activation="relu")(layers.ZeroPadding2D(2)(image))
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.Conv2D(192, 5, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(3, 2)(x)
    for filters in (384, 256, 256):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    for _ in range(2):
        x = layers.Dense(4096, activation="relu")(layers.Dropout(0.5)(x))
    return layers.Dense(1000)(x)


def inception(x: Any, c1: int, r3: int, c3: int, r5: int, c5: int, pooled: int) -> Any:
    """Four branches, joined over channels."""
    one = _conv(x, c1, 1)
    three = _conv(_conv(x, r3, 1), c3, 3)
    five = _conv(_conv(x, r5, 1), c5, 5)
    pool = _conv(layers.MaxPooling2D(3, 1, padding="same")(x), pooled, 1)
    axis = -1 if keras.config.image_data_format() == "channels_last" else 1
    return layers.Concatenate(axis=axis)([one, three, five, pool])


def googlenet(image: Any) -> Any:
    """6,998,552 parameters."""
    x = layers.MaxPooling2D(3, 2, padding="same")(_conv(image, 64, 7, 2))
    x = _conv(_conv(ResponseNorm()(x), 64, 1), 192, 3)
    x = layers.MaxPooling2D(3, 2, padding="same")(ResponseNorm()(x))
    x = inception(x, 64, 96, 128, 16, 32, 32)
    x = inception(x, 128, 128, 192, 32, 96, 64)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = inception(x, 192, 96, 208, 16, 48, 64)
    x = inception(x, 160, 112, 224, 24, 64, 64)
    x = inception(x, 128, 128, 256, 24, 64, 64)
    x = inception(x, 112, 144, 288, 32, 64, 64)
    x = inception(x, 256, 160, 320, 32, 128, 128)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = inception(x, 256, 160, 320, 32, 128, 128)
    x = inception(x, 384, 192, 384, 48, 128, 128)
    x = layers.Flatten()(layers.AveragePooling2D(7)(x))
    return layers.Dense(1000)(layers.Dropout(0.4)(x))


def _conv(x: Any, filters: int, kernel: int, stride: int = 1) -> Any:
    return layers.Conv2D(filters, kernel, stride, padding="same", activation="relu", kernel_initializer="he_normal")(x)


NETS = {"lenet": lenet, "alexnet": alexnet, "googlenet": googlenet}


class _Note(keras.callbacks.Callback):
    def __init__(self, stamps: Stamps) -> None:
        super().__init__()
        self.stamps = stamps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.stamps.note()


class KerasLoop:
    """`Model.fit` over NumPy arrays.

    Every turn is a fit of its own; its start is not in the time, which is taken between the ends of steps.

    Args:
        case: what is trained.
        data_format: `channels_last`, which is Keras' default, or `channels_first`, which is torch's.
    """

    def __init__(self, case: Case, data_format: str) -> None:
        keras.utils.set_random_seed(0)
        self.data_format, self.batch = data_format, case.batch
        keras.config.set_image_data_format(data_format)
        images, labels = case.data()
        if data_format == "channels_last":
            images = images.permute(0, 2, 3, 1)
        self.images, self.labels = images.contiguous().numpy(), labels.numpy()
        inputs = keras.Input(self.images.shape[1:])
        self.model = keras.Model(inputs, NETS[case.net](inputs))
        self.model.compile(
            optimizer=keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

    def seconds_per_step(self, steps: int) -> float:
        keras.config.set_image_data_format(self.data_format)
        stamps, count = Stamps(steps), self.batch * (steps + 2)
        self.model.fit(
            self.images[:count], self.labels[:count], batch_size=self.batch, verbose=0, callbacks=[_Note(stamps)]
        )
        return stamps.seconds_per_step
