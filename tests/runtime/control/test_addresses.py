"""What stands at the addresses of a running net, listed and found."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import AddressError, RequestError
from rillnet.runtime.control import addresses
from tests.runtime.control.driving import wide_session
from tests.training.small_experiments import line_experiment


def kinds(session: Any, pattern: str) -> dict[str, str]:
    return {info.address: info.kind for info in session.addresses(pattern)}


def test_every_address_that_is_listed_is_found_again() -> None:
    with wide_session() as session:
        session.run(steps=3, progress=False)
        infos = session.addresses()
        assert len(infos) > 35
        for info in infos:
            assert addresses.place(session, info.address).info() == info
        assert [info.address for info in infos] == addresses.names(session)


def test_globs() -> None:
    with wide_session() as session:
        assert kinds(session, "net/*/weight") == {
            f"net/{name}/weight": "parameter" for name in ("hidden", "back", "logits")
        }
        assert kinds(session, "net/hidden/**") == {
            "net/hidden/weight": "parameter",
            "net/hidden/weight/gradient": "gradient",
            "net/hidden/bias": "parameter",
            "net/hidden/bias/gradient": "gradient",
            "net/hidden/output": "output",
            "net/hidden/state": "state",
        }
        assert kinds(session, "net/drop/?") == {"net/drop/p": "setting"}
        assert [info.address for info in session.addresses("net/**", limit=2)] == [
            "net/hidden/weight",
            "net/hidden/weight/gradient",
        ]
        assert kinds(session, "nothing/**") == {}


def test_everything_besides_the_net() -> None:
    with wide_session() as session:
        session.run(steps=2, progress=False)
        session.command("evaluate")
        assert kinds(session, "learning/**") == {
            "learning/main/rate": "rate",
            "learning/main/active": "active",
            "learning/main/momentum": "number",
            "learning/main/dampening": "number",
            "learning/main/weight_decay": "number",
            "learning/main/accumulate": "setting",
            "learning/main/clip": "setting",
            "learning/main/every": "setting",
            "learning/main/start": "setting",
            "learning/main/period": "setting",
        }
        assert kinds(session, "clock/*") == dict.fromkeys(
            ["clock/frame", "clock/step", "clock/epoch", "clock/examples"], "clock"
        )
        assert set(kinds(session, "metrics/test/*")) == {"metrics/test/loss", "metrics/test/accuracy"}
        assert kinds(session, "scalars/*") == {"scalars/loss": "scalar"}
        assert (session["control/state"], session["control/speed"]) == ("idle", None)
        assert session["metrics/test/loss"] == session.metrics["test"]["loss"]
        assert session["scalars/loss"] is session.scalars["loss"]


def test_what_is_told_of_an_address() -> None:
    with wide_session() as session:
        [weight] = session.addresses("net/hidden/weight")
        assert weight.as_dict() == {
            "address": "net/hidden/weight",
            "kind": "parameter",
            "shape": [4, 3],
            "dtype": "float32",
            "writable": True,
            "value": None,
        }
        [rate] = session.addresses("learning/main/rate")
        assert (rate.value_if_scalar, rate.writable, rate.shape) == (0.05, True, None)
        [output] = session.addresses("net/hidden/output")
        assert (output.shape, output.writable) == ((4,), False)


def test_several_outputs_have_addresses_of_their_own() -> None:
    net = rn.Net("cell", inputs={"x": (3, 2)}).add("lstm", rn.LSTM(hidden_size=4), source="x")
    net.add("fit", rn.Linear(out_features=1), source="lstm[0]").add("flat", rn.Flatten())
    net.add("loss", rn.MeanSquaredError(), source=["flat", "flat@-1"])
    data = {"source": {"x": torch.zeros(4, 3, 2)}, "batch_size": 2}
    with rn.Session(line_experiment(net=net, data=data), record=False) as session:
        assert set(kinds(session, "net/lstm/output*")) == {f"net/lstm/output[{number}]" for number in range(3)}
        assert session["net/lstm/output"].shape == (2, 3, 4)
        assert session["net/lstm/output[1]"].shape == (1, 2, 4)
        with pytest.raises(RequestError) as error:
            session["net/lstm/output[3]"]
        assert str(error.value) == "net/lstm/output[3]: is not there: the block sends 3 tensors"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("net/hidden/wieght", "net/hidden/wieght: unknown address; did you mean 'net/hidden/weight'?"),
        ("net/hidden", "net/hidden: unknown address; did you mean 'net/hidden/bias'?"),
        ("learning/mian/rate", "learning/mian/rate: unknown address; did you mean 'learning/main/rate'?"),
        (
            "clock/qqqqqqqqqqqq",
            "clock/qqqqqqqqqqqq: unknown address; known: clock/frame, clock/step, clock/epoch, clock/examples",
        ),
        (
            "weather",
            "weather: unknown address; known: net/..., learning/<rule>/rate, data/..., clock/step, metrics/..., "
            "scalars/..., control/state",
        ),
    ],
)
def test_what_stands_nowhere_is_told(address: str, message: str) -> None:
    with wide_session() as session, pytest.raises(AddressError) as error:
        session[address]
    assert str(error.value) == message


@pytest.mark.parametrize("address", ["clock/step", "net/hidden/output", "net/hidden/weight/gradient", "control/state"])
def test_what_is_only_read_cannot_be_set(address: str) -> None:
    with wide_session() as session, pytest.raises(RequestError) as error:
        session.set(address, 1)
    assert str(error.value) == f"{address}: cannot be set"
