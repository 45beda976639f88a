"""Local rules: pre and post are of one weight, and names of earlier frames."""

from __future__ import annotations

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.learning_rules import Oja
from rillnet.training.learning_rules.plasticity.local import before


def test_pre_and_post_are_those_of_one_weight() -> None:
    net = rn.Net("two", inputs={"x": (5,)}, seed=1).add("a", rn.Linear(out_features=3), source="x")
    net.add("b", rn.Linear(out_features=3))
    with pytest.raises(RequestError, match=r"must match one weight where pre or post is given, not 2"):
        Oja(net, post="a")


def test_one_frame_earlier() -> None:
    assert (before("h"), before("h@-1")) == ("h@-1", "h@-2")
