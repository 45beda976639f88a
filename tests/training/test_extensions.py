"""What happens besides steps: logging, evaluating, saving."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from rillnet.errors import RequestError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.session import Session
from rillnet.training.extensions import Evaluate, Extension, Log
from tests.training.small_experiments import (
    STEPS_PER_EPOCH,
    data,
    experiment,
    images,
    line_experiment,
    rows,
    trainer_of,
)

RUN = Path("small") / "1"


def run(root: Path, **parts: Any) -> Session:
    with Session(experiment(**parts), root=root, say=lambda text: None) as session:
        session.run()
    return session


# Log


def test_rows_hold_means_and_rates(tmp_path: Path) -> None:
    losses: list[float] = []
    settings = {"log": "4 steps", "steps": 10, "epochs": None, "evaluate": {"every": "never"}}
    made = experiment(run=settings, learning={"rate": "Cosine"})
    with Session(made, root=tmp_path, observers=[lambda s: losses.append(float(s.scalars["loss"]))]) as session:
        session.run()
    written = rows(tmp_path / RUN)
    assert [(step, phase) for step, phase, _ in written] == [(4, "train"), (8, "train")]
    for step, _, values in written:
        assert values["loss"] == pytest.approx(math.fsum(losses[step - 4 : step]) / 4, rel=1e-12)
        assert values["rate/main"] == pytest.approx(0.025 * (1 + math.cos(math.pi * (step - 1) / 10)))


def test_means_do_not_depend_on_when_they_are_added_up() -> None:
    def mean(folds: set[int]) -> Any:
        log = Log("1000 steps")
        with Session(line_experiment(), record=False) as session:
            for step, value in enumerate(torch.randn(600, generator=torch.Generator().manual_seed(1))):
                log.observe(session, {"loss": value})
                if step in folds:
                    log.state()
            return log.state()

    assert mean(set()) == mean({0, 3, 50, 299}) == mean(set(range(600)))


def test_rates_of_parts_are_written_by_part(tmp_path: Path) -> None:
    parts = [{"type": "Adam", "lr": 0.01, "of": "conv"}, {"type": "SGD", "lr": 0.1}]
    run(tmp_path, learning={"optimizer": parts}, run={"epochs": 1})
    _, _, values = rows(tmp_path / RUN)[0]
    assert {name for name in values if name.startswith("rate")} == {"rate/main/conv", "rate/main/*"} or sorted(
        value for name, value in values.items() if name.startswith("rate")
    ) == [0.01, 0.1]


# Evaluate


def test_evaluations_are_written_and_the_best_is_kept(tmp_path: Path) -> None:
    session = run(tmp_path, run={"checkpoint": {"every": "never", "best": "loss", "keep": 1}})
    written = [(step, values) for step, phase, values in rows(tmp_path / RUN) if phase == "test"]
    assert [step for step, _ in written] == [6, 12, 18]
    best_step, best = min(written, key=lambda one: one[1]["loss"])
    path = checkpoints.best(tmp_path / RUN / "checkpoints")
    assert path is not None
    assert path.name == f"step-{best_step:010d}"
    assert best["loss"] <= session.metrics["test"]["loss"]


def test_the_end_is_evaluated_unless_it_just_was(tmp_path: Path) -> None:
    run(tmp_path / "a", run={"evaluate": {"every": "12 steps"}})
    assert [step for step, phase, _ in rows(tmp_path / "a" / RUN) if phase == "test"] == [12, 18]
    run(tmp_path / "b", run={"evaluate": {"every": "end"}})
    assert [step for step, phase, _ in rows(tmp_path / "b" / RUN) if phase == "test"] == [18]
    run(tmp_path / "c", run={"evaluate": {"every": "never"}})
    assert [step for step, phase, _ in rows(tmp_path / "c" / RUN) if phase == "test"] == []


def test_results_are_told_with_their_phase() -> None:
    told: list[tuple[str, set[str]]] = []
    with Session(experiment(), record=False) as session:
        evaluate = next(e for e in trainer_of(session).extensions if isinstance(e, Evaluate))
        evaluate.on_result = lambda phase, metrics: told.append((phase, set(metrics)))
        session.run(epochs=1)
    assert told == [("test", {"loss", "accuracy"})]
    assert evaluate.seconds > 0


def test_without_data_to_evaluate_on_a_run_is_not_evaluated() -> None:
    with Session(line_experiment(run={"epochs": 2}), record=False) as session:
        assert session.run().keys() == {"loss"}


@pytest.mark.parametrize(
    ("run", "given", "message"),
    [
        (
            {"early_stopping": {"metric": "loss"}},
            {"train": images()},
            "data: has no val or test phase to evaluate on, but train; hold out some training examples with "
            "data.validation",
        ),
        ({"evaluate": {"phase": "val"}}, data()["source"], "data: has no val phase, but train, test"),
        (
            {"checkpoint": {"best": "accuracy"}, "evaluate": {"every": "never"}},
            data()["source"],
            "run.checkpoint.best: is no metric of the evaluation (got 'accuracy'); known: none",
        ),
    ],
)
def test_an_evaluation_that_is_needed_and_cannot_be_is_told_before_the_run(
    run: dict[str, Any], given: Any, message: str, tmp_path: Path
) -> None:
    with (
        Session(experiment(run=run, data={"source": given}), root=tmp_path) as session,
        pytest.raises(RequestError) as error,
    ):
        session.run()
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


# Save


def test_checkpoints_are_saved_when_due_and_at_the_end(tmp_path: Path) -> None:
    run(tmp_path, run={"checkpoint": {"every": "5 steps", "keep": 9}})
    saved = [int(path.name.removeprefix("step-")) for path in checkpoints.saved(tmp_path / RUN / "checkpoints")]
    assert saved == [5, 10, 15, 18]


def test_nothing_is_saved_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[int] = []
    save = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *args, **kw: saves.append(args[1]) or save(*args, **kw))
    run(tmp_path, run={"checkpoint": {"every": "1 epoch", "best": "loss", "keep": 9}})
    assert saves == sorted(set(saves))
    with Session(experiment(), root=tmp_path, resume=True) as session:
        session.run(epochs=1)


# Extension


def test_an_extension_does_nothing_by_itself() -> None:
    extension = Extension("mine", "end")
    assert extension.state() == {}
    assert str(extension.trigger) != ""
    with Session(line_experiment(), record=False) as session:
        extension.begin(session)
        extension.observe(session, {})
        extension(session)
        extension.before_saving(session)
        extension.finish(session)
        extension.load({})


def test_an_extension_of_a_wrong_trigger_is_told() -> None:
    with pytest.raises(RequestError, match=r"^mine: must be a number and a unit"):
        Extension("mine", "often")


def test_an_extension_due_at_the_end_is_called_there() -> None:
    calls: list[int] = []

    class Last(Extension):
        def __call__(self, session: Session) -> None:
            calls.append(session.clock.step)

    with Session(experiment(run={"epochs": 1}), record=False) as session:
        trainer_of(session).extensions.append(Last("last", "end"))
        session.run()
    assert calls == [STEPS_PER_EPOCH]
