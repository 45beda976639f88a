"""What watching costs a run: frames per second with viewers, as a ratio of those without.

    python benchmarks/watching.py                          everything
    python benchmarks/watching.py --clock cpu --threads 1  on a machine that others use as well

Three sessions of the same net take turns: one that nobody ever looked at, one whose viewers have gone, and one that is
watched. The viewer reads in a thread of its own what has come and makes messages for a socket of it, as a server does.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from calm import Calm
from measuring import CLOCKS, Variant, interleave, set_clock, speed, time_calls
from streaming_nets import dense_case
from training import machine, verdict

import rillnet as rn
from rillnet.runtime.observers.view import View
from rillnet.runtime.observers.wire import encode
from rillnet.runtime.session import Session

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "02_roman_numerals.yaml"

PLAIN, GONE, WATCHED = "never looked at", "viewers gone", "watched"

THUMBNAILS = [
    *(f"net/{name}/output" for name in ("image", "seen", "hidden1", "hidden2", "flat", "hidden3", "prediction")),
    *(f"net/{name}/weight" for name in ("hidden1", "hidden2", "hidden3", "prediction")),
    *(f"net/{name}/bias" for name in ("hidden1", "hidden2", "hidden3", "prediction")),
    *(f"net/{name}/state" for name in ("image", "seen", "hidden1", "flat", "hidden3")),
]
"""Twenty of them, of everything that the page of the demonstration shows."""


class Frames:
    """Frames of a session.

    Args:
        frame: computes one.
        views: which are open meanwhile.
    """

    def __init__(self, frame: Callable[[], Any], views: list[View]) -> None:
        self.frame, self.views = frame, views
        self.read = 0

    def seconds_per_step(self, steps: int) -> float:
        with self._reading():
            return time_calls(self.frame, steps)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        if not self.views:
            yield
            return
        ends = threading.Event()

        def read() -> None:
            while not ends.is_set():
                for view in self.views:
                    self.read += len(encode(view.read(timeout=0.05)))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield
        finally:
            ends.set()
            reader.join()


def roman_session() -> Session:
    """The demonstration."""
    experiment = rn.load(EXAMPLE, ["run.execution=eager"])
    return Session(experiment, record=False, say=lambda text: None)


def roman_variants() -> list[Variant]:
    """The demonstration, with and without twenty thumbnails at thirty a second."""
    assert len(THUMBNAILS) == 20
    sessions = {name: roman_session() for name in (PLAIN, GONE, WATCHED)}
    gone, view = sessions[GONE].views.view(), sessions[WATCHED].views.view()
    for one in (gone, view):
        for address in THUMBNAILS:
            one.watch(address, "thumbnail", rate=30)
    gone.close()
    variants = []
    for name, session in sessions.items():
        for _ in range(8):
            session.learn()
        variants.append(Variant(name, Frames(session.learn, [view] if name == WATCHED else [])))
    return variants


def pools_variants(pools: int, on_screen: int) -> list[Variant]:
    """Frames of many pools that learn nothing: none watched, all subscribed to and some of them on the screen."""
    variants = []
    for name in (PLAIN, GONE, WATCHED):
        case = dense_case(pools)
        net = rn.Net.from_spec(case.document(), seed=1)
        session = Session(rn.Experiment(net=net, rollout="streaming"), record=False, say=lambda text: None)
        inputs = {"x": torch.randn(1, *case.shape)}
        session.step(inputs)
        views = []
        if name != PLAIN:
            view = session.views.view()
            begin = time.perf_counter()
            for number in range(pools):
                view.watch(f"net/pool{number}/output", "thumbnail", rate=30 if number < on_screen else 0)
            print(f"    {pools:,} watches in {time.perf_counter() - begin:.2f} s", file=sys.stderr)
            session.step(inputs)
            view.read()
            if name == GONE:
                view.close()
            else:
                views.append(view)
        variants.append(Variant(name, Frames(lambda session=session, inputs=inputs: session.step(inputs), views)))
    return variants


def measure(
    title: str, variants: list[Variant], targets: dict[str, float], asked: argparse.Namespace, steps: int
) -> None:
    """Measures, and prints what was found."""
    print(f"\n## {title}\n")
    calm = Calm(patience_s=asked.patience)
    interleave(variants, asked.rounds, steps, calm, say=lambda text: print(text, file=sys.stderr, flush=True))
    plain = variants[0]
    print("| variant | frames/s | cost in frames/s (quartiles) |\n|---|---:|---:|")
    for variant in variants:
        ratio = speed(variant, plain)
        cost = f"{1 - ratio.of:.1%} ({1 - ratio.high:.1%} to {1 - ratio.low:.1%})"
        print(f"| {variant.name} | {1 / variant.median_s:,.1f} | {'' if variant is plain else cost} |")
    sent = sum(loop.read for loop in (variants[-1].loop,) if isinstance(loop, Frames))
    seconds = sum(variants[-1].times_s) * steps
    print(f"\n{calm}; {asked.rounds} rounds of {steps} frames, {asked.clock} time; {sent / seconds / 1e3:,.0f} kB/s.\n")
    for variant in variants[1:]:
        print(f"- {verdict(speed(variant, plain), 1 - targets[variant.name])}: {variant.name}")


def pass_time(variants: list[Variant]) -> None:
    """Prints how long it takes to answer everything that is due."""
    session = variants[-1].loop.frame.__self__  # type: ignore[attr-defined]
    times = []
    for _ in range(50):
        time.sleep(0.034)
        begin = time.perf_counter()
        session.views.refresh(stale=True)
        times.append(time.perf_counter() - begin)
        session.learn()
    print(f"\nanswering {len(THUMBNAILS)} thumbnails: {statistics.median(times) * 1e3:.2f} ms")


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints tables in Markdown, and tells which targets are reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=60, help="frames of a turn")
    parser.add_argument("--threads", type=int, help="torch's threads")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: seconds that the process has worked")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine, each turn")
    parser.add_argument("--pools", type=int, default=10_000)
    parser.add_argument("--on-screen", type=int, default=50)
    parser.add_argument("--only", choices=("roman", "pools"))
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    print(machine())
    targets = {GONE: 0.005, WATCHED: 0.05}
    if asked.only != "pools":
        variants = roman_variants()
        measure("roman numerals, 20 thumbnails at 30/s", variants, targets, asked, asked.steps)
        pass_time(variants)
    if asked.only != "roman":
        title = f"{asked.pools:,} pools, {asked.on_screen} on the screen"
        measure(title, pools_variants(asked.pools, asked.on_screen), targets, asked, 4 * asked.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
