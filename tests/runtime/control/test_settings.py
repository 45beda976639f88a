"""Settings of blocks and data: which there are, and that a block with another one is the block made with it."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.layers.noise import Noise
from rillnet.runtime.control.places import Place
from rillnet.runtime.control.settings import Settings, setting_names, settings_of, word_names
from rillnet.runtime.session import Session
from tests.training.small_experiments import differing, line_experiment, state_of


def with_block(block: Any, **run: Any) -> Session:
    net = rn.Net("one", inputs={"x": (4,)}, seed=1).add("fit", rn.Linear(out_features=4), source="x")
    net.add("block", block).add("loss", rn.MeanSquaredError(), source=["block", "x"])
    data = {"source": {"x": torch.linspace(-1, 1, 32).view(8, 4)}, "batch_size": 4}
    return Session(line_experiment(net=net, data=data, run={"execution": "eager", **run}), record=False)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (nn.Dropout(0.5), ["p"]),
        (nn.Dropout(0), ["p"]),
        (nn.LeakyReLU(), ["negative_slope"]),
        (nn.BatchNorm1d(3), ["eps", "momentum"]),
        (nn.BatchNorm1d(3, momentum=None), ["eps"]),
        (nn.Conv2d(1, 1, 1), ["padding_mode"]),
        (nn.GroupNorm(1, 2), ["eps"]),
        (nn.LSTM(1, 1), ["dropout"]),
        (nn.Sequential(nn.Dropout()), []),
    ],
)
def test_which_numbers_are_settings(module: nn.Module, names: list[str]) -> None:
    assert list(settings_of(module)) == names


def test_words_of_which_there_are_few_are_settings_too() -> None:
    assert (setting_names(Noise), word_names(Noise)) == (("mean", "std", "min", "max", "prob"), ("noise",))


@pytest.mark.parametrize(
    ("make", "name", "before", "after"),
    [
        (rn.LeakyReLU, "negative_slope", 0.01, 0.5),
        (rn.Dropout, "p", 0.2, 0.6),
        (rn.Noise, "std", 0.1, 0.7),
        (rn.BatchNorm1d, "momentum", 0.1, 0.9),
        (rn.Noise, "noise", "normal", "uniform"),
        (rn.GELU, "approximate", "none", "tanh"),
        (functools.partial(rn.GroupNorm, num_channels=4), "num_groups", 1, 2),
    ],
)
def test_a_block_with_another_setting_is_one_that_was_made_with_it(
    make: Any, name: str, before: Any, after: Any
) -> None:
    with with_block(make(**{name: before})) as session, with_block(make(**{name: after})) as other:
        session.step()
        session.net.draw(1)
        other.net.draw(1)
        session.set(f"net/block/{name}", after)
        assert session[f"net/block/{name}"] == getattr(session.net["block"], name) == after
        session.clock.load(other.clock.state())
        session.feed.seek({"epoch": 0, "batch": 0})
        for one in (session, other):
            for tensor in one.net.buffers():
                tensor.zero_() if tensor.dtype == torch.int64 else tensor.fill_(1)
            one.step()
            one.step()
        assert differing(state_of(session), state_of(other)) == []
        assert session.net.to_spec() == other.net.to_spec()


@pytest.mark.parametrize(
    ("address", "value", "message"),
    [
        (
            "net/fit/out_features",
            5,
            "net/fit/out_features: cannot be set while it runs, as it makes another block (got 5); "
            "remove and add put another block in its place",
        ),
        (
            "net/conv/kernel_size",
            5,
            "net/conv/kernel_size: cannot be set while it runs, as it makes another block (got 5); "
            "of this block padding_mode can be set",
        ),
        (
            "net/pool/kernel_size",
            3,
            "net/pool/kernel_size: cannot be set while it runs, as it would send [2, 1, 1] instead of [2, 2, 2] "
            "(got 3); remove and add put another block in its place",
        ),
        ("net/pool/kernel_size", "wide", "net/pool/kernel_size: must be a number (got 'wide')"),
        ("net/pool/kernel_size", 0.5, "net/pool/kernel_size: must be a whole number (got 0.5)"),
        (
            "net/conv/padding_mode",
            "mirror",
            "net/conv/padding_mode: must be 'zeros', 'reflect', 'replicate' or 'circular' (got 'mirror')",
        ),
        ("net/conv/padding_mode", None, "net/conv/padding_mode: must be a word (got None)"),
        (
            "net/norm/num_groups",
            3,
            "net/norm/num_groups: is not accepted by GroupNorm: num_channels (2) must be divisible by num_groups (3) "
            "(got 3)",
        ),
        (
            "net/norm/num_channels",
            4,
            "net/norm/num_channels: cannot be set while it runs, as it makes another block (got 4); "
            "of this block eps can be set",
        ),
    ],
)
def test_what_is_refused_says_why_and_what_can_be_set(address: str, value: Any, message: str) -> None:
    net = rn.Net("small", inputs={"x": (1, 4, 4)}, seed=1)
    net.add("conv", rn.Conv2d(out_channels=2, kernel_size=3, padding=1), source="x")
    net.add("norm", rn.GroupNorm(num_groups=1)).add("pool", rn.MaxPool2d(kernel_size=2))
    net.add("flat", rn.Flatten()).add("fit", rn.Linear(out_features=2))
    with Session(rn.Experiment(net=net), record=False) as session:
        before = state_of(session)
        with pytest.raises(RequestError) as raised:
            session.set(address, value)
        assert differing(before, state_of(session)) == []
    assert str(raised.value) == message


def test_what_would_be_another_block_is_refused() -> None:
    net = rn.Net("pools", inputs={"x": (1, 4, 4)}, seed=1)
    net.add("pool", rn.Pool(shape=[1, 4, 4], noise="normal", noise_std=0.1, dropout=0.25), source="x")
    with Session(rn.Experiment(net=net), record=False) as session:
        session.set("net/pool/noise_std", 0.5)
        assert session.net["pool"].added_noise.std == 0.5  # what is made of it is changed as well
        with pytest.raises(RequestError) as error:
            session.set("net/pool/noise_std", -1)
        assert str(error.value).startswith("net/pool/noise_std: ")


def test_grouped_and_compiled_frames_see_the_new_number() -> None:
    def slopes(session: Session) -> list[float]:
        session.set("net/act0/negative_slope", 0.5)
        sent = session.predict({"x": -torch.ones(1, 4)})
        return [float(sent[f"act{number}"][0, 0]) for number in range(3)]

    net = rn.Net("group", inputs={"x": (4,)}, seed=1)
    for number in range(3):
        net.add(f"act{number}", rn.LeakyReLU(), source="x")
    with Session(rn.Experiment(net=net), record=False) as session:
        session.predict({"x": torch.ones(1, 4)})
        assert slopes(session) == pytest.approx([-0.5, -0.01, -0.01])


def test_settings_that_changed_are_kept_and_put_back() -> None:
    class Fixed(Place):
        value = 1.0

        def read(self) -> float:
            return self.value

        def write(self, value: Any) -> Any:
            self.value = value

    place = Fixed("net/a/p")
    settings = Settings(lambda address: place)
    settings.note("net/a/p", 1.0, 2.0)
    place.value = 2.0
    assert settings.state() == {"net/a/p": 2.0}
    settings.load({})
    assert (place.value, settings.state()) == (1.0, {})
    settings.load({"net/a/p": 3.0})
    assert place.value == 3.0


@pytest.mark.parametrize(
    ("source", "name", "value", "message"),
    [
        ({"type": "RomanNumerals"}, "noise", -1, "data/noise: must be at least 0 (got -1)"),
        ({"type": "RomanNumerals"}, "duration", 0, "data/duration: must be at least 1 or must be a list (got 0)"),
        ({"type": "RomanNumerals"}, "duration", [5, 2], "duration: must be the fewest and the most frames"),
        ({"type": "RomanNumerals"}, "size", 8, "data/size: unknown address"),
        ({"type": "RomanNumerals"}, "fading", 0.5, "data/fading: must be a whole number (got 0.5)"),
    ],
)
def test_what_data_do_not_take_is_told(source: Any, name: str, value: Any, message: str) -> None:
    net = rn.Net("one", inputs={"image": (1, 32, 32)}).add("flat", rn.Flatten())
    with Session(rn.Experiment(net=net, data={"source": source}), record=False) as session:
        assert [info.address for info in session.addresses("data/**")] == ["data/noise", "data/fading", "data/duration"]
        with pytest.raises(RequestError) as error:
            session.set(f"data/{name}", value)
    assert str(error.value).startswith(message)
