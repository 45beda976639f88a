"""How fast a training step is, as ratios against peers: plain PyTorch, tuned by hand, compiled, Lightning, Keras.

    make bench                                                    everything, in an environment of its own
    python benchmarks/training.py --cases lenet-64 --rounds 20    one net
    python benchmarks/training.py --threads 1 --clock cpu         on a machine that others use as well

See benchmarks/README.md for what is compared and how.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch
from calm import Calm
from cases import CASES, Case
from loop_rillnet import RillnetLoop
from loops_torch import PlainLoop, TunedLoop, tunings
from measuring import CLOCKS, Loop, Ratio, Variant, as_json, interleave, ready, set_clock, speed, table

PLAIN, COMPILED, LIGHTNING = "plain eager", "torch.compile", "Lightning"
TUNED, BARE = "hand-tuned", "the hand-tuned step alone"
AUTO, EAGER = "rillnet, execution: auto", "rillnet, execution: eager"
Build = Callable[[], Loop]


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints tables in Markdown, and tells which targets are reached."""
    asked = _parser().parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="rillnet-benchmark-")  # no choice made before is known
    print(machine())
    found = {}
    for name in asked.cases:
        case = CASES[name]
        case = replace(case, steps=asked.steps or case.steps, run_steps=asked.run_steps or case.run_steps)
        variants, calm = measure(case, asked)
        found[name] = {"variants": as_json(variants), "turns": str(calm)}
        gc.collect()
    if asked.json:
        Path(asked.json).write_text(json.dumps({"machine": machine(), "cases": found}, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--screening", type=int, default=3, help="rounds in which the best tuning by hand is found")
    parser.add_argument("--steps", type=int, help="steps of a turn, instead of what the case says")
    parser.add_argument("--run-steps", type=int, help="length of the run that rillnet is told to be in")
    parser.add_argument("--threads", type=int, help="torch's threads, for all variants")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: seconds that the process has worked")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine, each turn")
    parser.add_argument(
        "--compile-limit", type=float, default=300, help="seconds torch.compile may take; 0 leaves it out"
    )
    parser.add_argument("--no-peers", action="store_true", help="without Lightning and Keras")
    parser.add_argument("--json", help="a file for all times")
    return parser


def machine() -> str:
    """What was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{date.today()}, {model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"load {load}"
    )


def measure(case: Case, asked: argparse.Namespace) -> tuple[list[Variant], Calm]:
    """Measures all variants of a case, and prints what was found."""
    calm = Calm(patience_s=asked.patience)
    print(f"\n## {case.name}\n")
    variants = [*best_tuned(case, asked.screening, calm), *built(case, asked)]
    interleave(variants, asked.rounds, case.steps, calm, say=_progress)
    plain = next(variant for variant in variants if variant.name == PLAIN)
    print("\n" + table(sorted(variants, key=lambda variant: variant.median_s), plain))
    print(f"\n{calm}; {asked.rounds} rounds of {case.steps} steps, {asked.clock} time.\n")
    for line in verdicts(case, variants):
        print(line)
    for variant in variants:
        close = getattr(variant.loop, "close", None)
        if close is not None:
            close()
    return variants, calm


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def best_tuned(case: Case, rounds: int, calm: Calm) -> list[Variant]:
    """The fastest of all tunings by hand, told from rounds of their own, and its step without any data to fetch."""
    candidates = {
        tuning: ready(f"{TUNED}: {tuning}", lambda tuning=tuning: TunedLoop(case, tuning)) for tuning in tunings()
    }
    interleave(list(candidates.values()), rounds, case.steps, calm, say=_progress)
    ordered = sorted(candidates.items(), key=lambda item: item[1].median_s)
    for _, candidate in ordered:
        print(f"- {candidate.name}: {candidate.median_s * 1e3:.2f} ms")
    tuning, best = ordered[0]
    best.times_s.clear()  # the least of many is too low; it is timed anew beside the others
    return [best, ready(BARE, lambda: TunedLoop(case, tuning, bare=True), "on one batch, given")]


def built(case: Case, asked: argparse.Namespace) -> list[Variant]:
    """Every other variant, after its first step; those that are not installed or take too long are told."""
    builds: dict[str, Build] = {
        AUTO: lambda: RillnetLoop(case, "auto"),
        EAGER: lambda: RillnetLoop(case, "eager"),
        PLAIN: lambda: PlainLoop(case),
    }
    if not asked.no_peers:
        builds |= _peers(case)
    variants = [ready(name, build) for name, build in builds.items()]
    variants[0].notes = str(variants[0].loop.session.choice).removeprefix("execution: ")  # type: ignore[attr-defined]
    if asked.compile_limit:
        variants += _compiled(case, asked.compile_limit)
    return variants


def _peers(case: Case) -> dict[str, Build]:
    """Lightning, and Keras in both of its data formats; what is not installed is left out and told."""
    builds: dict[str, Build] = {}
    if importlib.util.find_spec("lightning") is not None:
        from loop_lightning import LightningLoop

        builds[LIGHTNING] = lambda: LightningLoop(case)
    if importlib.util.find_spec("keras") is not None:
        from loop_keras import KerasLoop

        for data_format in ("channels_last", "channels_first"):
            builds[f"Keras, {data_format}"] = lambda data_format=data_format: KerasLoop(case, data_format)
    missing = [name for name in ("lightning", "keras") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed, and so left out: {', '.join(missing)}")
    return builds


def _compiled(case: Case, limit_s: float) -> list[Variant]:
    """Plain PyTorch through torch.compile, if that is done in time."""
    try:
        with limit(limit_s):
            return [ready(COMPILED, lambda: PlainLoop(case, compiled=True))]
    except Exception as error:  # the compiler wraps whatever ends it, the time limit included
        print(f"- {COMPILED}: not ready after {limit_s:.0f} s, or failed: {type(error).__name__}")
        return []


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Ends a passage that takes longer."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError(f"took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # and again, where the first is taken for a failure of a part
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def verdicts(case: Case, variants: list[Variant]) -> list[str]:
    """Our ratios against the targets."""
    by_name = {variant.name: variant for variant in variants}
    ours = by_name[AUTO]
    tuned = next(variant for variant in variants if variant.name.startswith(TUNED))
    targets = [(0.98, tuned), (1.25 if case.net == "googlenet" else 1.0, by_name[PLAIN])]
    if LIGHTNING in by_name:
        targets.append((1.0, by_name[LIGHTNING]))
    keras = [variant for variant in variants if variant.name.startswith("Keras")]
    if keras:
        targets.append((1.25, min(keras, key=lambda variant: variant.median_s)))
    lines = [
        f"- {verdict(ratio, target)}: {ratio} times the speed of {theirs.name}; target {target}"
        for target, theirs in targets
        for ratio in [speed(ours, theirs)]
    ]
    return [*lines, f"- without a target: {speed(ours, by_name[BARE])} times the speed of {BARE}"]


def verdict(ratio: Ratio, target: float) -> str:
    """Whether a ratio reaches a target, and how clearly."""
    if ratio.of >= target:
        return "reached" if ratio.low >= target else "reached in the median"
    return "missed" if ratio.high < target else "missed in the median"


if __name__ == "__main__":
    sys.exit(main())
