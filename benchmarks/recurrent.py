"""A recurrent language model: rillnet against torch.nn.RNN used by hand, and compile time against the window's length.

    python benchmarks/recurrent.py                               both
    python benchmarks/recurrent.py --threads 1 --clock cpu       on a machine that others use as well

A step learns from a window of 35 frames of 32 streams: 10,000 words, 128 units, SimpleRNN, cross-entropy, SGD. By hand
that is `torch.nn.RNN` over the whole window with its state carried on (truncated back-propagation through time);
rillnet is `Session.run`, one frame at a time from its source, data feed, log and all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from calm import Calm
from measuring import CLOCKS, Stamps, Variant, as_json, interleave, ready, set_clock, speed, table, time_calls
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from training import machine

import rillnet as rn

WORDS, UNITS, WINDOW, STREAMS, RATE = 10_000, 128, 35, 32, 0.1
FRAMES = WINDOW * 40
BY_HAND, OURS, FRAMEWISE = "torch.nn.RNN by hand", "rillnet", "rillnet, frame by frame"
TARGET, COMPILE_TARGET = 1.0, 1.2
LONG_WINDOW = 1024


def text(words: int = WORDS, frames: int = FRAMES, streams: int = STREAMS) -> Tensor:
    """Made-up words, [frames + 1, streams]."""
    return torch.randint(words, (frames + 1, streams), generator=torch.Generator().manual_seed(0))


class Text:
    """The same words as frames: a source of rillnet's."""

    def __init__(self, words: Tensor) -> None:
        self.words, self.frames_per_epoch = words, len(words) - 1

    def phases(self) -> tuple[str, ...]:
        return ("train",)

    def examples(self, phase: str) -> Text:
        return self

    def fields(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {"word": ((), torch.int64), "next": ((), torch.int64)}

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        place = number % self.frames_per_epoch
        return {"word": self.words[place], "next": self.words[place + 1]}


class ByHand:
    """As people write it."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.embed, self.rnn, self.out = nn.Embedding(WORDS, UNITS), nn.RNN(UNITS, UNITS), nn.Linear(UNITS, WORDS)
        parameters = [*self.embed.parameters(), *self.rnn.parameters(), *self.out.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=RATE)
        self.words, self.at = text(), 0
        self.state: Tensor | None = None

    def step(self) -> Tensor:
        begin = self.at % FRAMES
        self.at += WINDOW
        word_TN, next_TN = self.words[begin : begin + WINDOW], self.words[begin + 1 : begin + WINDOW + 1]
        h_TNH, state = self.rnn(self.embed(word_TN), self.state)
        self.state = state.detach()
        loss = cross_entropy(self.out(h_TNH).flatten(0, 1), next_TN.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def seconds_per_step(self, steps: int) -> float:
        return time_calls(self.step, steps)


def net(words: int = WORDS) -> rn.Net:
    """The same in rillnet."""
    made = rn.Net("words", inputs={"word": rn.Scalar("int64"), "next": rn.Scalar("int64")}, seed=0)
    made.add("embed", rn.Embedding(num_embeddings=words, embedding_dim=UNITS), source="word")
    made.add("rnn", rn.SimpleRNN(hidden_size=UNITS)).add("out", rn.Linear(out_features=words))
    return made.add("loss", rn.CrossEntropy(), source=["out", "next"])


def cycle(words: int) -> rn.Net:
    """The same with the cell written out as a cycle of ordinary blocks."""
    made = rn.Net("cycle", inputs={"word": rn.Scalar("int64"), "next": rn.Scalar("int64")}, seed=0)
    made.add("embed", rn.Embedding(num_embeddings=words, embedding_dim=UNITS), source="word")
    made.add("x2h", rn.Linear(out_features=UNITS)).add("sum", rn.Sum(), source=["x2h", "h2h@-1"])
    made.add("h", rn.Tanh()).add("h2h", rn.Linear(out_features=UNITS, bias=False))
    made.add("out", rn.Linear(out_features=words), source="h")
    return made.add("loss", rn.CrossEntropy(), source=["out", "next"])


class Ours:
    """`Session.run`; a step is the frames of a window.

    Args:
        made: the net.
        words: of the text.
        window: frames of a step.
        execution: as in a document.
    """

    def __init__(self, made: rn.Net, words: int = WORDS, window: int = WINDOW, execution: Any = "eager") -> None:
        learning = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": RATE}, "window": window}
        never = {"every": "never"}
        experiment = rn.Experiment(
            net=made,
            data={"source": Text(text(words)), "batch_size": STREAMS},
            learning=learning,
            run={"frames": 10**9, "execution": execution, "evaluate": never, "checkpoint": {"every": f"{10**9} steps"}},
        )
        self.window = window
        self._root = tempfile.TemporaryDirectory(prefix="rillnet-benchmark-")
        self._stamps = Stamps(1)
        self.session = rn.Session(experiment, root=self._root.name, observers=[self._note], say=lambda _: None)

    def _note(self, session: rn.Session) -> None:
        if session.clock.step % self.window == 0:
            self._stamps.note()

    def seconds_per_step(self, steps: int) -> float:
        self._stamps = Stamps(steps)
        self.session.run(frames=(steps + 1) * self.window, progress=False)
        return self._stamps.seconds_per_step


class Framewise:
    """The same net with every block computed frame by frame."""

    def __init__(self) -> None:
        made = net()
        self.program = rn.Program(made, outputs=["loss"])
        self.optimizer = torch.optim.SGD(made.parameters(), lr=RATE, fused=True)
        self.words, self.at, self.state = text(), 0, self.program.initial_state(STREAMS)

    def step(self) -> None:
        begin = self.at % FRAMES
        self.at += WINDOW
        frames = [{"word": self.words[t], "next": self.words[t + 1]} for t in range(begin, begin + WINDOW)]
        sent, state = self.program.unroll(frames, self.state)
        self.state = {key: tensor.detach() for key, tensor in state.items()}
        self.optimizer.zero_grad()
        torch.stack([outputs["loss"] for outputs in sent]).mean().backward()
        self.optimizer.step()

    def seconds_per_step(self, steps: int) -> float:
        return time_calls(self.step, steps)


def compile_seconds(window: int, words: int = 100) -> float:
    """Seconds that compiling takes, as torch tells, with nothing taken from what was compiled before."""
    torch._dynamo.reset()
    torch._dynamo.utils.compilation_time_metrics.clear()
    with torch.compiler.config.patch(force_disable_caches=True):
        Ours(cycle(words), words, window, {"compile": True}).session.run(frames=2 * window, progress=False)
    return torch._dynamo.utils.calculate_time_spent()["total_wall_time"]


def verdict(found: float, target: float, *, at_least: bool) -> str:
    """Whether a target is reached, in a word."""
    return "reached" if (found >= target if at_least else found <= target) else "missed"


def compile_times(rounds: int) -> dict[int, list[float]]:
    """Compile times of both windows in turn."""
    compile_seconds(WINDOW)  # the compiler itself is loaded
    found: dict[int, list[float]] = {WINDOW: [], LONG_WINDOW: []}
    for _ in range(rounds):
        for window, times in found.items():
            times.append(compile_seconds(window))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measures, and prints tables in Markdown with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn")
    parser.add_argument("--compile-rounds", type=int, default=3, help="0 leaves compile times out")
    parser.add_argument("--threads", type=int, help="torch's threads, for all variants")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: seconds that the process has worked")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine, each turn")
    parser.add_argument("--json", help="a file for all times")
    asked = parser.parse_args(arguments)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    set_clock(asked.clock)
    print(machine())
    calm = Calm(patience_s=asked.patience)
    variants: list[Variant] = [
        ready(BY_HAND, ByHand),
        ready(OURS, lambda: Ours(net())),
        ready(f"{OURS}, the cell as a cycle of blocks", lambda: Ours(cycle(WORDS))),
        ready(FRAMEWISE, Framewise),
    ]
    interleave(variants, asked.rounds, asked.steps, calm, say=lambda line: print(line, file=sys.stderr, flush=True))
    print("\n" + table(variants, variants[0]))
    print(f"\n{calm}; {asked.rounds} rounds of {asked.steps} steps, {asked.clock} time.\n")
    ratio = speed(variants[1], variants[0])
    print(f"- {verdict(ratio.of, TARGET, at_least=True)}: {ratio} times the speed of {BY_HAND}; target {TARGET}")
    times = compile_times(asked.compile_rounds) if asked.compile_rounds else {}
    if times:
        low, high = (sorted(values)[len(values) // 2] for values in times.values())
        times_told = f"{low:.1f} s for a window of {WINDOW}, {high:.1f} s for {LONG_WINDOW}"
        word = verdict(high / low, COMPILE_TARGET, at_least=False)
        print(f"- {word}: compiling takes {times_told}; {high / low:.2f} times, target at most {COMPILE_TARGET}")
    if asked.json:
        told_json = {"machine": machine(), "variants": as_json(variants), "compile_s": times}
        Path(asked.json).write_text(json.dumps(told_json, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
