"""How fast nets of pools stream, as ratios against peers: plain, compiled, stacked by hand, a kernel by hand, JAX.

    python benchmarks/streaming.py                                everything
    python benchmarks/streaming.py --cases dense --rounds 20      one net
    python benchmarks/streaming.py --threads 1 --clock cpu        on a machine that others use as well
    python benchmarks/streaming.py --cases --scaling 100 1000     only how frames, set-up and memory grow

See benchmarks/README.md for what is compared and how.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from calm import Calm
from measuring import CLOCKS, Variant, as_json, interleave, ready, set_clock, speed
from streaming_jax import NAME as JAX
from streaming_jax import Jax, reason_to_leave_out
from streaming_nets import CASES, StreamingCase, dense_case
from streaming_peers import ALONE, CompiledLoop, Peer, peers_of
from training import limit, machine, verdict

import rillnet as rn

PLAIN, COMPILED, OURS, SESSION = "plain loop", "plain loop, compiled", "rillnet Program", "rillnet Session"


class ProgramFrames(Peer):
    """Frames of a program, which hands on its state."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        begin = time.perf_counter()
        self.net = rn.Net.from_spec(case.document(), seed=1)
        net_s = time.perf_counter()
        rollout = rn.Rollout.streaming(self.net)
        self.program = rn.Program(self.net, rollout, outputs=[f"pool{number}" for number in range(case.pools)])
        self.net_s, self.program_s = net_s - begin, time.perf_counter() - net_s
        set_parameters(self.net, case)
        self.outputs: Any = None
        self.state: Any = None

    def frame(self, x: torch.Tensor) -> None:
        self.outputs, self.state = self.program({"x": x}, self.state)

    def sent(self) -> torch.Tensor:
        return torch.cat([self.outputs[f"pool{number}"] for number in range(self.case.pools)])


class SessionFrames(Peer):
    """Frames of a session, `session.step(inputs)`, which computes and offers every block."""

    def __init__(self, case: StreamingCase) -> None:
        super().__init__(case)
        net = rn.Net.from_spec(case.document(), seed=1)
        set_parameters(net, case)
        self.session = rn.Session(rn.Experiment(net=net, rollout="streaming"), record=False)
        self.outputs: Any = None

    def frame(self, x: torch.Tensor) -> None:
        self.outputs = self.session.step({"x": x})

    def sent(self) -> torch.Tensor:
        return torch.cat([self.outputs[f"pool{number}"] for number in range(self.case.pools)])


@torch.no_grad()
def set_parameters(net: rn.Net, case: StreamingCase) -> None:
    """Gives a net the numbers of its peers."""
    weights, biases = case.parameters()
    synapses = [name for name in net.blocks if type(net[name]).__name__ == "Synapse"]
    for number, name in enumerate(synapses):
        for source in range(weights.shape[1]):
            own = getattr(net[name], f"W_0_{source}")
            own.copy_(weights[number, source].reshape(own.shape))
        net[f"pool{number}"].bias.copy_(biases[number])


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints tables in Markdown, and tells which targets are reached."""
    asked = _parser().parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    print(machine())
    found: dict[str, Any] = {}
    for name in asked.cases:
        variants, left_out, calm = measure(CASES[name], asked)
        compiling = {variant.name: compile_s(variant) for variant in variants}
        told = {"variants": as_json(variants), "compile_s": compiling, "left_out": left_out, "turns": str(calm)}
        found[name] = told
        del variants
        gc.collect()
    rows = scaling(asked.scaling, asked) if asked.scaling else []
    if asked.json:
        Path(asked.json).write_text(json.dumps({"machine": machine(), "cases": found, "scaling": rows}, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--scaling", nargs="*", type=int, default=[100, 1_000, 10_000, 100_000], metavar="POOLS")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, help="frames of a turn, instead of what the case says")
    parser.add_argument("--threads", type=int, help="torch's threads, for all variants")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: seconds that the process has worked")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine, each turn")
    parser.add_argument("--compile-limit", type=float, default=600, help="seconds torch.compile may take; 0: none")
    parser.add_argument("--json", help="a file for all times")
    return parser


def measure(case: StreamingCase, asked: argparse.Namespace) -> tuple[list[Variant], dict[str, str], Calm]:
    """Measures all variants of a case, and prints what was found; also why others were left out."""
    print(f"\n## {case.name}: {case.pools:,} pools {list(case.shape)}\n")
    calm, steps = Calm(patience_s=asked.patience), asked.steps or case.steps
    builds: dict[str, Any] = {OURS: lambda: ProgramFrames(case), SESSION: lambda: SessionFrames(case), **peers_of(case)}
    variants, left_out = [ready(name, build) for name, build in builds.items()], {}
    for name, found in {JAX: with_jax(case), COMPILED: compiled(case, asked.compile_limit)}.items():
        if isinstance(found, Variant):
            variants.append(found)
        else:
            left_out[name] = found
    check(variants)
    interleave(variants, asked.rounds, steps, calm, say=lambda text: print(text, file=sys.stderr, flush=True))
    plain = next(variant for variant in variants if variant.name == PLAIN)
    print(table(sorted(variants, key=lambda variant: variant.median_s), plain, left_out))
    print(f"\n{calm}; {asked.rounds} rounds of {steps} frames, {asked.clock} time.\n")
    for line in verdicts(case, variants):
        print(line)
    return variants, left_out, calm


def with_jax(case: StreamingCase) -> Variant | str:
    """The pools in JAX, or why not."""
    reason = reason_to_leave_out()
    if reason:
        return reason
    variant = ready(JAX, lambda: Jax(case))
    variant.notes = variant.loop.form  # type: ignore[attr-defined]
    return variant


def compiled(case: StreamingCase, limit_s: float) -> Variant | str:
    """The plain loop through torch.compile, or why not: it must be done in time."""
    if not limit_s:
        return "not asked for"
    begin = time.perf_counter()
    try:
        with limit(limit_s):
            return ready(COMPILED, lambda: CompiledLoop(case))
    except Exception as error:  # the compiler wraps whatever ends it, the time limit included
        end_children()
        torch._dynamo.reset()
        if time.perf_counter() - begin < limit_s:
            return f"failed: {type(error).__name__}"
        return f"not compiled within {limit_s:.0f} s"


def end_children() -> None:
    """Ends the compilers that work on for what nobody waits for."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=10)


def compile_s(variant: Variant) -> float:
    """Seconds that a compiler took."""
    found: float = variant.loop.compile_s  # type: ignore[attr-defined]
    return found


def check(variants: list[Variant]) -> None:
    """Every variant must have sent the same numbers in its first frames."""
    peers: dict[str, Any] = {variant.name: variant.loop for variant in variants}
    with torch.no_grad():
        sent = {name: peer.sent().clone() for name, peer in peers.items()}
    for name, value in sent.items():
        if not torch.allclose(value, sent[PLAIN], rtol=1e-3, atol=1e-4):
            raise SystemExit(f"{name} computes something else than the plain loop")


def table(variants: list[Variant], plain: Variant, left_out: dict[str, str]) -> str:
    """A table in Markdown."""
    rows = ["| variant | frames/s | times the speed of the plain loop (quartiles) | s to the first frame | compiling |"]
    rows.append("|---|---:|---:|---:|---:|")
    for variant in variants:
        notes, compiling = f" ({variant.notes})" if variant.notes else "", compile_s(variant)
        told = f"{1 / variant.median_s:,.0f} | {speed(variant, plain)} | {variant.ready_s:.1f}"
        rows.append(f"| {variant.name}{notes} | {told} | {f'{compiling:.1f}' if compiling else ''} |")
    rows += [f"| {name} | | {reason} | | |" for name, reason in left_out.items()]
    return "\n".join(rows)


def verdicts(case: StreamingCase, variants: list[Variant]) -> list[str]:
    """Our ratios against the targets."""
    ours = next(variant for variant in variants if variant.name == OURS)
    lines = []
    for theirs in variants:
        if theirs.name not in (OURS, SESSION):
            target = case.target if theirs.name == PLAIN else 1.0
            ratio = speed(ours, theirs)
            if theirs.name == ALONE:
                lines.append(f"- without a target: {ratio} times the speed of {theirs.name}")
                continue
            lines.append(f"- {verdict(ratio, target)}: {ratio} times the speed of {theirs.name}; target {target}")
    return lines


def scaling(pools: list[int], asked: argparse.Namespace) -> list[dict[str, float]]:
    """How frames per second, set-up time and memory grow with the number of pools."""
    print("\n## Growth: dense pools of 16 units with 4 sources\n")
    print("| pools | frames/s | s for the net | s for the program | s for the first frame | bytes per pool |")
    print("|---:|---:|---:|---:|---:|---:|")
    rows = []
    for count in pools:
        gc.collect()
        before = psutil.Process().memory_info().rss
        peer = ProgramFrames(dense_case(count))
        begin = time.perf_counter()
        peer.seconds_per_step(1)
        first_s = time.perf_counter() - begin
        gc.collect()
        per_pool = (psutil.Process().memory_info().rss - before) / count
        calm, steps = Calm(patience_s=asked.patience), peer.case.steps
        seconds = min(calm.take(lambda peer=peer, steps=steps: peer.seconds_per_step(steps)) for _ in range(3))
        row = {"pools": count, "frames/s": 1 / seconds, "net_s": peer.net_s, "program_s": peer.program_s}
        rows.append({**row, "first_s": first_s, "bytes": per_pool})
        told = f"{peer.net_s:.2f} | {peer.program_s:.2f} | {first_s:.2f} | {per_pool:,.0f}"
        print(f"| {count:,} | {1 / seconds:,.0f} | {told} |", flush=True)
        del peer
    return rows


if __name__ == "__main__":
    sys.exit(main())
