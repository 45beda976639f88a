from __future__ import annotations

import torch

from rillnet.runtime.observers.query import Query
from rillnet.runtime.observers.reductions.scalar import Scalar
from rillnet.runtime.observers.values import Values
from rillnet.runtime.session import Session
from tests.runtime.observers.watched_runs import chain
from tests.training.small_experiments import line_experiment


def session_of(made: object) -> Session:
    return Session(made, record=False, say=lambda text: None)  # type: ignore[arg-type]


def test_what_the_state_has_is_not_kept_again() -> None:
    with session_of(chain("streaming", window=4, every=1)) as session:
        values = Values(session)
        addresses = ["net/x/output", "net/a/output", "net/drop/output", "net/c/output", "net/a/weight"]
        assert [source.block for source in values.ask(addresses)] == ["x", "a", "drop", "c"]
        for _ in range(4):
            session.learn()
        assert [source.block for source in values.ask(addresses)] == ["c"]
        values.let_go()


def test_what_is_not_there_yet_is_none_and_what_never_will_be_is_told() -> None:
    with session_of(line_experiment()) as session:
        values = Values(session)
        found = values.look(
            ["net/fit/output", "net/fit/weight/gradient", "scalars/loss", "metrics/test/loss", "control/state", "net/x"]
        )
        assert found == {
            "net/fit/output": None,
            "net/fit/weight/gradient": None,
            "scalars/loss": None,
            "metrics/test/loss": None,
            "control/state": "is no number; get reads it",
            "net/x": "is not there any more",
        }
        session.learn()
        scalar = values.look(["scalars/loss"])["scalars/loss"]
        assert scalar is not None
        assert torch.equal(scalar, session.scalars["loss"])  # type: ignore[arg-type]


def test_optimizers_are_only_listened_to_while_gradients_are_asked_for() -> None:
    with session_of(line_experiment()) as session:
        values, rule = Values(session), session.executor.rules["main"]
        values.ask(["net/fit/weight/gradient"])
        assert rule.optimizer.watched == values.taps.see_gradients  # type: ignore[attr-defined]
        values.let_go()
        assert rule.optimizer.watched is None  # type: ignore[attr-defined]


def test_a_question_is_answered_when_all_of_it_is_there() -> None:
    with session_of(line_experiment()) as session:
        values = Values(session)
        both, one = Query(("a", "net/fit/bias"), Scalar(), is_list=True), Query(("net/fit/bias",), Scalar())
        told = {"a": None, "net/fit/bias": torch.ones(1)}
        found, faults = values.found([both, one], told)
        assert (list(found), faults) == ([one], {})
        _, faults = values.found([both], {**told, "a": "is gone"})
        assert faults == {both: "a: is gone"}
