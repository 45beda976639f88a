"""Metrics over a phase: exact however the batches fall, and told where there is nothing to evaluate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.layers.metrics import Metric
from rillnet.runtime.session import Session
from rillnet.training.evaluation import _frames_added, _frames_unreached, check_phase
from rillnet.training.trainer import Trainer
from tests.training.small_experiments import (
    data,
    differing,
    experiment,
    image_net,
    images,
    line_data,
    line_experiment,
    state_of,
)


class Widest(Metric):
    """The largest number of a phase, which no mean over batches gives; adds as a histogram does."""

    def statistics(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        (x,) = inputs
        return torch.histc(x, bins=64, min=-8, max=8).to(torch.float64)

    def value(self, statistics: Tensor) -> Tensor:
        return statistics.nonzero().max().to(torch.float32)


def evaluated(made: rn.Experiment, phase: Any = "test") -> dict[str, float]:
    with Session(made, record=False) as session:
        return session.evaluate(phase)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_size_of_batches_changes_nothing(batch_size: int, precision: str) -> None:
    def made(size: int) -> rn.Experiment:
        run = {"precision": precision, "execution": "eager"}
        return experiment(data=data(evaluation_batch_size=size), run=run)

    whole, parts = evaluated(made(10)), evaluated(made(batch_size))
    assert whole.keys() == {"loss", "accuracy"}
    assert parts == pytest.approx(whole, rel=1e-5 if precision == "fp32" else 1e-2)
    assert parts["accuracy"] == whole["accuracy"] or precision == "bf16"


def test_half_precision_is_added_up_in_full() -> None:
    made = experiment(data=data(evaluation_batch_size=10), run={"precision": "bf16"})
    with Session(made, record=False) as session:
        loss = session.evaluate("test")["loss"]
        scores = session.predict({"image": images(10, seed=1)["image"]})["logits"].float()
    assert loss == pytest.approx(float(nn.functional.cross_entropy(scores, images(10, seed=1)["label"])), rel=1e-5)


def test_foreign_losses_count_examples() -> None:
    net = image_net()
    net.add("plain", nn.CrossEntropyLoss(), source=["logits", "label"])
    net.add("added", nn.CrossEntropyLoss(reduction="sum"), source=["logits", "label"])
    one = evaluated(experiment(net=net, data=data(evaluation_batch_size=10)))
    parts = evaluated(experiment(net=net, data=data(evaluation_batch_size=3)))
    assert parts == pytest.approx(one, rel=1e-5)
    assert one["plain"] == pytest.approx(one["loss"], rel=1e-6)
    assert one["added"] == pytest.approx(10 * one["loss"], rel=1e-6)


def test_metrics_inside_nets_are_evaluated_under_their_paths() -> None:
    inner = rn.Net("inner", inputs={"x": (2,), "y": rn.Scalar("int64")})
    inner.add("again", rn.Linear(out_features=2), source="x")
    inner.add("hits", rn.Accuracy(), source=["again", "y"], exclude="train").add("out", rn.Identity(), source="again")
    net = image_net()
    net.add("head", inner, source=["logits", "label"]).add("widest", Widest(), source="head", exclude=("train", "val"))
    one = evaluated(experiment(net=net, data=data(evaluation_batch_size=10)))
    parts = evaluated(experiment(net=net, data=data(evaluation_batch_size=4)))
    assert parts == pytest.approx(one, rel=1e-5)
    assert one.keys() == {"loss", "accuracy", "head/hits", "widest"}
    assert (one["head/hits"], one["widest"]) == (parts["head/hits"], parts["widest"])


def test_metrics_read_parts_of_what_a_block_sends_and_inputs() -> None:
    net = rn.Net("parts", inputs={"x": (4,), "y": (4,)})
    net.add("rows", rn.Unflatten(dim=1, unflattened_size=[2, 2]), source="x")
    net.add("rnn", rn.GRU(hidden_size=4, batch_first=True))
    net.add("flat", rn.Flatten(), source="rnn[0]").add("fit", rn.Linear(out_features=4))
    net.add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    net.add("same", rn.MeanSquaredError(), source=["x", "x"], exclude="train")
    net.add("last", rn.MeanSquaredError(), source=["rnn[1]", "rnn[1]"], exclude="train")
    values = torch.randn(7, 4)
    given = {"source": {"test": {"x": values, "y": values}}}
    one = evaluated(rn.Experiment(net=net, data={**given, "batch_size": 7}))
    parts = evaluated(rn.Experiment(net=net, data={**given, "batch_size": 3}))
    assert parts == pytest.approx(one, rel=1e-5)
    assert (one["same"], one["last"]) == (0.0, 0.0)


def test_what_is_read_of_earlier_frames_does_not_break_an_evaluation() -> None:
    net = image_net()
    net.add("before", rn.CrossEntropy(), source=["logits@-1", "label"])
    assert evaluated(experiment(net=net)).keys() == {"loss", "accuracy", "before"}


def test_learning_is_not_disturbed() -> None:
    def run(*, looks: bool) -> tuple[dict[str, Tensor], list[float]]:
        losses = []
        with Session(experiment(run={"average": 0.5, "execution": "eager"}), record=False) as session:
            for _ in range(9):
                losses.append(float(session.learn()["loss"]))
                if looks:
                    before = state_of(session)
                    session.evaluate("test")
                    assert differing(before, state_of(session)) == []
            return state_of(session), losses

    (quiet, losses), (looked, others) = run(looks=False), run(looks=True)
    assert losses == others
    assert differing(quiet, looked) == []


def test_averages_are_what_is_evaluated_and_predicted_with() -> None:
    with Session(experiment(run={"average": 0.99}), record=False) as session:
        session.run(steps=10)
        loss = session.evaluate("test")["loss"]
        assert isinstance(session.trainer, Trainer)
        average = session.trainer.average
        assert average is not None
        for address, parameter in session.net.parameters_by_address().items():
            parameter.data.copy_(average.state_tensors()[f"{address}#average"])
        scores = session.predict({"image": images(10, seed=1)["image"]})["logits"]
        assert float(nn.functional.cross_entropy(scores, images(10, seed=1)["label"])) == pytest.approx(loss, rel=1e-5)


def test_without_a_phase_val_is_taken_before_test() -> None:
    both = data()
    both["source"]["val"] = images(6, seed=9)
    with Session(experiment(data=both), record=False) as session:
        assert session.evaluate() == session.evaluate("val")
        assert session.evaluate() != session.evaluate("test")


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        ("tset", "phase: must be val or test (got 'tset'); did you mean 'test'?"),
        ("train", "phase: must be val or test (got 'train')"),
        ("val", "data: has no val phase, but train, test"),
    ],
)
def test_a_phase_that_is_not_there_is_told(phase: str, message: str) -> None:
    with pytest.raises(RequestError) as error:
        evaluated(experiment(), phase)
    assert str(error.value) == message


def test_nothing_to_evaluate_on_is_told() -> None:
    with pytest.raises(RequestError) as error:
        evaluated(line_experiment(), None)
    hint = "hold out some training examples with data.validation"
    assert str(error.value) == f"data: has no val or test phase to evaluate on, but train; {hint}"
    with pytest.raises(RequestError) as error:
        evaluated(line_experiment(data=None), "test")
    assert str(error.value) == "data: is required to evaluate; give the experiment a source"


def test_a_net_without_metrics_is_told_and_runs_all_the_same() -> None:
    net = rn.Net("bare", inputs={"x": (1,), "y": (1,)}).add("fit", rn.Linear(out_features=1), source="x")
    net.add("loss", rn.MeanSquaredError(), source=["fit", "y"], exclude=("val", "test"))
    made = line_experiment(net=net, data=line_data(validation=2), run={"epochs": 2})
    with Session(made, record=False) as session:
        assert session.run().keys() == {"loss"}
        with pytest.raises(RequestError) as error:
            session.evaluate()
    assert str(error.value) == "net: has no loss and no metric in the val phase, so there is nothing to evaluate"


def test_a_field_is_needed_only_where_it_is_read() -> None:
    net = image_net()
    net.inputs["weight"] = net.inputs["label"]
    net.add("also", rn.CrossEntropy(), source=["logits", "weight"], exclude=("val", "test"))
    train = {**images(), "weight": images()["label"]}
    given = {"source": {"train": train, "test": images(10, seed=1)}}
    assert evaluated(experiment(net=net, data=given)).keys() == {"loss", "accuracy"}


def test_faults_of_a_phase() -> None:
    assert check_phase(None, ("train", "val")) == []
    assert check_phase("test", ("train", "test")) == []
    assert [fault.address for fault in check_phase("middle", ("test",), "run.evaluate.phase")] == ["run.evaluate.phase"]


@pytest.mark.parametrize(("default", "skipped"), [("sequential", 0), ("streaming", 2)])
def test_the_first_frames_of_a_stream_count_once_an_input_has_reached_the_loss(default: str, skipped: int) -> None:
    net = rn.Net("deep", {"x": (3,), "y": (2,)}, seed=1)
    net.add("a", rn.Linear(out_features=4), source="x").add("b", rn.Linear(out_features=2))
    net.add("loss", rn.MeanSquaredError(), source=["b", "y"])

    assert _frames_unreached(rn.Rollout(net, default=default), ["b", "x"]) == skipped


@pytest.mark.parametrize("evaluation_batch_size", [4, 10])
@pytest.mark.parametrize("rollout", [{"default": "streaming", "align": True}, {"default": 1, "align": True}])
def test_aligned_streaming_of_separate_examples_has_the_metrics_of_the_sequential_net(
    rollout: dict[str, Any], evaluation_batch_size: int
) -> None:
    given = data(evaluation_batch_size=evaluation_batch_size)
    run = {"execution": "eager", "seed": 3}

    sequential = evaluated(experiment(data=given, run=run))
    streaming = evaluated(experiment(data=given, run=run, rollout=rollout))

    assert streaming == pytest.approx(sequential, rel=1e-5)


def test_in_a_cycle_an_example_is_shown_once() -> None:
    net = rn.Net("cycle", {"x": (3,)}, seed=1)
    net.add("a", rn.Sum(), source="x").connect("a", "a", 1)

    assert [_frames_added(rn.Rollout(net, default=default)) for default in (0, 1)] == [0, 0]
