"""A placed net: two processes against one and against PyTorch's DistributedDataParallel, and the model of costs.

    python benchmarks/placement.py                      everything, on two cores
    python benchmarks/placement.py --cases lenet-256    one net

Every process computes with one thread. The variants of a case take turns of some steps, in the same two processes:
one process alone (the other one waits), both placed, both with DistributedDataParallel by hand. A figure is the
ratio of medians over the rounds, with the quartiles of the ratios within rounds. DistributedDataParallel leaves each
process the statistics of batch normalisation of its own examples; what does the same here stands beside what does not.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from measuring import CLOCKS, Variant, set_clock, speed, table, time_calls
from peers_torch import NETS
from torch import Tensor, nn
from torch import multiprocessing as mp
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from training import machine

import rillnet as rn
from rillnet.runtime.placement.calibration import Timed, measured_machine
from rillnet.runtime.placement.costs import costs_of
from rillnet.runtime.placement.cutting import cut_into, sending_seconds
from rillnet.runtime.placement.local import keep_own_parameters
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.program import PlacedNet, PlacedProgram, ProcessGroups
from rillnet.runtime.placement.records import BlockPlacement, PlacementSpec
from rillnet.runtime.placement.reduction import GradientReduction
from rillnet.runtime.placement.work import Counts, share_of

Step = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Args:
        net: a ready net.
        batch: examples of a step, over all processes.
        shape: of an image.
        steps: timed in one turn.
    """

    net: str
    batch: int
    shape: tuple[int, int, int]
    steps: int

    def inputs(self) -> dict[str, Tensor]:
        """A batch, the same in every process."""
        generator = torch.Generator().manual_seed(0)
        image_NCHW = torch.randn(self.batch, *self.shape, generator=generator)
        return {"image": image_NCHW, "label": torch.randint(10, (self.batch,), generator=generator)}


CASES = {
    "lenet-256": Case("lenet", 256, (1, 28, 28), 8),
    "resnet20-64": Case("resnet20_cifar", 64, (3, 32, 32), 3),
}

PARTS = ("data", "overhead", "streaming", "locations")
MICRO_BATCHES = 4


class ResNet20(nn.Module):
    """ResNet-20 for images of 32 x 32, as its users write it; with statistics of each process' own examples."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        sizes = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
        self.blocks = nn.Sequential(*(_Residual(*size) for size in sizes))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class _Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        short = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.short = nn.Identity() if stride == 1 and channels == out else short

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.short(x))


PEERS: Mapping[str, Callable[[], nn.Module]] = {"lenet": NETS["lenet"], "resnet20_cifar": ResNet20}


def main(arguments: list[str] | None = None) -> int:
    """Measures, and prints what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="what is measured")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    asked = parser.parse_args(arguments)
    print(machine())
    print(f"- load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in asked.cases:
        if "data" in asked.parts:
            print(f"\n## {name}: two processes of one thread\n")
            _spawn(_two_processes, 2, asked.clock, name, asked.rounds)
        if "overhead" in asked.parts:
            print(f"\n## {name}: what a placed program costs more in one process\n")
            _spawn(_overhead, 1, asked.clock, name, 3 * asked.rounds)
    if "streaming" in asked.parts:
        print("\n## lenet-256, streaming: frames of two locations against one process\n")
        _spawn(_streaming, 2, asked.clock, "lenet-256", asked.rounds)
    if "locations" in asked.parts:
        print("\n## lenet-256, sequential: steps of two locations against one process\n")
        _spawn(_locations, 2, asked.clock, "lenet-256", asked.rounds)
    print(f"\n- load after: {os.getloadavg()[0]:.1f}")
    return 0


def _spawn(work: Callable[..., None], processes: int, clock: str, *arguments: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_join, (processes, port, clock, work, arguments), nprocs=processes)


def _join(
    rank: int, processes: int, port: int, clock: str, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    set_clock(clock)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=processes)
    try:
        work(rank, *arguments)
    finally:
        dist.destroy_process_group()


def _net(case: Case) -> rn.Net:
    net = rn.load(case.net)
    assert isinstance(net, rn.Net)
    net.set_phase("train")
    return net


def _learning(
    parameters: list[nn.Parameter], loss: Callable[[], Tensor], reduction: GradientReduction | None = None
) -> Step:
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, fused=True)

    def step() -> None:
        found = loss()
        if reduction is not None:
            reduction.begin()
        found.backward()
        if reduction is not None:
            reduction.finish()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _alone(case: Case, inputs: Mapping[str, Tensor]) -> Step:
    net = _net(case)
    program = rn.Program(net, outputs=["loss"], phase="train")
    return _learning(list(net.parameters()), lambda: program(inputs)[0]["loss"])


def _placed(case: Case, inputs: Mapping[str, Tensor], rank: int, spec: PlacementSpec) -> Step:
    net = _net(case)
    plan = PlacementPlan(rn.Rollout.sequential(net), spec)
    placed = PlacedNet(plan, rank, ProcessGroups(plan.mesh.processes))
    keep_own_parameters(plan, rank)
    program = PlacedProgram(placed, ["loss"], "train")
    parameters = [parameter for parameter in net.parameters() if parameter.numel()]
    return _learning(parameters, lambda: program(inputs)[0]["loss"], GradientReduction(plan, rank))


def _by_hand(case: Case, inputs: Mapping[str, Tensor], rank: int, processes: int) -> Step:
    torch.manual_seed(0)
    net = nn.parallel.DistributedDataParallel(PEERS[case.net]())
    image, label = (inputs[name].tensor_split(processes)[rank].clone() for name in ("image", "label"))
    return _learning(list(net.parameters()), lambda: functional.cross_entropy(net(image), label))


@dataclass
class _Turns:
    """Steps of a variant that all processes take together."""

    step: Step

    def seconds_per_step(self, steps: int) -> float:
        """The mean of some steps after one that does not count."""
        return time_calls(self.step, steps)


def _interleave(variants: list[tuple[Variant, bool]], rounds: int, steps: int, rank: int) -> None:
    """Turns of all variants in every round; those of one process are taken by the first while the others wait."""
    for number in range(rounds + 1):
        for variant, by_all in variants:
            dist.barrier()
            if by_all or rank == 0:
                seconds = variant.loop.seconds_per_step(steps)
                if number:  # the first round warms up
                    variant.times_s.append(seconds)
    dist.barrier()


def _two_processes(rank: int, name: str, rounds: int) -> None:
    case = CASES[name]
    inputs = case.inputs()
    spec = PlacementSpec(processes=2)
    alone = Variant("one process", _Turns(_alone(case, inputs)))
    placed = Variant("two, placed", _Turns(_placed(case, inputs, rank, spec)))
    peer = Variant("two, DistributedDataParallel", _Turns(_by_hand(case, inputs, rank, 2)))
    variants = [alone, placed, peer]
    if _normalises(case):
        local = PlacementSpec(processes=2, default=BlockPlacement(partition="batch", statistics="local"))
        variants.insert(2, Variant("two, placed, local statistics", _Turns(_placed(case, inputs, rank, local))))
    _interleave([(variant, variant is not alone) for variant in variants], rounds, case.steps, rank)
    if rank == 0:
        print(table(variants, alone).replace("plain eager", "one process") + "\n")
        for variant in variants[1:-1]:
            print(f"- {variant.name}: {speed(variant, alone)} times the speed of one process; target 1.8")
            print(f"- {variant.name}: {speed(variant, peer)} times the speed of DistributedDataParallel; target 1.0")
    _predicted(case, {1: alone, 2: placed}, rank)


def _normalises(case: Case) -> bool:
    return any(isinstance(module, _BatchNorm) for module in _net(case).modules())


def _predicted(case: Case, measured: Mapping[int, Variant], rank: int) -> None:
    """What the model of costs says of the same steps; blocks are timed while the other process works as well."""
    here = measured_machine()
    timing = Timed(here)
    for processes, variant in measured.items():
        dist.barrier()
        if processes == 1 and rank:
            continue
        plan = PlacementPlan(rn.Rollout.sequential(_net(case)), PlacementSpec(processes=processes))
        found = costs_of(plan, case.batch, here, copies=1, timing=timing)
        if rank == 0:
            ratio = found.step_s / variant.median_s
            print(
                f"- {variant.name}: predicted {found.step_s * 1e3:.1f} ms, measured {variant.median_s * 1e3:.1f} ms, "
                f"ratio {ratio:.2f}; target 0.8 to 1.2"
            )


def _overhead(rank: int, name: str, rounds: int) -> None:
    case = CASES[name]
    inputs = case.inputs()
    plain = Variant("Program", _Turns(_alone(case, inputs)))
    placed = Variant("PlacedProgram of one process", _Turns(_placed(case, inputs, rank, PlacementSpec(processes=1))))
    _interleave([(plain, True), (placed, True)], rounds, case.steps, rank)
    print(f"- a step takes {1 / speed(placed, plain).of:.4f} times as long; target below 1.01")
    print(f"- PlacedProgram has {speed(placed, plain)} times the speed of Program")


def _streaming(rank: int, name: str, rounds: int) -> None:
    case = CASES[name]
    inputs = case.inputs()
    net = _net(case)
    spec = _stages(rn.Rollout.streaming(net), case.batch, learns=False)
    alone = Variant("one process", _Turns(_frames(case, inputs, rank, None)))
    located = Variant("two locations", _Turns(_frames(case, inputs, rank, spec)))
    _interleave([(alone, False), (located, True)], rounds, 2 * case.steps, rank)
    if rank == 0:
        print(f"- two locations have {speed(located, alone)} times the speed of one process (frames, no learning)")


def _locations(rank: int, name: str, rounds: int) -> None:
    case = CASES[name]
    inputs = case.inputs()
    spec = _stages(rn.Rollout.sequential(_net(case)), case.batch, learns=True)
    alone = Variant("one process", _Turns(_alone(case, inputs)))
    at_once = Variant("two locations", _Turns(_placed(case, inputs, rank, spec)))
    parts = spec.model_copy(update={"micro_batches": MICRO_BATCHES})
    parted = Variant(f"two locations, {MICRO_BATCHES} micro-batches", _Turns(_placed(case, inputs, rank, parts)))
    _interleave([(alone, False), (at_once, True), (parted, True)], rounds, case.steps, rank)
    if rank == 0:
        print(table([alone, at_once, parted], alone).replace("plain eager", "one process"))


def _stages(rollout: rn.Rollout, batch: int, *, learns: bool) -> PlacementSpec:
    """The net cut into two stages of about equal time here."""
    here = measured_machine()
    plan, timing = PlacementPlan(rollout, PlacementSpec(processes=1)), Timed(here)
    names, counts = rollout.order(), Counts(rollout)
    seconds = []
    for block in names:
        share = share_of(plan, counts, block, 0, batch)
        found = (0.0, 0.0) if share is None else timing(plan, block, 0, batch, share)
        seconds.append(sum(found) if learns else found[0])
    everyone: list[Any] = [cut_into(seconds, 2, sending_seconds(plan, names, batch, here, learns=learns))]
    dist.broadcast_object_list(everyone)  # one measurement decides for all
    blocks = {name: BlockPlacement(location=stage) for name, stage in zip(names, everyone[0], strict=True)}
    return PlacementSpec(processes=2, blocks=blocks)


def _frames(case: Case, inputs: Mapping[str, Tensor], rank: int, spec: PlacementSpec | None) -> Step:
    net = _net(case)
    rollout = rn.Rollout.streaming(net)
    if spec is None:
        program: Any = rn.Program(net, rollout, outputs=["loss"], phase="train")
    else:
        plan = PlacementPlan(rollout, spec)
        placed = PlacedNet(plan, rank, ProcessGroups(2))
        keep_own_parameters(plan, rank)
        program = PlacedProgram(placed, ["loss"], "train")
    with torch.no_grad():
        states = [program.initial_state(case.batch)]

    def step() -> None:
        with torch.no_grad():
            _, states[0] = program(inputs, states[0])

    return step


if __name__ == "__main__":
    sys.exit(main())
