"""A running net: what can be asked of it, changed in it, saved and returned to."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import rillnet as rn
from rillnet.errors import AddressError, CheckpointError, RequestError
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.session import Session
from tests.training.small_experiments import (
    STEPS_PER_EPOCH,
    data,
    differing,
    experiment,
    image_net,
    images,
    line_data,
    line_experiment,
    state_of,
)

KNOWN = "known: net/..., learning/<rule>/rate, data/..., clock/step, metrics/..., scalars/..., control/state"


def unrecorded(made: rn.Experiment | None = None) -> Session:
    return Session(made or experiment(run={"execution": "eager"}), record=False)


# Doing


def test_a_step_learns_from_the_next_batch() -> None:
    with unrecorded() as session:
        before = state_of(session)
        scalars = session.step()
        assert list(scalars) == ["loss"]
        assert isinstance(scalars["loss"], float)
        assert differing(before, state_of(session)) != []
        for _ in range(STEPS_PER_EPOCH):
            session.learn()
        clock = session.clock
        assert (clock.step, clock.frame, clock.epochs_done, clock.batch, clock.batches) == (7, 7, 1, 1, 6)
        assert clock.examples == 22 + 4


def test_learning_needs_data_that_fit() -> None:
    with unrecorded(experiment(data=None)) as session, pytest.raises(RequestError) as error:
        session.step()
    assert str(error.value) == "data: is required to learn; give the experiment a source"
    wrong = {"image": torch.zeros(4, 1, 5, 6), "lable": torch.zeros(4)}
    with unrecorded(experiment(data=wrong)) as session, pytest.raises(RequestError) as error:
        session.step()
    assert str(error.value).splitlines() == [
        "net.inputs.image: the data sends [1, 5, 6], the net takes [1, 6, 6]",
        "net.inputs.label: the data sends no field 'label'; did you mean 'lable'?",
    ]
    other = experiment(data={**images(), "label": torch.zeros(22)})
    with unrecorded(other) as session, pytest.raises(RequestError) as error:
        session.step()
    assert str(error.value) == "net.inputs.label.dtype: the data sends float32, the net takes int64"


def test_a_data_loader_and_an_iterable_will_do() -> None:
    given = images()
    loader = DataLoader(TensorDataset(given["image"], given["label"]), batch_size=4)
    stream = [{"image": image, "label": label} for image, label in zip(*given.values(), strict=True)]
    for source in (loader, lambda: iter(stream)):
        with unrecorded(experiment(data=source, run={"epochs": 2, "evaluate": {"every": "never"}})) as session:
            session.run()
            assert session.clock.epochs_done == 2


# Predicting


def test_a_prediction_needs_no_label() -> None:
    with unrecorded() as session:
        sent = session.predict({"image": images(3)["image"]})
        assert list(sent) == ["conv", "norm", "act", "drop", "flat", "logits"]
        assert sent["logits"].shape == (3, 2)
        assert not sent["logits"].requires_grad
        assert list(session.predict(images(3), ["loss", "conv"])) == ["loss", "conv"]


def test_arrays_and_lists_are_inputs() -> None:
    with unrecorded(line_experiment()) as session:
        expected = session.predict({"x": torch.tensor([[0.5], [1.0]])})["fit"]
        for given in (np.array([[0.5], [1.0]]), [[0.5], [1.0]]):
            assert torch.equal(session.predict({"x": given})["fit"], expected)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"imaeg": [[0.0]]}, None, "net/imaeg: unknown input; did you mean 'image'?"),
        ({"q": [[0.0]]}, None, "net/q: unknown input; the net takes image, label"),
        (
            {"image": torch.zeros(1, 6, 6)},
            None,
            "net/image: takes [1, 6, 6] for each example of a batch (got [1, 6, 6])",
        ),
        ({"image": torch.zeros(1, 1, 6, 6).byte()}, None, "net/image: takes numbers of type float32 (got 'uint8')"),
        ({"label": [1, 2]}, None, "net: no block can be computed from label; the net takes image, label"),
        ({}, None, "net: no block can be computed from nothing; the net takes image, label"),
        (
            {**images(2), "label": [0]},
            None,
            "net: all inputs must have as many examples (got {'image': 2, 'label': 1})",
        ),
        (images(2), ["logit"], "net/logit: unknown block; did you mean 'logits'?"),
        ({"image": images(2)["image"]}, ["conv", "loss"], "net/loss: was not computed: it is unknown, excluded from"),
    ],
)
def test_what_cannot_be_predicted_is_told(inputs: Any, outputs: Any, message: str) -> None:
    with unrecorded() as session, pytest.raises(RequestError) as error:
        session.predict(inputs, outputs)
    assert str(error.value).startswith(message)


def test_what_is_no_array_of_numbers_is_told() -> None:
    with unrecorded() as session, pytest.raises(RequestError, match=r"^net/image: must be an array of numbers: "):
        session.predict({"image": "cat.png"})


def test_a_session_needs_an_experiment_and_inputs_need_names() -> None:
    with pytest.raises(RequestError) as error:
        Session(image_net())  # type: ignore[arg-type]
    hint = "rn.Experiment(net=..., data=..., learning=...) makes one"
    assert str(error.value) == f"a session runs an experiment or a run, not a Net; {hint}"
    with unrecorded() as session, pytest.raises(RequestError) as error:
        session.predict(torch.rand(2, 1, 6, 6))  # type: ignore[arg-type]
    names = "the net takes image, label"
    assert str(error.value) == f"inputs: are given by name, as in {{'image': ...}} (got 'Tensor'); {names}"


def test_frames_go_on_from_the_frame_before() -> None:
    net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
    with unrecorded(rn.Experiment(net=net)) as session:
        totals = [session.step({"x": [[1.0], [2.0]]})["total"].flatten().tolist() for _ in range(3)]
        assert totals == [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
        assert session.step({"x": [[1.0]]})["total"].flatten().tolist() == [1.0]
        assert session.predict({"x": [[1.0]]})["total"].flatten().tolist() == [1.0]
        assert session.step({"x": [[1.0]]})["total"].flatten().tolist() == [2.0]
        assert session.clock.step == 0


# Looking and changing


def test_addresses_are_looked_up() -> None:
    with unrecorded(experiment(learning={"rate": "Cosine"}, run={"epochs": 2})) as session:
        assert session["net/conv/weight"] is session.net["conv"].weight
        assert session["net/norm/running_mean"].shape == (3,)
        assert session["learning/main/rate"] == 0.05
        session.run(steps=7)
        assert 0 < session["learning/main/rate"] < 0.05
        assert (session["clock/step"], session["clock/epoch"]) == (7, pytest.approx(7 / 6))


def test_rates_of_parts_are_looked_up() -> None:
    parts = [{"type": "Adam", "lr": 0.01, "of": "conv"}, {"type": "SGD", "lr": 0.1}]
    with unrecorded(experiment(learning={"optimizer": parts})) as session:
        rates = session["learning/main/rate"]
        assert sorted(rates.values()) == [0.01, 0.1]
        assert session["learning/main/rate/conv"] == 0.01


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("net/conv/wieght", "did you mean 'net/conv/weight'?"),
        ("net", KNOWN),
        ("learning/mian/rate", "did you mean 'learning/main/rate'?"),
        ("learning/main/rates", "did you mean 'learning/main/rate'?"),
        ("clock/copy", "did you mean 'clock/step'?"),
        ("weather", KNOWN),
    ],
)
def test_unknown_addresses_are_told(address: str, hint: str) -> None:
    with unrecorded() as session, pytest.raises(AddressError) as error:
        session[address]
    assert str(error.value).removesuffix(f"; {hint}") == f"{address}: unknown address"


def test_parameters_and_buffers_are_set_in_place(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as session:
        weight = session["net/logits/weight"]
        session.set("net/logits/weight", 0.5)
        session.set("net/logits/bias", [1, 2])
        session.set("net/norm/running_mean", torch.ones(3))
        assert session["net/logits/weight"] is weight
        assert bool((weight == 0.5).all())
        assert weight.requires_grad
        assert session["net/logits/bias"].tolist() == [1.0, 2.0]
        session.checkpoint()
        session.set("net/logits/bias", 0)
        session.run(steps=1)
    lines = (tmp_path / "small" / "1" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == [
        "set net/logits/weight 0.5",
        "set net/logits/bias [1, 2]",
        "set net/norm/running_mean [1.0, 1.0, 1.0]",
        "set net/logits/bias 0",
        "execution",
    ]


def test_what_is_set_after_a_checkpoint_is_saved_at_the_end(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as session:
        session.run(steps=4)
        session.set("net/logits/bias", 7)
        session.checkpoint()
        session.run(steps=1)
    with Session(experiment(), root=tmp_path, resume=True) as session:
        session.run(steps=3)
        session.set("net/logits/bias", 7)
        session.run()
        session.set("net/logits/bias", 9)
        session.run()
    saved, _ = checkpoints.newest(tmp_path / "small" / "1" / "checkpoints")
    assert saved is not None
    assert saved.tensors("parameters")["net/logits/bias"].tolist() == [9.0, 9.0]


def test_a_rate_is_held_whatever_its_curve_says_and_given_back() -> None:
    with unrecorded(experiment(learning={"rate": "Cosine"}, run={"epochs": 2})) as session:
        session.run(steps=3)
        session.set("learning/main/rate", 0.5)
        assert session["learning/main/rate"] == 0.5
        session.run(steps=2)
        assert session["learning/main/rate"] == 0.5
        session.set("learning/main/rate", None)
        session.run(steps=1)
        assert 0 < session["learning/main/rate"] < 0.05


def test_a_rate_that_is_held_is_journaled_and_resumed(tmp_path: Path) -> None:
    def made() -> rn.Experiment:
        return experiment(learning={"rate": "Cosine"}, run={"execution": "eager"})

    def hold(session: Session) -> None:
        if session.clock.step == 4:
            session.set("learning/main/rate", 0.2)

    with Session(made(), root=tmp_path / "whole", observers=[hold]) as whole:
        whole.run()
    with Session(made(), root=tmp_path / "parts", observers=[hold]) as first:
        first.run(steps=7)
    with Session(made(), root=tmp_path / "parts", resume=True) as last:
        assert last["learning/main/rate"] == 0.2
        last.run()
        assert differing(state_of(whole), state_of(last)) == []
    lines = (tmp_path / "parts" / "small" / "1" / "journal.jsonl").read_text().splitlines()
    noted = [json.loads(line) for line in lines]
    assert [(one["text"], one["step"]) for one in noted if one["kind"] == "command"] == [
        ("set learning/main/rate 0.2", 4)
    ]


def test_rates_of_parts_are_held_one_by_one() -> None:
    parts = [{"type": "Adam", "lr": 0.01, "of": "conv"}, {"type": "SGD", "lr": 0.1}]
    with unrecorded(experiment(learning={"optimizer": parts})) as session:
        session.set("learning/main/rate/conv", 0.5)
        assert sorted(session["learning/main/rate"].values()) == [0.1, 0.5]
        session.set("learning/main/rate", 0.25)
        assert set(session["learning/main/rate"].values()) == {0.25}


@pytest.mark.parametrize(
    ("address", "value", "message"),
    [
        ("net/logits/bias", [1.0, 2, 3], "net/logits/bias: must have the shape [2] (got [3])"),
        ("net/logits/bias", "high", "net/logits/bias: must be a number, or an array of numbers (got 'high')"),
        ("net/logits/bais", 1, "net/logits/bais: unknown address; did you mean 'net/logits/bias'?"),
        (
            "learning/main/rate",
            -1,
            "learning/main/rate: must be a number, at least 0 (got -1); None gives it back to its curve",
        ),
        ("learning/main/rat", 1, "learning/main/rat: unknown address; did you mean 'learning/main/rate'?"),
        ("clock/step", 1, "clock/step: cannot be set"),
    ],
)
def test_what_cannot_be_set_is_told(address: str, value: Any, message: str) -> None:
    with unrecorded() as session, pytest.raises(RequestError) as error:
        session.set(address, value)
    assert str(error.value) == message


# Saving and going on


def test_a_session_returns_to_a_checkpoint_exactly(tmp_path: Path) -> None:
    learning = {"optimizer": {"type": "Adam", "lr": 0.01}, "accumulate": 2}
    with Session(experiment(learning=learning, run={"checkpoint": {"keep": 9}}), root=tmp_path) as session:
        fresh = session.checkpoint()
        session.run(steps=5)
        path = session.checkpoint()
        ends = []
        for _ in range(2):
            session.load_checkpoint(checkpoints.load(path))
            assert session.clock.step == 5
            session.run(steps=4)
            ends.append(state_of(session))
        assert differing(*ends) == []
        session.load_checkpoint(checkpoints.load(fresh))
        assert (session.clock.step, session.feed.state()) == (0, {"epoch": 0, "batch": 0})
        session.run(steps=9)
        assert differing(ends[0], state_of(session)) == []


def test_what_came_after_a_checkpoint_that_is_gone_back_to_is_set_aside(tmp_path: Path) -> None:
    said: list[str] = []
    settings = {"checkpoint": {"keep": 9, "every": "3 steps"}, "log": "1 steps", "execution": "eager"}
    with Session(experiment(run=settings), root=tmp_path, say=said.append) as session:
        session.run(steps=9)
        folder = tmp_path / "small" / "1" / "checkpoints"
        session.load_checkpoint(checkpoints.load(folder / "step-0000000003"))
        assert [path.name for path in checkpoints.saved(folder)][-1] == "step-0000000009"  # looking moves nothing
        session.set("net/logits/bias", 0.0)
        session.run(steps=1)
        names = [path.name for path in checkpoints.saved(folder)]
        assert names == ["step-0000000003", "step-0000000004"]
        expected = state_of(session)
    aside = [f"set aside, as the run has gone back to step 3: {folder}/set-aside-step-{n:010d}" for n in (6, 9)]
    assert said[-2:] == aside
    rows = [json.loads(line) for line in (tmp_path / "small" / "1" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["phase"] == "train"] == [1, 2, 3, 4]
    with Session(experiment(run=settings), root=tmp_path, resume=True) as again:
        assert again.clock.step == 4
        assert differing(expected, state_of(again)) == []


def test_a_run_whose_data_came_from_python_says_so(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as session:
        session.run(steps=1)
    loaded = rn.load(tmp_path / "small" / "1")
    message = (
        "data: of small/1 were handed in from Python, and a run keeps none of them; in the program that made it, "
        "rn.Session(experiment, resume=True) has them"
    )
    assert isinstance(loaded, rn.Run)
    with Session(loaded, root=tmp_path) as session:
        for ask in (session.run, session.evaluate):
            with pytest.raises(RequestError) as error:
                ask()
            assert str(error.value) == message


def test_a_checkpoint_of_another_net_or_experiment_is_refused(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as session:
        session.run(steps=1)
        saved = checkpoints.load(session.checkpoint())
    with unrecorded(line_experiment()) as session, pytest.raises(CheckpointError, match="does not fit the net: "):
        session.load_checkpoint(saved)
    rule = {"type": "Backprop", "optimizer": "SGD"}
    other = rn.Experiment(net=image_net(), data=data(), learning={"other": rule})
    with unrecorded(other) as session, pytest.raises(CheckpointError) as error:
        session.load_checkpoint(saved)
    assert str(error.value) == (f"{saved.path}: is of other learning rules: it has main, the experiment has other")


def test_a_session_without_record_has_no_checkpoints() -> None:
    with unrecorded() as session, pytest.raises(RequestError) as error:
        session.checkpoint()
    assert str(error.value) == "this session keeps no record, so it has no checkpoints; make it with record=True"


def test_looking_makes_no_run_directory(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path / "runs", resume=True) as session:
        session.evaluate("test")
        session.predict(images(2))
        session["net/conv/weight"]
        assert session.open_record is None
    assert not (tmp_path / "runs").exists()


def test_a_second_session_on_a_run_is_refused_by_name_of_the_first(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as first:
        first.run(steps=1)
        with pytest.raises(RequestError) as error:
            Session(experiment(), root=tmp_path, resume=True)
        assert f"small/1: is in use by process {os.getpid()} on " in str(error.value)
    with Session(experiment(), root=tmp_path, resume=True) as second:
        assert second.clock.step == 1


def test_a_new_run_gets_a_number_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        with Session(experiment(), root=tmp_path) as session:
            session.run(steps=1)
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["1", "2"]


def test_other_settings_are_another_run(tmp_path: Path) -> None:
    with Session(experiment(), root=tmp_path) as session:
        session.run(steps=1)
    with Session(experiment(data=data(shuffle=False)), root=tmp_path, resume=True) as session:
        assert session.clock.step == 0


def test_a_loaded_run_is_gone_on_with(tmp_path: Path) -> None:
    document = tmp_path / "line.yaml"
    document.write_text(
        "experiment: digits\n"
        "net: {inputs: {image: [1, 8, 8], label: {dtype: int64}}, blocks: {flat: {type: Flatten, from: image}, "
        "logits: {type: Linear, out_features: 10}, loss: {type: CrossEntropy, from: [logits, label]}}}\n"
        "data: {source: Digits, batch_size: 512}\n"
        "learning: {main: {type: Backprop}}\n"
        "run: {epochs: 2, seed: 1, execution: eager}\n"
    )
    made = rn.load(document)
    assert isinstance(made, rn.Experiment)
    with Session(made, root=tmp_path) as session:
        session.run(steps=2)
        half = state_of(session)
    run = rn.load("digits/1", root=tmp_path)
    assert isinstance(run, rn.Run)
    with Session(run) as session:
        assert differing(half, state_of(session)) == []
        session.run()
        assert session.clock.step == 6
        assert session.open_record is not None
        assert session.open_record.directory.path == tmp_path / "digits" / "1"


def test_what_a_user_should_know_is_logged_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rillnet"), unrecorded() as session:
        session.run(steps=1)
    assert [record.message for record in caplog.records if record.message.startswith("execution: ")] != []


def test_a_net_that_was_handed_in_is_trained_in_place() -> None:
    net = image_net()
    with unrecorded(experiment(net=net)) as session:
        assert session.net is net
        session.run(steps=1)


def test_line_data_are_learned() -> None:
    with unrecorded(line_experiment(data=line_data(batch_size=8))) as session:
        assert session.run(steps=200)["loss"] < 1e-5
        assert session["net/fit/weight"].item() == pytest.approx(2, abs=0.01)
