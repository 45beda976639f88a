"""Every intervention in every kind of program: the same values and gradients as told in the plainest way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.model.net import Net
from rillnet.runtime.hoisting import WindowProgram
from rillnet.runtime.interventions.interventions import Interventions
from rillnet.runtime.placement.local import joined, keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.program import PlacedNet, PlacedProgram
from rillnet.runtime.placement.records import PlacementSpec
from rillnet.runtime.placement.reduction import GradientReduction
from rillnet.runtime.program import Program
from rillnet.runtime.windows import Window
from tests.conformance.intervention_rows import FRAMES, MANY, MEMBERS, ROWS, SEED, STREAMS, Case, frames_of
from tests.runtime.interventions.reference import Done, IntervenedInterpreter, put_in_force
from tests.runtime.placement.team import Team, assembled
from tests.runtime.placement.training import groups_of

NEAR = 1e-5

Sent = list[dict[str, Tensor]]


def expected_of(case: Case, done: Sequence[Done]) -> tuple[Sent, Net]:
    """What blocks send in each frame, and the net with its gradients."""
    net = case.net()
    reference = IntervenedInterpreter(net, case.rolled_out(net).delays, frames_of(case, net), done, SEED)
    sent = [{name: reference.sent(name, t) for name in (*case.shown, "loss")} for t in range(FRAMES)]
    backward(sent)
    return sent, net


def backward(sent: Sequence[Mapping[str, Any]]) -> None:
    total = sum(frame["loss"] for frame in sent)
    if isinstance(total, Tensor) and total.requires_grad:
        total.backward()


def programmed(case: Case, done: Sequence[Done], **settings: Any) -> tuple[Net, Program, Interventions]:
    net = case.net()
    rollout = case.rolled_out(net)
    interventions = Interventions(rollout.flat, seed=SEED)
    put_in_force(interventions, done)
    program = Program(
        net, rollout, outputs=[*case.shown, "loss"], phase="train", interventions=interventions, **settings
    )
    return net, program, interventions


def entered(case: Case, net: Net, interventions: Interventions) -> list[Any]:
    return [interventions.entered(frame, "train", t) for t, frame in enumerate(frames_of(case, net))]


def one_by_one(case: Case, done: Sequence[Done], **settings: Any) -> tuple[Sent, Net]:
    net, program, interventions = programmed(case, done, **settings)
    sent, _ = program.unroll(entered(case, net, interventions))
    backward(sent)
    return [dict(frame) for frame in sent], net


def at_once(case: Case, done: Sequence[Done], **settings: Any) -> tuple[Sent, Net]:
    net, program, interventions = programmed(case, done, group="off", **settings)
    frames = entered(case, net, interventions)
    sent, _ = WindowProgram(program)(frames, program.initial_state(STREAMS), [lambda block: 0] * FRAMES)
    backward(sent)
    return [dict(frame) for frame in sent], net


def with_low_memory(case: Case, done: Sequence[Done]) -> tuple[Sent, Net]:
    net, program, interventions = programmed(case, done, group="off")
    window = Window(FRAMES, FRAMES, memory="low")
    for t, frame in enumerate(frames_of(case, net)):
        window.add(t, frame)

    def run(inputs: Mapping[str, Tensor], state: Any, step: int) -> Any:
        return program(interventions.entered(inputs, "train", step), state)

    sent, _ = window.compute(run, program.initial_state(STREAMS), net)
    backward(sent)
    return [dict(frame) for frame in sent], net


KINDS: dict[str, Callable[[Case, Sequence[Done]], tuple[Sent, Net]]] = {
    "eager": lambda case, done: one_by_one(case, done, group="off"),
    "compiled": lambda case, done: one_by_one(case, done, group="off", compile="on", backend="aot_eager"),
    "grouped": lambda case, done: one_by_one(case, done, group="on"),
    "grouped and compiled": lambda case, done: one_by_one(case, done, group="on", compile="on", backend="aot_eager"),
    "window": at_once,
    "window, compiled": lambda case, done: at_once(case, done, compile="on", backend="aot_eager"),
    "low memory": with_low_memory,
}


def apart(found: Tensor, expected: Tensor) -> float:
    scale = max(float(expected.detach().abs().max()) if expected.numel() else 0.0, 1.0)
    return float((found - expected).detach().abs().max()) / scale if expected.numel() else 0.0


def check(found: Sent, net: Net, expected: Sent, reference: Net) -> None:
    for t, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        for name, value in theirs.items():
            assert apart(ours[name], value) < NEAR, f"{name} in frame {t}"
    theirs = dict(reference.named_parameters())
    for name, parameter in net.named_parameters():
        told = theirs[name].grad
        own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert apart(own, torch.zeros_like(parameter) if told is None else told) < NEAR, f"gradient of {name}"


QUICKLY_COMPILED = ("everything at once", "noise on a cell")


def tried() -> list[Any]:
    """Every intervention with every kind of program, most of the compiled ones marked as slow."""
    found = []
    for name, (case, _) in ROWS.items():
        for kind in KINDS:
            if "grouped" in kind and case is not MANY:
                continue  # no two of its blocks are alike
            is_slow = "compiled" in kind and name not in QUICKLY_COMPILED
            found.append(pytest.param(name, kind, marks=[pytest.mark.slow] if is_slow else []))
    return found


@pytest.mark.parametrize(("name", "kind"), tried())
def test_as_told_in_the_plainest_way(name: str, kind: str) -> None:
    case, done = ROWS[name]
    torch._dynamo.reset()
    expected, reference = expected_of(case, done)

    found, net = KINDS[kind](case, done)

    check(found, net, expected, reference)


@pytest.mark.parametrize("name", [name for name, (case, _) in ROWS.items() if case is MANY])
def test_groups_stay_groups(name: str) -> None:
    """Without gradients too, where groups write what they compute where the next frame wants it."""
    case, done = ROWS[name]
    expected, _ = expected_of(case, done)
    net, program, interventions = programmed(case, done, group="on")

    with torch.no_grad():
        found, _ = program.unroll(entered(case, net, interventions))

    for ours, theirs in zip(found, expected, strict=True):
        for block, value in theirs.items():
            assert apart(ours[block], value) < NEAR
    grouped = [block for block in program.flat.blocks if program.report[block].startswith("grouped")]
    assert len(grouped) == 5 * MEMBERS


@pytest.fixture(scope="module")
def team() -> Any:
    with assembled() as team:
        yield team


def placed_apart(rank: int, name: str, placement: Mapping[str, Any]) -> tuple[float, str]:
    """The largest difference of a placed net to the plainest way, and where it is, as one process sees it."""
    case, done = ROWS[name]
    expected, reference = expected_of(case, done)
    net = case.net()
    plan = PlacementPlan(case.rolled_out(net), PlacementSpec.model_validate({"processes": 2, **placement}))
    interventions = Interventions(plan.flat, seed=SEED)
    put_in_force(interventions, done)
    keep_own_parameters(plan, rank)
    placed = PlacedNet(plan, rank, groups_of(2, apart=False))
    program = PlacedProgram(placed, [*case.shown, "loss"], "train", interventions)
    reduction = GradientReduction(plan, rank, groups=groups_of(2, apart=True))
    state, sent = None, []
    for frame in entered(case, net, interventions):
        outputs, state = program(frame, state)
        sent.append(outputs)
    reduction.begin()
    sum(frame["loss"] for frame in sent).backward()
    reduction.finish()
    worst = (0.0, "nothing")
    for t, (ours, theirs) in enumerate(zip(sent, expected, strict=True)):
        worst = max([worst, *((apart(ours[key], value), f"{key} in frame {t}") for key, value in theirs.items())])
    flat = case.rolled_out(reference).flat
    for block in plan.flat.blocks:
        whole, own = dict(flat.module(block).named_parameters()), dict(plan.flat.module(block).named_parameters())
        for key, boxes in plan.parameters(block, rank).items():
            if key not in whole or not own[key].numel():
                continue
            told = whole[key].grad
            gradient = joined(torch.zeros_like(whole[key]) if told is None else told, boxes)
            mine = torch.zeros_like(own[key]) if own[key].grad is None else own[key].grad
            worst = max(worst, (apart(mine, gradient), f"gradient of {block}.{key}"))
    return worst


def placed() -> list[Any]:
    """Every intervention in every placement of its net; half of the placements, in turn, marked as slow."""
    found = []
    for row, (name, (case, _)) in enumerate(ROWS.items()):
        for number in range(len(case.placements)):
            is_slow = (row + number) % 2 == 1 and name != "everything at once"
            found.append(pytest.param(name, number, marks=[pytest.mark.slow] if is_slow else []))
    return found


@pytest.mark.parametrize(("name", "number"), placed())
def test_placed_in_two_processes(team: Team, name: str, number: int) -> None:
    placement = ROWS[name][0].placements[number]

    found = team.run(2, placed_apart, name, placement)

    assert max(found)[0] < NEAR, max(found)
