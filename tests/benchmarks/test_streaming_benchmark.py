"""The streaming benchmark: its peers compute what our nets compute, and it runs."""

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


@pytest.mark.parametrize(
    ("shape", "sources", "act"),
    [((4,), 3, "tanh"), ((16,), 3, "tanh"), ((4, 5, 5), 2, "relu"), ((4, 8, 16), 2, "relu"), ((4, 5, 5), 0, "relu")],
)
def test_all_variants_compute_the_same(
    shape: tuple[int, ...], sources: int, act: str, load: Callable[[str], ModuleType]
) -> None:
    nets, streaming = load("streaming_nets"), load("streaming")
    case = nets.StreamingCase("small", 12, shape, sources, act, 1.0, 1)
    builds = {"ours": lambda: streaming.ProgramFrames(case), "session": lambda: streaming.SessionFrames(case)}
    sent = {}
    for name, build in {**builds, **load("streaming_peers").peers_of(case)}.items():
        if "compiled" in name:
            continue
        peer = build()
        peer.seconds_per_step(5)
        sent[name] = peer.sent()
    assert len(sent) >= 5
    assert sent["plain loop"].abs().sum() > 0
    for name, value in sent.items():
        torch.testing.assert_close(
            value, sent["plain loop"], rtol=1e-4, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize(("shape", "sources"), [((4,), 3), ((4, 5, 5), 2), ((4, 5, 5), 0)])
def test_every_form_in_jax_computes_the_same(
    shape: tuple[int, ...], sources: int, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jax", reason="JAX is in the environment of the benchmarks alone")
    of_jax, peers = load("streaming_jax"), load("streaming_peers")
    case = load("streaming_nets").StreamingCase("small", 12, shape, sources, "relu", 1.0, 1)
    expected = peers.PlainLoop(case)
    expected.seconds_per_step(5)
    forms = of_jax._forms(case, expected.weights, expected.biases)
    assert len(forms) >= 2
    for name, compute in forms.items():
        monkeypatch.setattr(of_jax, "_forms", lambda *_, one=(name, compute): dict([one]))
        peer = of_jax.Jax(case)
        peer.seconds_per_step(5)
        torch.testing.assert_close(peer.sent(), expected.sent(), rtol=1e-4, atol=1e-5)


def test_what_is_left_out_is_told_with_its_reason(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    streaming, measuring = load("streaming"), load("measuring")
    monkeypatch.setattr(load("streaming_jax").importlib.util, "find_spec", lambda name: None)
    case = load("streaming_nets").StreamingCase("small", 2, (4,), 1, "relu", 1.0, 1)
    plain = measuring.ready("plain loop", lambda: load("streaming_peers").PlainLoop(case))
    plain.times_s = [0.5, 0.5]
    left_out = {"stacked in JAX": streaming.with_jax(case), "plain loop, compiled": streaming.compiled(case, 0)}

    assert streaming.table([plain], plain, left_out).splitlines()[-3:] == [
        f"| plain loop | 2 | 1.000 (1.000 to 1.000) | {plain.ready_s:.1f} |  |",
        "| stacked in JAX | | jax is not installed: pip install -r benchmarks/requirements.txt | | |",
        "| plain loop, compiled | | not asked for | | |",
    ]


@pytest.mark.slow
def test_the_benchmark_runs(tmp_path: Path) -> None:
    asked = "--cases chain --scaling 20 --rounds 1 --steps 1 --patience 0 --threads 1 --compile-limit 0"
    command = [sys.executable, str(BENCHMARKS / "streaming.py"), *asked.split(), "--json", str(tmp_path / "all.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "times the speed of plain loop; target 1.3" in done.stdout
    found = json.loads((tmp_path / "all.json").read_text())
    assert {"plain loop", "rillnet Program", "rillnet Session"} < set(found["cases"]["chain"]["variants"])
    assert found["scaling"][0]["pools"] == 20
