from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.jsonlines import JsonLines
from rillnet.runtime.session import Session
from rillnet.training.observers import OBSERVERS
from rillnet.training.observers.observer import FILE
from tests.training.small_experiments import differing, experiment, line_experiment, state_of


def observed(root: Path) -> list[dict[str, Any]]:
    (path,) = root.glob(f"*/*/{FILE}")
    rows, notes = JsonLines(path).read()
    assert notes == []
    return rows


def run(made: rn.Experiment, root: Path, **told: int) -> Any:
    with Session(made, root=root, say=lambda text: None, resume=True) as session:
        session.run(progress=False, **told)
        return state_of(session)


ALL = [
    {"type": "Distribution", "of": "net/*/weight", "every": "2 steps"},
    {"type": "Distribution", "of": "net/**/output", "every": "3 steps"},
    {"type": "Histogram", "of": "net/logits/weight/gradient", "every": "4 steps", "bins": 4},
    {"type": "Health", "of": "net/**/output", "every": "1 epoch"},
    {"type": "Scalar", "of": "learning/main/rate", "every": "1 epoch"},
    {"type": "Filters", "of": "net/conv/weight"},
    {"type": "FeatureMaps", "of": "net/conv/output", "every": "end"},
]


def test_observing_changes_nothing(tmp_path: Path) -> None:
    plain = run(experiment(run={"execution": "eager"}), tmp_path / "plain")
    watched = run(experiment(run={"execution": "eager"}, observe=ALL), tmp_path / "watched")
    assert differing(plain, watched) == []
    rows = observed(tmp_path / "watched")
    assert {row["observer"] for row in rows} == {
        "Distribution",
        "Histogram",
        "Health",
        "Scalar",
        "Filters",
        "FeatureMaps",
    }


def test_rows_come_when_they_are_due(tmp_path: Path) -> None:
    observe = [{"type": "Scalar", "of": "net/fit/*i*", "every": "2 steps", "measure": "largest"}]
    run(line_experiment(observe=observe, run={"epochs": 3}), tmp_path)
    rows = observed(tmp_path)
    told = [(row["step"], row["address"]) for row in rows]
    assert told == [(step, f"net/fit/{name}") for step in (2, 4, 6) for name in ("weight", "bias")]
    assert all(row["epoch"] == row["step"] / 2 and row["frame"] == row["step"] for row in rows)
    assert all(isinstance(row["largest"], float) for row in rows)


def test_a_gradient_is_that_of_the_frame_after(tmp_path: Path) -> None:
    observe = [{"type": "Scalar", "of": "net/fit/weight/gradient", "every": "2 steps"}]
    run(line_experiment(observe=observe, run={"epochs": 3}), tmp_path)
    assert [row["step"] for row in observed(tmp_path)] == [3, 5]


def test_a_run_that_goes_on_has_every_row_once(tmp_path: Path) -> None:
    def made() -> rn.Experiment:
        return experiment(run={"execution": "eager"}, observe=ALL[:2])

    run(made(), tmp_path / "whole")
    run(made(), tmp_path / "parts", steps=7)
    run(made(), tmp_path / "parts", steps=5)
    run(made(), tmp_path / "parts")
    assert observed(tmp_path / "parts") == observed(tmp_path / "whole")


def test_what_matches_nothing_is_told_before_the_run(tmp_path: Path) -> None:
    observe = [{"type": "Distribution", "of": "net/fitt/weight"}]
    with (
        Session(line_experiment(observe=observe, run={"epochs": 1}), root=tmp_path) as session,
        pytest.raises(RequestError) as raised,
    ):
        session.run(progress=False)
    assert str(raised.value) == ("observe: matches no address (got 'net/fitt/weight'); did you mean 'net/fit/weight'?")
    assert list(tmp_path.glob("*/*")) == []


def test_what_cannot_be_observed_is_told(tmp_path: Path) -> None:
    observe = [{"type": "Filters", "of": "net/fit/bias", "channel": 0}]
    with (
        Session(line_experiment(observe=observe, run={"epochs": 1}), record=False) as session,
        pytest.raises(RequestError) as raised,
    ):
        session.run(progress=False)
    assert str(raised.value) == "observe: net/fit/bias: thumbnail finds no channels, which only maps and filters have"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"type": "Distrib"}, "observe.0.type: unknown observer (got 'Distrib'); did you mean 'Distribution'?"),
        ({"type": "Health"}, "observe.0.of: is required"),
        (
            {"type": "Health", "of": "net/*/weight", "every": "often"},
            'observe.0.every: must be a number and a unit, such as "1 epoch", "500 steps" or "10 minutes", or "never" '
            "or \"end\" (got 'often')",
        ),
    ],
)
def test_faults_of_records_are_told(record: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as raised:
        line_experiment(observe=[record])
    assert str(raised.value) == message


def test_every_member_is_used_here() -> None:
    assert set(OBSERVERS) == {row["type"] for row in ALL}
