"""Edits of placed nets: all processes edit theirs alike where each has all of every block; elsewhere none does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.placement.editable import check_edited, faults_of_edits
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.runtime.session import Session
from rillnet.training.replaying import replay
from tests.placed import in_processes
from tests.training.small_experiments import differing

SCRIPT = {
    2: ["widen hidden 6"],
    3: ["add extra {type: Linear, from: act, out_features: 10, tags: late}"],
    4: ["add mean {type: Sum, from: [logits, extra]}", "connect mean->loss port=0"],
    5: ["clamp act[1] 0.25", "rate main 0.02"],
    6: ["restore all", "remove drop"],
    7: ["undo"],
    8: ["back 2"],
    9: ["disconnect extra->mean"],
    10: ["connect hidden->loss port=0"],  # six scores, which the labels of the next batch are beyond
}
STEPS = 12


def document(**placement: Any) -> rn.Experiment:
    """A net with a state, normalisation and dropout, on data that a run finds again."""
    net = rn.Net("split", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")})
    net.add("flat", rn.Flatten(), source="image").add("hidden", rn.Linear(out_features=4))
    net.add("before", rn.Linear(out_features=4), source="hidden@-1").add(
        "both", rn.Concat(), source=["hidden", "before"]
    )
    net.add("norm", rn.BatchNorm1d()).add("act", rn.Tanh()).add("drop", rn.Dropout(p=0.25))
    net.add("logits", rn.Linear(out_features=10)).add("loss", rn.CrossEntropy(), source=["logits", "label"])
    return rn.Experiment(
        net=net,
        data={"source": "Digits", "batch_size": 32},
        learning={"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}},
        placement=placement,
        run={"steps": STEPS, "seed": 1, "execution": "eager", "checkpoint": {"every": "100 steps"}, "average": 0.9},
    )


def scripted(root: str, placement: dict[str, Any]) -> tuple[list[str], dict[str, Tensor]]:
    """A run with commands after some steps, given once each in every process; and its parameters."""
    told: list[str] = []
    left = {step: list(texts) for step, texts in SCRIPT.items()}

    def command(session: Session) -> None:
        for text in left.pop(session.clock.step, ()):
            try:
                found = session.command(text)
            except RequestError as error:
                told.append(str(error))
                continue
            told.append(f"{text}: {found['text'] if text == 'undo' else found}")
            if text.startswith("back"):
                session.command("play")

    with Session(document(**placement), root=root, observers=[command], say=lambda text: None) as session:
        session.run(progress=False)
        state = session.net.state_by_address()
        if session.placement is not None:
            state = session.placement.whole(state, everyone=True)
        return told, {address: tensor.detach().clone() for address, tensor in state.items()}


def edited_and_done_again(root: str) -> tuple[list[str], dict[str, Tensor], tuple[int, list[str]], list[str]]:
    """An edited run, gone on with, and done again; and what a net that is split otherwise says to an edit."""
    told, state = scripted(root, {"processes": 2})
    path = Path(root) / "split" / "1"
    with Session(rn.load(path), say=lambda text: None) as session:
        session.command("widen hidden 8")
        session.run(steps=2, progress=False)
    again = replay(RunDirectory.open(path), say=lambda text: None)
    refused = []
    split = document(processes=2, blocks={"hidden": {"partition": "feature"}})
    with Session(split, record=False, say=lambda text: None) as session:
        try:
            session.command("widen hidden 8")
        except RequestError as error:
            refused.append(str(error))
    return told, state, (again.commands, again.differing), refused


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_process_edits_its_net_goes_back_and_does_all_of_it_again(tmp_path: Path) -> None:
    first, second = in_processes(2, tmp_path / "store", edited_and_done_again, str(tmp_path / "two"))
    told, alone = scripted(str(tmp_path / "one"), {})
    assert first[0] == second[0] == told
    assert told[-1].startswith("net: would fail on the next batch: labels must be class numbers from 0 to 5, ")
    assert told[-1].endswith(" is out of bounds (in net/loss, which read [32, 6], [32])")
    assert differing(first[1], second[1]) == []
    assert first[1].keys() == alone.keys()
    assert first[1]["net/hidden/weight"].shape == (6, 64)
    for address, tensor in alone.items():
        torch.testing.assert_close(first[1][address], tensor, rtol=1e-4, atol=1e-6)
    assert first[2] == second[2] == (10, [])
    assert first[3] == [
        "net/hidden: is split by feature, and a net is edited only where every process has all of each block; "
        "place it by batch, or go on with the run in one process"
    ]


def test_a_pattern_that_would_match_nothing_any_more_is_told() -> None:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    after = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6))
    asked = PlacementSpec(processes=2, blocks={"act": {"partition": "batch"}})
    plan = PlacementPlan(rn.Rollout.sequential(net), asked)
    assert check_edited(plan, rn.Rollout.sequential(net)) == []
    assert [str(fault) for fault in check_edited(plan, rn.Rollout.sequential(after))] == [
        "placement.blocks.act: matches no block"
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"blocks": {"act": {"location": 1}}},
            "net/act: is computed by process 1 alone, and a net is edited only where every process has all of each "
            "block",
        ),
        (
            {"blocks": {"fit": {"partition": "batch", "shard": "optimizer"}}},
            "net/fit: is sharded, and a net is edited only where every process has all of each block",
        ),
        (
            {"averaging": {"every": "8 steps"}},
            "placement: has every process take steps of its own, and a net is edited only where all take the same",
        ),
    ],
)
def test_a_net_that_is_placed_otherwise_is_kept_as_it_is(asked: dict[str, Any], told: str) -> None:
    net = rn.Net("line", inputs={"x": (4,)}).add("fit", rn.Linear(out_features=6)).add("act", rn.ReLU())
    plan = PlacementPlan(rn.Rollout.sequential(net), PlacementSpec.model_validate({"processes": 2, **asked}))
    assert [str(fault) for fault in faults_of_edits(plan)] == [
        f"{told}; place it by batch, or go on with the run in one process"
    ]
