"""What texts name in a net."""

from __future__ import annotations

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.flat import FlatNet
from rillnet.runtime.interventions.targets import Port, Units, find_targets

DOCUMENT = {
    "inputs": {"x": [4], "image": [1, 6, 6]},
    "blocks": {
        "res": {"type": "Net", "blocks": {"fc": {"type": "Linear", "out_features": 4}, "act": "Tanh"}, "from": "x"},
        "lstm": {"type": "LSTMCell", "from": "res", "hidden_size": 3},
        "pool1": {"type": "Pool", "shape": [2, 3, 3], "from": [{"source": "image", "via": "Synapse", "rf": 3}]},
        "pool2": {"type": "Pool", "shape": [2, 3, 3], "from": [{"source": "pool1@-1", "via": "Synapse", "rf": 3}]},
        "twice": {"type": "Sum", "from": ["x", "x"]},
        "head": {"type": "Linear", "from": "lstm", "out_features": 2},
    },
}


@pytest.fixture(scope="module")
def flat() -> FlatNet:
    return rn.Rollout.sequential(rn.Net.from_spec(DOCUMENT, seed=1)).flat


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("head", ["head"]),
        ("net/head", ["head"]),
        ("x", ["x"]),
        ("res/fc", ["res/fc"]),
        ("res", ["res/act"]),
        ("head[1]", ["head[1]"]),
        ("head[ : 1]", ["head[:1]"]),
        ("pool1[0, 1:3, -1]", ["pool1[0, 1:3, -1]"]),
        ("lstm", ["lstm[0]", "lstm[1]"]),
        ("lstm[0]", ["lstm[0]"]),
        ("lstm[1][2]", ["lstm[1][2]"]),
        ("pool?", ["pool1", "pool2"]),
        ("res/*[0]", ["res/fc[0]", "res/act[0]"]),
        ("res->lstm", ["res/act->lstm"]),
        ("res/act->lstm", ["res/act->lstm"]),
        ("lstm->head", ["lstm[0]->head"]),
        ("lstm[0]->head", ["lstm[0]->head"]),
        ("lstm->lstm", ["lstm[0]->lstm", "lstm[1]->lstm"]),
        ("x->res", ["x->res/fc"]),
        ("image->pool1", ["image->pool1_image"]),
        ("pool1_image->pool1", ["pool1_image->pool1"]),
        ("pool1->pool2", ["pool1->pool2_pool1"]),
        ("x->twice", ["x->twice#0", "x->twice#1"]),
        ("x->twice#1", ["x->twice#1"]),
        ("*->pool?", ["pool1_image->pool1", "pool2_pool1->pool2"]),
        ("x->*", ["x->twice#0", "x->twice#1"]),
        ("x->**", ["x->res/fc", "x->twice#0", "x->twice#1"]),
    ],
)
def test_texts_name_blocks_units_and_edges(flat: FlatNet, text: str, found: list[str]) -> None:
    targets = find_targets(flat, text)

    assert [target.text for target in targets] == found
    assert all(isinstance(target, Port if "->" in text else Units) for target in targets)


def test_what_is_named_is_found_again_by_its_text(flat: FlatNet) -> None:
    for text in ("lstm[1][2]", "pool1[0, 1:3, -1]", "x->twice#1", "res/act->lstm"):
        (target,) = find_targets(flat, text)
        (again,) = find_targets(flat, target.text)

        assert again.text == target.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("haed", "net/haed: unknown block; did you mean 'head'?"),
        ("zebra*", "net/zebra*: matches no block"),
        ("head[2]", "net/head: has the units 0 to 1 in dimension 0 of [2] (got 2)"),
        ("head[0][1]", "net/head: a region stands in one pair of brackets (got '[0][1]')"),
        ("lstm[2]", "net/lstm: sends 2 tensors, lstm[0] to lstm[1] (got '[2]')"),
        ("lstm[:1]", "net/lstm: sends 2 tensors, lstm[0] to lstm[1] (got '[:1]')"),
        ("[3]", "net/[3]: is no block with a region; as in hidden1, hidden1[3] or hidden1[:, 4:10]"),
        ("", "net/: is no block with a region; as in hidden1, hidden1[3] or hidden1[:, 4:10]"),
        ("x->head", "net/x->head: no such edge; did you mean 'lstm[0]->head'?"),
        ("lstn->head", "net/lstn: unknown block; did you mean 'lstm'?"),
        ("lstm->haed", "net/haed: unknown block; did you mean 'head'?"),
        ("head->*", "net/head->*: matches no edge"),
        ("x->twice#2", "net/x->twice: no such edge; did you mean 'x->twice#1'?"),
    ],
)
def test_what_is_not_there_is_told(flat: FlatNet, text: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        find_targets(flat, text)

    assert str(caught.value) == message


def test_a_mask_is_for_units_of_one_tensor(flat: FlatNet) -> None:
    mask = {"shape": [2], "bits": "gA=="}

    (target,) = find_targets(flat, "head", mask)
    assert isinstance(target, Units)
    assert target.mask is not None
    assert (target.text, target.mask.tolist()) == ("head (1 of 2 units)", [True, False])
    for text, rule in (
        ("lstm->head", "net/lstm->head: is an edge, and a mask is for the units of a block"),
        ("head[1]", "net/head: takes a region or a mask, not both"),
        ("lstm", "net/lstm: sends several tensors; name one of them; as in lstm[0]"),
    ):
        with pytest.raises(RequestError) as caught:
            find_targets(flat, text, mask)
        assert str(caught.value) == rule
