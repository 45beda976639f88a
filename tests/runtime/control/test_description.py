"""What is told of a running net."""

from __future__ import annotations

import json

import rillnet as rn
from rillnet.runtime.control.description import describe
from rillnet.runtime.session import Session
from tests.runtime.control.driving import wide_experiment, wide_session


def test_a_net_is_described_as_json_has_it() -> None:
    with wide_session() as session:
        session.command("hold hidden/bias")
        session.command("learning off")
        session.run(steps=2, progress=False)
        told = describe(session)
    assert told == json.loads(json.dumps(told))
    assert told["name"] == "wide"
    assert told["inputs"][0] == {"name": "x", "shape": [3], "dtype": "float32"}
    blocks = {block["path"]: block for block in told["blocks"]}
    assert blocks["hidden"]["parameters"][1] == {
        "address": "net/hidden/bias",
        "shape": [4],
        "count": 4,
        "trainable": True,
        "held": True,
    }
    assert blocks["drop"]["settings"] == [{"address": "net/drop/p", "value": 0.25}]
    assert (blocks["accuracy"]["exclude"], blocks["hidden"]["module"], blocks["hidden"]["shape"]) == (
        ["train"],
        None,
        [4],
    )
    assert blocks["hidden"]["how"] != ""
    edges = {(edge["from"], edge["to"]): edge for edge in told["edges"]}
    assert edges["hidden", "back"] == {
        "from": "hidden",
        "to": "back",
        "port": 0,
        "delay": 1,
        "weight": "net/back/weight",
    }
    assert edges["drop", "logits"]["delay"] == 0
    assert told["outputs"] == ["loss", "accuracy"]
    assert told["rules"] == [
        {"name": "main", "type": "Backprop", "active": False, "rates": {"*": 0.05}, "reads": ["loss"]}
    ]
    assert told["rollout"] == {"default": "sequential", "align": False, "delays": {"hidden->back": 1}}


def test_blocks_tell_the_net_that_they_are_in_and_edges_the_part_that_they_read() -> None:
    inner = {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 3}, "act": "Tanh"}}
    blocks = {
        "res": inner,
        "cell": {"type": "LSTM", "hidden_size": 2, "from": "res", "tags": ["memory", "deep"]},
        "end": {"type": "Linear", "out_features": 1, "from": "cell[0]"},
    }
    net = rn.Net.from_spec({"inputs": {"x": [5, 3]}, "blocks": blocks})
    with Session(rn.Experiment(net=net), record=False) as session:
        told = describe(session)
    assert [(block["path"], block["module"]) for block in told["blocks"]] == [
        ("res/fc", "res"),
        ("res/act", "res"),
        ("cell", None),
        ("end", None),
    ]
    assert told["blocks"][2]["sends"] == 3
    assert {(block["process"], block["partition"]) for block in told["blocks"]} == {(None, None)}
    assert [block["tags"] for block in told["blocks"]] == [[], [], ["memory", "deep"], []]
    assert [edge["from"] for edge in told["edges"]] == ["x", "res/fc", "res/act", "cell[0]"]


def test_a_changed_rate_and_streaming_are_told() -> None:
    experiment = wide_experiment(rollout="streaming")
    with Session(experiment, record=False) as session:
        session.command("rate main 0.5")
        told = describe(session)
    assert told["rules"][0]["rates"] == {"*": 0.5}
    assert told["rollout"]["default"] == "streaming"
    assert told["rollout"]["delays"]["x->hidden"] == 1


def test_what_a_block_keeps_besides_its_parameters_is_told() -> None:
    blocks = {"norm": {"type": "BatchNorm1d", "affine": False}, "end": {"type": "Linear", "out_features": 1}}
    net = rn.Net.from_spec({"inputs": {"x": [3]}, "blocks": blocks})
    with Session(rn.Experiment(net=net), record=False) as session:
        norm, end = describe(session)["blocks"]
    assert [(one["address"], one["shape"]) for one in norm["buffers"]] == [
        ("net/norm/running_mean", [3]),
        ("net/norm/running_var", [3]),
        ("net/norm/num_batches_tracked", []),
    ]
    assert (norm["parameters"], end["buffers"]) == ([], [])
