"""Frames: what a step computes, what it reports, and what it leaves alone."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rillnet as rn
from rillnet.model.rollout import Rollout
from rillnet.runtime.evaluator import lay_out, threads
from rillnet.runtime.executor import Context, Executor
from rillnet.spec import ExecutionSpec
from rillnet.training.learning_rules import Backprop
from rillnet.types import LearningContext
from tests.training.small_experiments import image_net, images

PLAIN = ExecutionSpec(compile=False, memory_format="contiguous", optimizer="single")


class Noting:
    """A rule that changes nothing and notes what it was shown."""

    reads = ("logits",)

    def __init__(self) -> None:
        self.shown: list[tuple[int, Any]] = []

    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        self.shown.append((context.step, outputs["logits"].shape))
        return {"noted": torch.tensor(1.0)}

    def rates(self) -> dict[str, float]:
        return {}

    def state_tensors(self) -> dict[str, Tensor]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        pass


def executor(net: rn.Net, execution: ExecutionSpec = PLAIN, rules: Any = None, **keywords: Any) -> Executor:
    lay_out(net, execution)
    chosen = {"main": Backprop(net, optimizer={"type": "SGD", "lr": 0.1})} if rules is None else rules
    return Executor(net, Rollout.sequential(net), chosen, execution=execution, **keywords)


def seeded(net: rn.Net) -> rn.Net:
    net.draw(1)
    return net


def test_a_step_is_a_step_of_a_hand_written_loop() -> None:
    net = rn.Net("plain", inputs={"image": (1, 6, 6), "label": rn.Scalar("int64")}, seed=1)
    net.add("flat", rn.Flatten(), source="image").add("logits", rn.Linear(out_features=2))
    net.add("loss", rn.CrossEntropy(), source=["logits", "label"])
    by_hand = nn.Linear(36, 2)
    by_hand.load_state_dict(net["logits"].state_dict())
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1, foreach=False)
    ours, batch = executor(net), images(8)
    for step in range(5):
        scalars = ours.learn(batch, Context(step))
        loss = nn.functional.cross_entropy(by_hand(batch["image"].flatten(1)), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.equal(scalars["loss"], loss.detach())
    assert torch.equal(net["logits"].weight, by_hand.weight)


def test_a_step_reports_scalars_without_their_graph_and_leaves_no_gradient() -> None:
    net = seeded(image_net())
    scalars = executor(net).learn(images(8), Context())
    assert list(scalars) == ["loss"]
    assert not scalars["loss"].requires_grad
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_graph_of_a_step_is_freed() -> None:
    sent: list[weakref.ref[Tensor]] = []

    class Remembering(nn.Module):
        """Passes on what it reads, and remembers it weakly."""

        def forward(self, x: Tensor) -> Tensor:
            out = x * 1.0
            sent.append(weakref.ref(out))
            return out

    net = seeded(image_net(remember=Remembering()))
    ours = executor(net)
    for step in range(3):
        ours.learn(images(8), Context(step))
        assert [reference() for reference in sent if reference() is not None] == []


def test_metrics_that_are_not_left_out_of_training_are_reported() -> None:
    net = seeded(image_net()).add("hits", rn.Accuracy(), source=["logits", "label"])
    inner = rn.Net("inner", inputs={"x": (2,), "y": rn.Scalar("int64")})
    inner.add("quiet", rn.Accuracy(), source=["x", "y"], exclude="train")
    inner.add("loud", rn.Accuracy(), source=["x", "y"]).add("out", rn.Identity(), source="x")
    net.add("inside", inner, source=["logits", "label"])
    assert set(executor(net).learn(images(8), Context())) == {"loss", "hits", "inside/loud"}


def test_rules_act_in_turn_and_what_they_report_is_reported() -> None:
    net, noting = seeded(image_net()), Noting()
    rules = {"main": Backprop(net, optimizer="SGD"), "noting": noting}
    scalars = executor(net, rules=rules).learn(images(8), Context(step=7))
    assert noting.shown == [(7, (8, 2))]
    assert scalars.keys() == {"loss", "noted"}


def test_several_rules_go_back_through_one_graph() -> None:
    def made() -> rn.Net:
        net = seeded(image_net())
        return net.add("penalty", rn.MeanSquaredError(), source=["logits", "logits@-1"])

    def gradient(loss: str, glob: str) -> dict[str, Tensor]:
        net = made()
        rule = Backprop(net, loss=loss, optimizer={"type": "SGD", "lr": 1.0}, parameters=glob)
        before = {address: p.detach().clone() for address, p in net.parameters_by_address(glob).items()}
        executor(net, rules={"only": rule}).learn(images(8), Context())
        return {address: p.detach() - before[address] for address, p in net.parameters_by_address(glob).items()}

    net = made()
    before = {address: p.detach().clone() for address, p in net.parameters_by_address().items()}
    rules = {
        "a": Backprop(net, loss="loss", optimizer={"type": "SGD", "lr": 1.0}, parameters="logits/*"),
        "b": Backprop(net, loss="penalty", optimizer={"type": "SGD", "lr": 1.0}, parameters="conv/*"),
    }
    executor(net, rules=rules).learn(images(8), Context())
    changes = {address: p.detach() - before[address] for address, p in net.parameters_by_address().items()}
    for address, change in {**gradient("loss", "logits/*"), **gradient("penalty", "conv/*")}.items():
        assert torch.equal(changes[address], change), address
        assert bool(change.any())
    assert not bool(changes["net/norm/weight"].any())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_draws_are_of_the_seed_the_block_and_the_frame() -> None:
    def drawn(step: int, seed: int = 0, between: int = 0) -> Tensor:
        net = rn.Net("noisy", inputs={"x": (50,)}).add("drop", rn.Dropout(p=0.5)).add("out", rn.Identity())
        noting = Noting()
        noting.reads = ("out",)
        noting.learn = lambda outputs, context: {"kept": (outputs["out"] != 0).sum()}
        torch.manual_seed(between)
        ours = Executor(net, Rollout.sequential(net), {"n": noting}, execution=PLAIN, seed=seed)
        return torch.stack([ours.learn({"x": torch.ones(4, 50)}, Context(step + i))["kept"] for i in range(6)])

    assert torch.equal(drawn(3), drawn(3, between=9))
    assert torch.equal(drawn(3)[2:], drawn(5)[:-2])
    assert not torch.equal(drawn(3), drawn(3, seed=1))


def test_an_evaluation_learns_nothing_and_changes_nothing() -> None:
    net = seeded(image_net())
    ours = executor(net)
    ours.learn(images(8), Context())
    before = {address: tensor.clone() for address, tensor in net.state_by_address().items()}
    sent = ours.evaluate({"image": images(5)["image"]}, ["logits", "loss"], "test", 0)
    assert list(sent) == ["logits"]
    assert not sent["logits"].requires_grad
    assert all(torch.equal(before[address], tensor) for address, tensor in net.state_by_address().items())


def test_the_state_is_carried_from_frame_to_frame_and_begins_anew_with_other_streams() -> None:
    net = rn.Net("sum", inputs={"x": (1,)}).add("total", rn.Sum(), source=["x", "total@-1"])
    noting = Noting()
    noting.reads = ("total",)
    noting.learn = lambda outputs, context: {"total": outputs["total"].sum()}
    ours = Executor(net, Rollout.sequential(net), {"n": noting}, execution=PLAIN)
    batches = [torch.ones(2, 1), torch.ones(2, 1), torch.ones(3, 1), torch.ones(3, 1)]
    totals = [float(ours.learn({"x": x}, Context(step))["total"]) for step, x in enumerate(batches)]
    assert totals == [2.0, 4.0, 3.0, 6.0]
    assert float(ours.evaluate({"x": torch.ones(3, 1)}, ["total"], "test", 0)["total"].sum()) == 3.0
    assert float(ours.learn({"x": torch.ones(3, 1)}, Context(4))["total"]) == 9.0


@pytest.mark.parametrize(("precision", "sent"), [("fp64", torch.float64), ("bf16", torch.bfloat16)])
def test_precision(precision: str, sent: torch.dtype) -> None:
    net = seeded(image_net())
    if precision == "fp64":
        net.double()
    ours = executor(net, precision=precision)
    ours.learn(images(8), Context(precision=precision))
    assert ours.evaluate(images(8), ["logits"], "test", 0)["logits"].dtype == sent
    wanted = torch.float64 if precision == "fp64" else torch.float32
    assert {parameter.dtype for parameter in net.parameters()} == {wanted}


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    seen = []
    noting = Noting()
    noting.learn = lambda outputs, context: seen.append(torch.get_num_threads()) or {}
    net = seeded(image_net())
    ours = executor(net, PLAIN.model_copy(update={"threads": before + 1}), rules={"n": noting})
    assert torch.get_num_threads() == before
    ours.learn(images(2), Context())
    ours.evaluate(images(2), ["logits"], "test", 0)
    assert seen == [before + 1]
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before
