from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import AddressError
from rillnet.model.flat import FlatSource
from rillnet.model.rollout import Rollout
from rillnet.runtime.observers.subjects import Subjects, as_tensor


def subjects_of() -> Subjects:
    inner = {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 3}, "act": "Tanh"}}
    blocks = {
        "res": inner,
        "lstm": {"type": "LSTMCell", "hidden_size": 4},
        "drop": {"type": "Dropout", "p": 0.25},
        "out": {"type": "Linear", "from": "res", "out_features": 2},
    }
    net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks}, seed=1)
    return Subjects(Rollout(net, {"res->out": 1}))


def test_what_stands_behind_addresses() -> None:
    subjects = subjects_of()
    found = {
        address: (subject.kind, subject.source, subject.way)
        for address in (
            "net/res/fc/weight",
            "net/res/fc/weight/gradient",
            "net/res/output",
            "net/res/act/state",
            "net/lstm/output",
            "net/lstm/output[1]",
            "net/x/output",
            "net/drop/p",
            "learning/main/rate",
        )
        for subject in [subjects.find(address)]
    }
    assert found == {
        "net/res/fc/weight": ("tensor", None, ("res", "fc", "weight")),
        "net/res/fc/weight/gradient": ("gradient", None, ("res", "fc", "weight")),
        "net/res/output": ("sent", FlatSource("res/act"), ()),
        "net/res/act/state": ("state", FlatSource("res/act"), ()),
        "net/lstm/output": ("sent", FlatSource("lstm", (0,)), ()),
        "net/lstm/output[1]": ("sent", FlatSource("lstm", (1,)), ()),
        "net/x/output": ("sent", FlatSource("x"), ()),
        "net/drop/p": ("number", None, ()),
        "learning/main/rate": ("number", None, ()),
    }
    assert subjects.find("net/res/act/state").key == "res/act@1"
    assert subjects.find("net/res/fc/weight/gradient").parameter == "net/res/fc/weight"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("net/res/fc/weigth", "net/res/fc/weigth: unknown address; did you mean 'net/res/fc/weight'?"),
        ("net/lstn/output", "net/lstn/output: unknown address; did you mean 'net/lstm/output'?"),
        ("net/out/output[1]", "net/out/output[1]: is not there: the block sends one tensor"),
        ("net/lstm/output[2]", "net/lstm/output[2]: is not there: the block sends 2 tensors"),
        (
            "net/out/state",
            "net/out/state: is not kept, as no later frame reads it; net/out/output is what it sends in a frame",
        ),
        (
            "nets/out/weight",
            "nets/out/weight: unknown address; known: net/..., learning/..., clock/..., metrics/..., scalars/..., "
            "data/..., control/...",
        ),
        ("net/x/weight", "net/x/weight: unknown address"),
        ("net", "net: unknown address; known: net/..., learning/..., clock/..., metrics/..., scalars/..., data/..., "
         "control/..."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(address: str, message: str) -> None:
    with pytest.raises(AddressError) as raised:
        subjects_of().find(address)
    assert str(raised.value) == message


def test_tensors_are_those_of_now() -> None:
    subjects = subjects_of()
    subject, net = subjects.find("net/out/weight"), subjects.flat.net
    assert subject.tensor(net) is net.get_submodule("out").weight
    replaced = torch.nn.Linear(3, 2)
    net.out = replaced
    assert subject.tensor(net) is replaced.weight
    del net._modules["out"]
    assert subject.tensor(net) is None


def test_one_stream_is_looked_at_where_there_are_such() -> None:
    subjects = subjects_of()
    sent, weight = subjects.find("net/out/output"), subjects.find("net/out/weight")
    batch = torch.arange(8.0).view(4, 2)
    looked_at = sent.looked_at(batch, 3)
    assert looked_at is not None
    assert looked_at.tolist() == [6.0, 7.0]
    assert sent.looked_at(batch, None) is batch
    assert sent.looked_at(batch, 4) is None
    assert weight.looked_at(batch, 0) is batch


def test_words_are_no_numbers() -> None:
    assert as_tensor("paused") is None
    assert as_tensor(None) is None
    assert as_tensor(True) is not None
