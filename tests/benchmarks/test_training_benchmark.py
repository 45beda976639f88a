"""The benchmark's plain parts: its peers compute what our nets compute, its sums are right, and it runs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

import rillnet as rn

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports modules of the benchmark, and forgets them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (BENCHMARKS / f"{name}.py").exists():
            del sys.modules[name]


@pytest.mark.parametrize("name", ["lenet", "googlenet"])
def test_peers_compute_what_our_nets_compute(name: str, load: Callable[[str], ModuleType]) -> None:
    net, peer = rn.load(name), load("peers_torch").NETS[name]()
    for ours, theirs in zip(net.parameters(), peer.parameters(), strict=True):
        theirs.data.copy_(ours)
    net.set_phase("test")
    peer.eval()
    image = torch.rand(2, *(1, 28, 28) if name == "lenet" else (3, 224, 224))
    with torch.no_grad():
        torch.testing.assert_close(net.run(until="logits", given={"image": image}), peer(image))


def test_alexnets_have_the_same_parameters(load: Callable[[str], ModuleType]) -> None:
    with torch.device("meta"):
        peer = load("peers_torch").NETS["alexnet"]()
    net = rn.Net.from_spec(rn.load("alexnet").to_spec(), device="meta")
    assert [p.shape for p in net.parameters()] == [p.shape for p in peer.parameters()]


class Timed:
    """A loop that takes the seconds it is given, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = iter(seconds)

    def seconds_per_step(self, steps: int) -> float:
        return next(self.seconds)


def test_turns_are_interleaved_and_ratios_are_of_medians(load: Callable[[str], ModuleType]) -> None:
    measuring, calm = load("measuring"), load("calm").Calm(patience_s=0)
    fast = measuring.Variant("fast", Timed(1.0, 2.0, 1.0))
    slow = measuring.Variant("slow", Timed(2.0, 4.0, 3.0))
    measuring.interleave([fast, slow], rounds=3, steps=1, calm=calm, say=lambda text: None)
    assert (fast.times_s, slow.times_s) == ([1.0, 2.0, 1.0], [2.0, 4.0, 3.0])
    assert str(measuring.speed(fast, slow)) == "3.000 (2.000 to 3.000)"
    assert calm.taken == 6


def test_a_turn_that_others_disturbed_is_taken_again(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("calm")
    shares = iter([0.0, 0.9, 0.0, 0.0])  # quiet, disturbed, quiet, undisturbed
    monkeypatch.setattr(module, "others_share", lambda action: (action(), next(shares)))
    monkeypatch.setattr(module, "_moment", lambda: 0.0)
    calm, turns = module.Calm(patience_s=1000.0), iter([5.0, 1.0])
    assert calm.take(lambda: next(turns)) == 1.0
    assert (calm.taken, calm.retaken, calm.disturbed) == (1, 1, 0)


def test_only_the_last_steps_are_in_the_time(load: Callable[[str], ModuleType]) -> None:
    measuring = load("measuring")
    ends = iter([100.0, 101.0, 103.0])
    stamps = measuring.Stamps(steps=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_clock", lambda: next(ends))
        for _ in range(3):
            stamps.note()
    assert stamps.seconds_per_step == 2.0


def test_the_benchmark_runs_without_peers(tmp_path: Path) -> None:
    asked = "--cases lenet-64 --rounds 1 --screening 1 --steps 1 --run-steps 4 --patience 0 --threads 1"
    command = [sys.executable, str(BENCHMARKS / "training.py"), *asked.split(), "--compile-limit", "0", "--no-peers"]
    command += ["--json", str(tmp_path / "all.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "times the speed of hand-tuned" in done.stdout
    variants = json.loads((tmp_path / "all.json").read_text())["cases"]["lenet-64"]["variants"]
    assert {"plain eager", "rillnet, execution: auto", "rillnet, execution: eager"} < set(variants)
    assert all(len(variant["times_s"]) == 1 for variant in variants.values())
