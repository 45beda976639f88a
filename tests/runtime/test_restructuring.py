"""Edits of a net that learns: what stays goes on bit for bit, and what is refused changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.editing import edits
from rillnet.runtime.checkpoint import load
from rillnet.runtime.restructuring import apply_edit, check_edit
from rillnet.runtime.session import Session
from tests.runtime.control.random_commands import digest
from tests.training.small_experiments import data, image_net


def session(root: Path | None = None, learning: dict[str, Any] | None = None, **run: Any) -> Session:
    """A session of a small net that has learned for some steps."""
    rule = {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}, **(learning or {})}
    experiment = rn.Experiment(
        net=image_net(),
        data=data(),
        learning=rule,
        run={"steps": 60, "seed": 1, "execution": "eager", "average": 0.9, **run},
    )
    found = Session(experiment, root=root or "runs", record=root is not None, say=lambda text: None)
    found.run(steps=5, progress=False)
    return found


def moments(found: Session) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in found.rules["main"].state_tensors().items()}


def parameters(found: Session) -> dict[str, Tensor]:
    return {address: tensor.detach().clone() for address, tensor in found.net.state_by_address().items()}


def test_weights_and_moments_of_what_stays_are_kept_bit_for_bit() -> None:
    found = session()
    weights, before = parameters(found), moments(found)
    apply_edit(found, edits.widen(found.net, "conv", 5))
    after = moments(found)
    assert torch.equal(parameters(found)["net/conv/weight"][:3], weights["net/conv/weight"])
    for name in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(after[f"net/conv/weight#{name}"][:3], before[f"net/conv/weight#{name}"])
        assert not after[f"net/conv/weight#{name}"][3:].any()
        assert torch.equal(after[f"net/logits/bias#{name}"], before[f"net/logits/bias#{name}"])
    assert float(after["net/conv/weight#step"]) == 5
    found.run(steps=2, progress=False)


def test_a_block_that_nothing_reads_changes_no_other_number() -> None:
    found, plain = session(), session()
    apply_edit(found, edits.add(found.net, "extra", {"type": "Linear", "from": "flat", "out_features": 3}))
    for one in (found, plain):
        one.run(steps=3, progress=False)
    own, other = parameters(found), parameters(plain)
    assert all(torch.equal(own[address], tensor) for address, tensor in other.items())
    assert all(torch.equal(moments(found)[key], tensor) for key, tensor in moments(plain).items())


def test_taking_it_back_at_once_is_as_if_nothing_had_happened() -> None:
    found = session()
    edit = edits.remove(found.net, "norm")
    before = parameters(found), moments(found)
    undo = apply_edit(found, edit)
    assert "norm" not in found.net.blocks
    undo()
    assert all(torch.equal(parameters(found)[key], tensor) for key, tensor in before[0].items())
    assert all(torch.equal(moments(found)[key], tensor) for key, tensor in before[1].items())


def test_numbers_that_were_lost_come_back() -> None:
    found = session()
    undo = apply_edit(found, edits.widen(found.net, "conv", 5))
    weights, before = parameters(found), moments(found)
    undo()
    found.control.history.clear()
    again = apply_edit(found, edits.widen(found.net, "conv", 5))
    again()
    assert torch.equal(parameters(found)["net/conv/weight"], weights["net/conv/weight"][:3])
    assert torch.equal(moments(found)["net/conv/weight#exp_avg"], before["net/conv/weight#exp_avg"][:3])


def test_averages_follow() -> None:
    found = session()
    before = found.trainer.tensors()["average"]["net/conv/weight#average"].clone()
    apply_edit(found, edits.widen(found.net, "conv", 5))
    after = found.trainer.tensors()["average"]["net/conv/weight#average"]
    assert torch.equal(after[:3], before)
    assert torch.equal(after[3:], parameters(found)["net/conv/weight"][3:])
    found.evaluate("test")


def test_a_checkpoint_after_an_edit_is_gone_on_with(tmp_path: Path) -> None:
    found = session(tmp_path)
    apply_edit(found, edits.widen(found.net, "conv", 5))
    apply_edit(found, edits.remove(found.net, "act"))
    found.checkpoint()
    found.run(steps=4, progress=False)
    end = parameters(found)
    found.close()
    with _again(tmp_path) as other:
        assert "act" not in other.net.blocks
        assert all(torch.equal(parameters(other)[address], tensor) for address, tensor in end.items())


def _again(root: Path) -> Session:
    """The same program, run again."""
    rule = {"type": "Backprop", "optimizer": {"type": "Adam", "lr": 0.01}}
    run = {"steps": 60, "seed": 1, "execution": "eager", "average": 0.9}
    experiment = rn.Experiment(net=image_net(), data=data(), learning=rule, run=run)
    return Session(experiment, root=root, resume=True, say=lambda text: None)


def test_going_back_to_a_checkpoint_before_an_edit_takes_the_structure_back(tmp_path: Path) -> None:
    found = session(tmp_path)
    saved = found.checkpoint()
    before = parameters(found)
    apply_edit(found, edits.widen(found.net, "conv", 5))
    found.run(steps=2, progress=False)
    found.load_checkpoint(load(saved))
    assert found.net.edits == []
    assert all(torch.equal(parameters(found)[address], tensor) for address, tensor in before.items())
    found.run(steps=2, progress=False)
    found.close()


REFUSED = [
    (lambda net: edits.remove(net, "loss"), "learning/main.loss: unknown block (got 'loss'); did you mean 'logits'?"),
    (
        lambda net: edits.connect(net, "image", "norm", port=0),
        "net/norm: would send [1, 6, 6] instead of [3, 4, 4], and it cannot be told which of its units these are",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_is_refused_changes_nothing(make: Any, message: str) -> None:
    found = session()
    before = digest(found)
    with pytest.raises(RequestError) as caught:
        apply_edit(found, make(found.net))
    assert str(caught.value) == message
    assert digest(found) == before


def test_a_loss_must_depend_on_something_that_is_learned() -> None:
    found = session()
    with pytest.raises(RequestError) as caught:
        check_edit(found, edits.connect(found.net, "logits", "loss", delay=1, port=0))
    assert str(caught.value) == (
        "learning/main.loss: would depend on no parameter any more within a frame (got 'loss')"
    )


def test_a_block_under_intervention_keeps_its_units() -> None:
    found = session()
    found.command("lesion conv[1]")
    with pytest.raises(RequestError) as caught:
        apply_edit(found, edits.widen(found.net, "conv", 5))
    assert str(caught.value) == "net/conv[1]: is clamped, noisy or lesioned; restore conv[1] first"
    apply_edit(found, edits.remove(found.net, "act"))
    assert [one["target"] for one in found.executor.interventions.describe()] == ["conv[1]"]
    found.command("undo")
    assert not found.executor.interventions


def test_what_is_held_and_who_rests_stays_so() -> None:
    found = session()
    found.command("hold net/logits/bias")
    found.command("learning off")
    apply_edit(found, edits.widen(found.net, "conv", 5))
    before = parameters(found)
    found.run(steps=2, progress=False)
    assert torch.equal(parameters(found)["net/conv/weight"], before["net/conv/weight"])
    found.command("learning on")
    found.run(steps=2, progress=False)
    assert not torch.equal(parameters(found)["net/conv/weight"], before["net/conv/weight"])
    assert torch.equal(parameters(found)["net/logits/bias"], before["net/logits/bias"])


def test_edges_that_the_document_gives_a_delay_may_go() -> None:
    experiment = rn.Experiment(
        net=image_net(),
        data=data(),
        learning={"type": "Backprop", "optimizer": "SGD", "window": 3},
        rollout={"default": "sequential", "delays": {"norm->act": 1}},
        run={"steps": 20, "seed": 1, "execution": "eager"},
    )
    with Session(experiment, record=False, say=lambda text: None) as found:
        found.run(steps=2, progress=False)
        apply_edit(found, edits.remove(found.net, "act"))
        assert found.rollout.delays["norm->drop"] == 0
        found.run(steps=2, progress=False)


def test_a_killed_run_edits_its_net_again_when_it_is_gone_on_with(tmp_path: Path) -> None:
    found = session(tmp_path)
    found.command("widen conv 5")
    found.trainer.take_step()
    found.command("remove act")
    found.close()  # the newest checkpoint is of the end of the epoch, between both
    plain = session()
    plain.command("widen conv 5")
    plain.run(steps=1, progress=False)
    plain.command("remove act")
    plain.run(steps=2, progress=False)
    with _again(tmp_path) as other:
        assert other.clock.step == 6
        assert [edit["edit"] for edit in other.net.edits] == ["widen"]
        other.run(steps=2, progress=False)
        assert [edit["edit"] for edit in other.net.edits] == ["widen", "wire"]
        assert "act" not in other.net.blocks
        own = parameters(other)
        assert all(torch.equal(own[address], tensor) for address, tensor in parameters(plain).items())
