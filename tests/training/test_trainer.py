"""The loop: how long it goes on, how it is interrupted and resumed, what it leaves behind."""

from __future__ import annotations

import math
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.errors import CheckpointError, Interrupted, RequestError, RunError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.extensions import Extension
from tests.training.small_experiments import (
    BATCH,
    STEPS_PER_EPOCH,
    Explosion,
    Toll,
    data,
    differing,
    experiment,
    image_net,
    images,
    line_experiment,
    rows,
    state_of,
    trainer_of,
)

WHOLE = 3 * STEPS_PER_EPOCH
GOES_ON = re.escape("rn.Session(experiment, resume=True) goes on")

TOLL = "tests.training.small_experiments:Toll"


def nested_net() -> rn.Net:
    """Two units of one kind with a parameter in common, one inside the other net."""
    unit = rn.Net("unit", inputs={"x": (3, 4, 4)})
    unit.add("conv", rn.Conv2d(out_channels=3, kernel_size=3, padding=1)).add("drop", rn.Dropout2d(p=0.3))
    unit.add("again", rn.Conv2d(out_channels=3, kernel_size=3, padding=1), share={"weight": "conv.weight"})
    unit.add("sum", rn.Sum(), source=["again", "x"])
    return image_net(unit=unit)


def one_by_one() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The training examples as an iterable sends them."""
    return zip(*images().values(), strict=True)


VARIANTS: dict[str, dict[str, Any]] = {
    "momentum": {},
    "adam": {"learning": {"optimizer": {"type": "Adam", "lr": 0.01}}},
    "adamw, clipped": {"learning": {"optimizer": {"type": "AdamW", "lr": 0.01}, "clip": 0.5}},
    "accumulated": {"learning": {"accumulate": 3, "clip": {"norm": 1.0}}},
    "averaged": {"run": {"average": 0.9}},
    "augmented": {"data": data(augment=[{"type": "Flip"}, {"type": "Noise", "std": 0.1}])},
    "unshuffled, dropping": {"data": data(shuffle=False, drop_last=True)},
    "parts": {
        "learning": {
            "optimizer": [
                {"type": "Adam", "lr": 0.01, "of": "conv"},
                {"type": "SGD", "lr": 0.1, "weight_decay": 0.01, "rate": {"type": "Exponential", "factor": 0.9}},
            ],
            "rate": "Cosine",
            "factors": {"*/bias": {"rate": 2, "decay": 0}},
        }
    },
    "warm-up": {"learning": {"rate": {"type": "Warmup", "steps": "5 steps", "then": "Cosine"}}},
    "penalties": {"learning": {"optimizer": {"type": "SGD", "lr": 0.1, "l1": 1e-3, "max_norm": 0.5}}},
    "bf16": {"run": {"precision": "bf16"}},
    "fp64": {"run": {"precision": "fp64"}},
    "fp16, accumulated": {"run": {"precision": "fp16"}, "learning": {"accumulate": 3, "clip": 1.0}},
    "channels-last": {
        "learning": {"optimizer": {"type": "AdamW", "lr": 0.01}, "accumulate": 2},
        "run": {"execution": {"memory_format": "channels_last", "optimizer": "fused"}},
    },
    "single": {"run": {"execution": {"optimizer": "single"}}},
    "best and stopping": {
        "run": {
            "evaluate": {"every": "2 steps"},
            "checkpoint": {"every": "5 steps", "best": "accuracy", "keep": 1},
            "early_stopping": {"metric": "accuracy", "patience": 4},
        }
    },
    "extension": {"run": {"extensions": [TOLL]}},
    "streaming": {"rollout": "streaming"},
    "nested and shared": {"net": nested_net, "run": {"average": 0.5}},
    "iterable": {"data": data(source={"train": one_by_one, "test": images(6)})},
    "held out": {"data": {"source": images(), "batch_size": BATCH, "validation": 4}},
    "several rules": {
        "rules": {
            "a": {"type": "Backprop", "parameters": "conv", "optimizer": {"type": "Adam", "lr": 0.01}},
            "b": {"type": "Backprop", "parameters": "logits", "accumulate": 2, "clip": 1.0},
        }
    },
}


def variant(name: str) -> rn.Experiment:
    return experiment(**{key: part() if key == "net" else part for key, part in VARIANTS[name].items()})


def silent(text: str) -> None:
    """Whom a session tells nothing."""


def session_of(made: rn.Experiment, root: Path, **keywords: Any) -> Session:
    return Session(made, root=root, resume=True, say=keywords.pop("say", silent), **keywords)


def memory_of(session: Session) -> Any:
    """What a checkpoint keeps besides tensors, of what is not a place or a time."""
    values = checkpoints.newest(session.open_record.directory.checkpoints)[0].values
    return {key: values[key] for key in ("clock", "feed", "rules", "trainer", "metrics")}


# Stopping and going on


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_stopped_anywhere_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    with session_of(variant(name), tmp_path / "whole") as whole:
        metrics = whole.run()
        expected, remembered = state_of(whole), memory_of(whole)
        measured = rows(tmp_path / "whole" / "small" / "1")

    for stop in (5, 9):  # a step after a checkpoint, in the first epoch and in the second
        root = tmp_path / f"stopped{stop}"
        killed_after(variant(name), root, stop)
        with session_of(variant(name), root) as second:
            assert second.run() == metrics
            assert differing(expected, state_of(second)) == []
            assert memory_of(second) == remembered
        assert rows(root / "small" / "1") == measured


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_compiled_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    def made() -> rn.Experiment:  # stopped before a short batch, so that sizes are compiled in another order
        return experiment(run={"execution": {"compile": True}, "checkpoint": {"every": "5 steps"}})

    with session_of(made(), tmp_path / "whole") as whole:
        whole.run()
        expected = state_of(whole)
    killed_after(made(), tmp_path / "stopped", 5)
    with session_of(made(), tmp_path / "stopped") as second:
        second.run()
        assert differing(expected, state_of(second)) == []


def killed_after(made: rn.Experiment, root: Path, steps: int) -> None:
    """Runs until a step is done, and leaves all as a killed process would."""

    class KilledError(BaseException):
        """Ends a run without anything being saved."""

    def kill(session: Session) -> None:
        if session.clock.step == steps:
            raise KilledError

    with session_of(made, root, observers=[kill]) as session, pytest.raises(KilledError):
        session.run()


def test_a_run_interrupted_at_every_step_ends_with_the_same_bits(tmp_path: Path) -> None:
    def made() -> rn.Experiment:
        return variant("accumulated")

    with session_of(made(), tmp_path / "whole") as whole:
        whole.run()
        expected = state_of(whole)
    for step in range(1, WHOLE):
        with (
            session_of(made(), tmp_path / "parts", observers=[lambda _: os.kill(os.getpid(), signal.SIGINT)]) as part,
            pytest.raises(Interrupted, match=rf"^interrupted after step {step} and saved; {GOES_ON}$"),
        ):
            part.run()
    with session_of(made(), tmp_path / "parts") as last:
        last.run()
        assert differing(expected, state_of(last)) == []
    train = [(step, values) for step, phase, values in rows(tmp_path / "parts" / "small" / "1") if phase == "train"]
    assert train == [
        (step, values) for step, phase, values in rows(tmp_path / "whole" / "small" / "1") if phase == "train"
    ]


def test_runs_in_parts_are_the_run_in_one(tmp_path: Path) -> None:
    with session_of(variant("best and stopping"), tmp_path / "whole") as whole:
        whole.run()
        expected = state_of(whole)
        stopped_at = whole.clock.step
    with session_of(variant("best and stopping"), tmp_path / "parts") as parts:
        while parts.trainer.stop_reason is None and parts.clock.step < stopped_at:
            parts.run(steps=min(3, stopped_at - parts.clock.step))
        assert differing(expected, state_of(parts)) == []


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(tmp_path: Path) -> None:
    with session_of(experiment(), tmp_path / "whole") as whole:
        whole.run()
        expected = state_of(whole)
    killed_after(experiment(), tmp_path / "cut", 10)
    folder = tmp_path / "cut" / "small" / "1" / "checkpoints"
    (folder / "step-0000000008" / "parameters.safetensors").write_bytes(b"nothing")

    said: list[str] = []
    with session_of(experiment(), tmp_path / "cut", say=said.append) as second:
        assert second.clock.step == 4
        second.run()
        assert differing(expected, state_of(second)) == []
    assert said[0].startswith(f"{folder / 'step-0000000008' / 'parameters.safetensors'}: ")
    assert said[0].endswith("; going back to the checkpoint before")
    assert said[1] == "going on with small/1 from step 4"
    assert rows(tmp_path / "cut" / "small" / "1") == rows(tmp_path / "whole" / "small" / "1")


def test_a_run_of_which_all_checkpoints_are_damaged_is_not_begun_anew(tmp_path: Path) -> None:
    killed_after(experiment(), tmp_path, 5)
    (tmp_path / "small" / "1" / "checkpoints" / "step-0000000004" / "manifest.json").write_text("{")
    for _ in range(2):  # the first attempt lets go of the directory
        with pytest.raises(CheckpointError, match=r"every checkpoint is damaged; --fresh starts anew$"):
            session_of(experiment(), tmp_path)


def test_killed_before_the_first_checkpoint_it_begins_again_in_the_same_directory(tmp_path: Path) -> None:
    killed_after(experiment(), tmp_path, 2)
    with session_of(experiment(), tmp_path) as second:
        assert second.clock.step == 0
        assert second.prepare() is None
        assert second.choice == second.open_record.choice()
        second.run()
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["1"]


# How long


def test_the_length_is_the_documents_or_told(tmp_path: Path) -> None:
    with session_of(experiment(), tmp_path) as session:
        session.run(steps=2)
        session.run(epochs=1)
        assert session.clock.step == 2 + STEPS_PER_EPOCH
        session.run(frames=1)
        assert session.open_record is not None
        assert session.open_record.directory.status == "interrupted"
        metrics = session.run()
        assert session.clock.step == WHOLE
        assert session.open_record.directory.status == "finished"
        assert session.run() == metrics  # nothing is left to do
        assert session.clock.step == WHOLE
        session.run(epochs=1)
        assert session.clock.step == WHOLE + STEPS_PER_EPOCH


def test_a_run_without_length_says_so() -> None:
    with (
        Session(line_experiment(), record=False) as session,
        pytest.raises(RequestError, match=r"^run: must say how long: epochs, steps or frames$"),
    ):
        session.run()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"epochs": 1, "steps": 2}, "epochs and steps do not go together: one of them says how long"),
        ({"steps": 0}, "steps: must be a whole number, at least 1 (got 0)"),
        ({"epochs": 0.5}, "epochs: must be a whole number, at least 1 (got 0.5)"),
        ({"frames": True}, "frames: must be a whole number, at least 1 (got True)"),
    ],
)
def test_a_wrong_length_is_told(told: dict[str, Any], message: str) -> None:
    with Session(line_experiment(), record=False) as session, pytest.raises(RequestError) as error:
        session.run(**told)
    assert str(error.value) == message


def test_a_run_stopped_early_is_finished_and_can_be_told_to_go_on(tmp_path: Path) -> None:
    run = {"evaluate": {"every": "1 step"}, "early_stopping": {"metric": "loss", "patience": 1, "min_delta": 100.0}}
    said: list[str] = []
    with session_of(experiment(run=run), tmp_path, say=said.append) as session:
        session.run()
        assert session.clock.step == 2
        assert session.open_record is not None
        assert session.open_record.directory.status == "finished"
        session.run()
        assert session.clock.step == 2
        session.run(steps=1)
        assert session.clock.step == 3
    assert said[1] == "stopped early: loss has not improved for 1 evaluation"


# Interruptions and failures


def test_a_source_that_stops_at_its_end_ends_the_run_as_done(tmp_path: Path) -> None:
    def made() -> rn.Experiment:
        net = rn.Net("line", inputs={"x": (2,), "y": (1,)}, seed=1)
        net.add("p", rn.Linear(out_features=1), source="x").add("loss", rn.MeanSquaredError(), source=["p", "y"])
        frames = {"x": torch.arange(40.0).view(20, 2) / 40, "y": torch.ones(20, 1)}
        data = rn.open_data(FrameArrays(frames, at_end="stop"), batch_size=4)
        learning = {"main": {"type": "Backprop", "loss": "loss", "optimizer": {"type": "SGD", "lr": 0.1}}}
        return rn.Experiment(net=net, data=data, learning=learning, run={"frames": 100, "execution": "eager"})

    said: list[str] = []
    with Session(made(), root=tmp_path, say=said.append) as session:
        session.run()
        assert session.clock.step == 5
        assert session.record is not None
        status = session.record.directory.read_status()

    assert (status.status, status.step) == ("finished", 5)
    ended = "data.source.train: has ended after 5 frames; at_end: repeat or hold goes on"
    assert session.trainer.stop_reason == ended
    assert f"done: {ended}" in said


def test_a_signal_lets_the_step_finish_and_saves(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        root = tmp_path / number.name
        observers = [lambda _, number=number: os.kill(os.getpid(), number)]
        with session_of(experiment(), root, observers=observers) as session:
            with pytest.raises(Interrupted) as error:
                session.run()
            assert error.value.exit_code == 130
            assert session.clock.step == 1
            status = session.open_record.directory.read_status()
        assert (status.status, status.step, status.error) == ("interrupted", 1, "")
        saved, damaged = checkpoints.newest(root / "small" / "1" / "checkpoints")
        assert saved is not None
        assert (saved.step, damaged) == (1, [])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_at_the_end_lets_the_end_finish(tmp_path: Path) -> None:
    class Late(Extension):
        def finish(self, session: Session) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with session_of(experiment(), tmp_path) as session:
        trainer_of(session).extensions.insert(0, Late("late", "never"))
        with pytest.raises(Interrupted, match=r"^interrupted after step 18, when all was done and saved$"):
            session.run()
        assert session.open_record is not None
        assert session.open_record.directory.status == "finished"


def test_a_session_without_record_is_interrupted_too() -> None:
    with (
        Session(experiment(), record=False, observers=[lambda _: os.kill(os.getpid(), signal.SIGINT)]) as session,
        pytest.raises(Interrupted, match=r"^interrupted after step 1$"),
    ):
        session.run()


def test_in_a_thread_signals_are_left_alone() -> None:
    seen: list[Any] = []

    def run() -> None:
        with Session(line_experiment(run={"steps": 2}), record=False, observers=[watch]) as session:
            session.run()

    def watch(session: Session) -> None:
        seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)] * 2


def test_an_error_in_a_step_marks_the_run_as_failed(tmp_path: Path) -> None:
    def fail(session: Session) -> None:
        if session.clock.step == 6:
            raise ValueError("a fault of the user's")

    with session_of(experiment(), tmp_path, observers=[fail]) as session:
        with pytest.raises(ValueError, match="a fault of the user's"):
            session.run()
        status = session.open_record.directory.read_status()
    assert (status.status, status.step, status.error) == ("failed", 6, "a fault of the user's")
    with session_of(experiment(), tmp_path) as second:  # the lock was released, and the run can be gone on with
        assert second.clock.step == 4


def test_a_request_that_cannot_be_done_makes_no_run(tmp_path: Path) -> None:
    faulty = experiment(data={"source": {"image": images()["image"]}, "batch_size": BATCH})
    with session_of(faulty, tmp_path) as session, pytest.raises(RequestError) as error:
        session.run()
    assert str(error.value) == "net.inputs.label: the data sends no field 'label'; it sends image"
    assert list(tmp_path.iterdir()) == []


# Numbers that are not finite


def exploding(frame: int, tmp_path: Path, **run: Any) -> tuple[Session, pytest.ExceptionInfo[RunError]]:
    made = experiment(net=image_net(boom=Explosion(frame)), run=run)
    with session_of(made, tmp_path) as session, pytest.raises(RunError) as error:
        session.run()
    return session, error


@pytest.mark.parametrize("run", [{}, {"log": "never"}, {"log": "100 steps", "checkpoint": {"every": "never"}}])
def test_a_loss_that_is_not_finite_ends_the_run_and_is_not_saved(run: dict[str, Any], tmp_path: Path) -> None:
    _, error = exploding(6, tmp_path, **run)
    folder = tmp_path / "small" / "1"
    saved = [path.name for path in checkpoints.saved(folder / "checkpoints")]
    assert saved in ([], ["step-0000000004"])
    safe = f"checkpoint {saved[-1]} is intact" if saved else "no checkpoint was saved before"
    assert re.fullmatch(
        r"learning/main: its change of net/conv/weight holds NaN or infinity in frame 6: with the parameters of now, "
        r"all that its batch makes is finite; it was not applied; lower the learning rate, clip the gradient, or look "
        rf"at the data; its inputs are in \S+frame-6\.safetensors; {safe}",
        str(error.value),
    )
    status = RunDirectory.open(folder).read_status()
    assert (status.status, status.error) == ("failed", str(error.value))


def test_parameters_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    def spoil(session: Session) -> None:
        session.net["logits"].bias.data[0] = math.inf

    with (
        session_of(line_experiment(net=image_net(), data=data()), tmp_path, observers=[spoil]) as session,
        pytest.raises(RunError) as error,
    ):
        session.run(steps=1)
    assert str(error.value) == (
        "net/logits/bias: holds NaN or infinity after step 1, which is not saved; lower the learning rate, clip the "
        "gradient, or look at the data; no checkpoint was saved before"
    )


# Extensions


def test_extensions_of_a_users_are_called_and_resumed(tmp_path: Path) -> None:
    made = experiment(run={"extensions": [{"type": TOLL, "limit": 3.0}]})
    with session_of(made, tmp_path) as session:
        session.run()
        toll = next(e for e in trainer_of(session).extensions if isinstance(e, Toll))
        assert session.trainer.stop_reason == "the toll is too high"
        assert toll.seen > 3.0
        assert toll.calls == session.clock.step // 2


def test_extensions_of_one_name_are_refused() -> None:
    with pytest.raises(RequestError) as error:
        Session(experiment(run={"extensions": [TOLL, TOLL]}), record=False)
    rule = "Toll and Toll have the same name; give each extension one of its own"
    assert str(error.value) == f"run.extensions: {rule} (got 'toll')"


# Nothing is disturbed


def test_watching_changes_nothing(tmp_path: Path) -> None:
    quiet = {"evaluate": {"every": "never"}, "log": "never", "checkpoint": {"every": "never"}}
    with Session(experiment(run=quiet), record=False) as session:
        session.run()
        expected = state_of(session)

    def look(session: Session) -> None:
        torch.randn(3)
        session.evaluate("test")
        session.predict({"image": images(3, seed=5)["image"]})
        session["learning/main/rate"]

    watched = experiment(run={"evaluate": {"every": "1 step"}, "log": "1 step", "checkpoint": {"every": "1 step"}})
    with Session(watched, root=tmp_path, observers=[look]) as session:
        session.run()
        assert differing(expected, state_of(session)) == []


def test_threads_are_those_of_the_run_while_it_runs_only() -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    run = {"execution": {"threads": before + 1}, "steps": 2}
    with Session(
        line_experiment(run=run), record=False, observers=[lambda _: seen.append(torch.get_num_threads())]
    ) as session:
        session.run()
        session.predict({"x": [[1.0]]})
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before


def test_nothing_grows_while_it_runs() -> None:
    def made() -> Session:
        quiet = {"log": "never", "evaluate": {"every": "never"}, "checkpoint": {"every": "never"}, "steps": 600}
        return Session(line_experiment(run=quiet), record=False, observers=[count])

    alive: list[int] = []

    def count(session: Session) -> None:
        assert not any(value.requires_grad for value in session.scalars.values())
        if session.clock.step in (300, 600):
            log = trainer_of(session).extensions[0]
            alive.append(sum(len(kept) for kept in (*log._recent.values(), *log._steps.values())))

    with made() as session:
        session.run()
    assert max(alive) <= 2 * 256
