from __future__ import annotations

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.rollout import Rollout
from rillnet.runtime.observers.query import Query, make_query, make_reduction
from rillnet.runtime.observers.reductions.argmax import Argmax
from rillnet.runtime.observers.subjects import Subjects


def asked(address: str | list[str], reduction: str, stream: int | None = 0, **settings: object) -> Query:
    net = rn.Net("line", inputs={"x": (4,)}, seed=1)
    net.add("fit", rn.Linear(out_features=3), source="x")
    return make_query(address, reduction, stream, settings, Subjects(Rollout(net)), net)


def test_equal_questions_are_one() -> None:
    one = asked("net/fit/output", "thumbnail", size=[4, 4])
    assert one == asked("net/fit/output", "thumbnail", size=[4, 4])
    assert hash(one) == hash(asked("net/fit/output", "thumbnail", size=[4, 4]))
    assert one != asked("net/fit/output", "thumbnail", 1, size=[4, 4])


def test_of_all_streams_the_class_of_each_is_told() -> None:
    assert asked("net/fit/output", "argmax", None).reduction == Argmax(over_streams=True)
    assert asked("net/fit/weight", "argmax", None).reduction == Argmax()


def test_several_addresses_are_one_answer_where_shapes_may_differ() -> None:
    query = asked(["net/fit/weight", "net/fit/bias"], "scalar")
    assert (query.addresses, query.is_list) == (("net/fit/weight", "net/fit/bias"), True)
    with pytest.raises(RequestError) as raised:
        asked(["net/fit/weight"], "thumbnail")
    assert str(raised.value) == ("reduction: takes one address at a time (got 'thumbnail'); scalar takes several")


def test_of_what_another_process_has_the_whole_is_asked_for() -> None:
    net = rn.Net("line", inputs={"x": (4,)}, seed=1)
    net.add("fit", rn.Linear(out_features=3), source="x")
    net["fit"].weight = torch.nn.Parameter(torch.empty(0, 4))
    subjects = Subjects(Rollout(net))
    with pytest.raises(RequestError, match="histogram needs values to count"):
        make_query("net/fit/weight", "histogram", 0, {}, subjects, net)
    for address in ("net/fit/weight", "net/fit/weight/gradient"):
        shapes = {"net/fit/weight": (3, 4)}
        assert make_query(address, "histogram", 0, {}, subjects, net, shapes.get).addresses == (address,)


def test_all_faults_are_told() -> None:
    with pytest.raises(RequestError) as raised:
        asked(["net/fit/weigth", "net/fti/bias"], "scalar")
    assert str(raised.value) == (
        "net/fit/weigth: unknown address; did you mean 'net/fit/weight'?\n"
        "net/fti/bias: unknown address; did you mean 'net/fit/bias'?"
    )


@pytest.mark.parametrize("stream", [-1, 1.5, True, "all"])
def test_streams_are_numbers(stream: object) -> None:
    with pytest.raises(RequestError, match=r"^stream: must be a whole number, at least 0, or null for all"):
        asked("net/fit/output", "scalar", stream)  # type: ignore[arg-type]


def test_import_paths_are_not_followed() -> None:
    with pytest.raises(RequestError, match=r"^reduction: unknown reduction \(got 'os:abort'\)"):
        make_reduction("os:abort", {})
