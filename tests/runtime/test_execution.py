"""How a net is executed: measured where that pays, kept, and without a trace on the net."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rillnet.runtime import execution
from rillnet.runtime.execution import Choice, NotCopiedError, choices_file, choose, copied, describe, plain, unmeasured
from rillnet.runtime.executor import Context
from rillnet.runtime.session import Session
from rillnet.spec import ExecutionSpec
from tests.training.small_experiments import differing, experiment, image_net, state_of

CPU = torch.device("cpu")


class Clock:
    """A clock that only the executors below move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Timed:
    """An executor whose steps take as long as they are said to."""

    def __init__(self, spec: ExecutionSpec, net: nn.Module, clock: Clock, seconds: float) -> None:
        self.execution, self.net, self.device = spec, net, CPU
        self.clock, self.seconds = clock, seconds

    def learn(self, fields: Mapping[str, Tensor], context: Any) -> dict[str, Tensor]:
        self.clock.now += self.seconds
        return {}


class Bench:
    """Makes executors whose times are products of factors, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, base: float = 0.01, **factors: float) -> None:
        self.clock, self.base, self.factors = Clock(), base, factors
        self.made: list[ExecutionSpec] = []
        self.failing: str | None = None
        self.net = image_net()
        monkeypatch.setattr(execution.time, "perf_counter", self.clock.perf_counter)
        monkeypatch.setattr(execution, "_threads", lambda device: 2)
        monkeypatch.setattr(torch, "set_num_threads", lambda count: None)

    def make(self, spec: ExecutionSpec) -> Any:
        self.made.append(spec)
        words = {
            str(spec.memory_format),
            str(spec.optimizer),
            f"threads{spec.threads}",
            "compiled" if spec.compile else "eager",
        }
        if self.failing in words:
            raise RuntimeError("view size is not compatible with input tensor's size and stride")
        seconds = self.base
        for word, factor in self.factors.items():
            seconds *= factor if word in words else 1.0
        return Timed(spec, self.net, self.clock, seconds)

    def choose(self, steps: int | None = 20_000, asked: dict[str, Any] | None = None, **keywords: Any) -> Choice:
        given = {"memory": None, **keywords}
        return choose(
            self.make,
            {"x": torch.zeros(2, 1)},
            net=self.net,
            asked=ExecutionSpec(**(asked or {})),
            device=CPU,
            context=Context(total_steps=steps),
            **given,
        )


def test_what_pays_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, channels_last=0.5, fused=0.8, threads1=1.5)
    choice = bench.choose()
    assert choice.execution == ExecutionSpec(compile=False, memory_format="channels_last", optimizer="fused", threads=2)
    assert (choice.gain, choice.step_ms, choice.reason) == (2.5, 4.0, "measured")
    assert choice.measured == {
        "eager, contiguous, foreach optimiser, 2 threads": 10.0,
        "eager, channels-last, foreach optimiser, 2 threads": 5.0,
        "eager, channels-last, fused optimiser, 2 threads": 4.0,
        "eager, channels-last, fused optimiser, 1 thread": 6.0,
    }
    assert str(choice) == (
        "execution: eager, channels-last, fused optimiser, 2 threads; 2.50x plain eager (measured); to fix it: "
        "run.execution={compile: false, memory_format: channels_last, optimizer: fused, threads: 2}"
    )


def test_what_does_not_pay_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Bench(monkeypatch, channels_last=0.98, fused=1.1, threads1=0.95).choose()
    assert choice.execution == plain(CPU)
    assert choice.gain == 1.0


def test_the_fused_optimiser_is_taken_unless_it_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Bench(monkeypatch, fused=1.01).choose().execution.optimizer == "fused"
    assert Bench(monkeypatch, fused=1.04).choose().execution.optimizer == "foreach"


def test_fewer_threads_must_win_by_far(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Bench(monkeypatch, threads1=0.92).choose().execution.threads == 2
    assert Bench(monkeypatch, threads1=0.85).choose().execution.threads == 1


def test_what_is_asked_for_is_not_tried_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, channels_last=0.5, fused=0.5, threads1=0.5)
    choice = bench.choose(asked={"memory_format": "contiguous", "optimizer": "single"})
    assert describe(choice.execution) == "eager, contiguous, single optimiser, 1 thread"
    assert {spec.memory_format for spec in bench.made} == {"contiguous"}
    assert {spec.optimizer for spec in bench.made} == {"single"}


def test_a_short_run_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, channels_last=0.5)
    choice = bench.choose(steps=1999)
    assert (choice.reason, len(bench.made)) == ("short run", 1)
    assert choice.execution == unmeasured(ExecutionSpec(), CPU)
    assert str(choice).endswith("(short run)")


def test_only_a_long_run_waits_for_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Bench(monkeypatch, compiled=0.5)
    assert long.choose(steps=130_000).execution.compile
    short = Bench(monkeypatch, compiled=0.5)
    assert not short.choose(steps=20_000).execution.compile
    assert not any(spec.compile for spec in short.made)


def test_a_way_that_fails_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, channels_last=0.1, fused=0.5)
    bench.failing = "channels_last"
    choice = bench.choose()
    assert describe(choice.execution) == "eager, contiguous, fused optimiser, 2 threads"
    assert choice.measured["eager, channels-last, foreach optimiser, 2 threads"] is None


def test_an_error_of_the_plain_way_is_the_users_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.failing = "foreach"
    with pytest.raises(RuntimeError, match="view size"):
        bench.choose()


def test_a_choice_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory = tmp_path / "deep" / "execution.json"
    first = Bench(monkeypatch, channels_last=0.5).choose(memory=memory)
    bench = Bench(monkeypatch, channels_last=2.0)
    again = bench.choose(memory=memory)
    assert bench.made == []
    assert (again.reason, again.execution, again.measured) == ("remembered", first.execution, first.measured)
    assert bench.choose(memory=memory, details=["bf16"]).reason == "measured"
    assert bench.choose(memory=memory, asked={"threads": 2}).reason == "measured"
    assert len(json.loads(memory.read_text())) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"x": 1}', "\x00"])
def test_a_memory_that_cannot_be_read_is_none(content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory = tmp_path / "execution.json"
    memory.write_text(content)
    assert Bench(monkeypatch).choose(memory=memory).reason == "measured"


def test_a_memory_that_cannot_be_written_does_not_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Bench(monkeypatch).choose(memory=tmp_path / "file" / "execution.json").reason == "measured"


def test_a_choice_is_kept_as_json() -> None:
    choice = Choice(plain(CPU), 1.5, 2.0, "measured", {"a": 1.0, "b": None})
    assert Choice.from_dict(json.loads(json.dumps(choice.as_dict()))) == choice


def test_the_file_of_choices_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert choices_file() == tmp_path / "rillnet" / "execution.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert choices_file() == tmp_path / ".cache" / "rillnet" / "execution.json"


# With sessions


def measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every run long enough to be measured, and channels-last the winner."""
    monkeypatch.setattr(execution, "_SHORT_RUN_S", 0.0)
    monkeypatch.setattr(execution, "_LONG_RUN_S", float("inf"))
    ticks = itertools.count()
    monkeypatch.setattr(execution._Trial, "time_s", lambda self, steps: self._step() or _told(self, next(ticks)))


def _told(trial: Any, tick: int) -> float:
    return 0.1 if trial.executor.execution.memory_format == "channels_last" else 0.2


def test_measuring_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    threads = torch.get_num_threads()
    pinned = {"memory_format": "channels_last", "optimizer": "fused", "compile": False, "threads": threads}
    with Session(experiment(run={"execution": pinned}), record=False) as session:
        session.run()
        assert session.choice is not None
        assert session.choice.reason == "asked for"
        expected = state_of(session)

    measuring(monkeypatch)
    with Session(experiment(), record=False) as session:
        session.total_steps = 18
        before, position = state_of(session), session.feed.state()
        session.prepare()
        assert differing(before, state_of(session)) == []
        assert session.feed.state() == position
        assert all(parameter.grad is None for parameter in session.net.parameters())
        session.run()
        assert session.choice is not None
        assert session.choice.reason == "measured"
        assert session.choice.execution.model_dump(exclude_none=True) == pinned
        assert differing(expected, state_of(session)) == []
    assert torch.get_num_threads() == threads


def test_the_choice_of_a_run_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measuring(monkeypatch)
    with Session(experiment(), root=tmp_path / "runs") as session:
        session.run(steps=3)
        chosen = session.choice
    monkeypatch.setattr(execution, "choose", None)
    with Session(experiment(), root=tmp_path / "runs", resume=True) as session:
        session.run(steps=3)
        assert session.choice == chosen
    path = tmp_path / "runs" / "small" / "1" / "journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(entry["text"], entry["step"]) for entry in entries] == [("execution", 0)]
    assert entries[0]["details"]["execution"]["memory_format"] == "channels_last"


def test_a_net_that_cannot_be_copied_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    net = image_net()
    net["conv"].lock = threading.Lock()
    with pytest.raises(NotCopiedError):
        copied(net)
    measuring(monkeypatch)
    with Session(experiment(net=net), record=False) as session:
        session.run(steps=1)
        assert session.choice is not None
        assert session.choice.reason == "not measured"


def test_steps_by_hand_and_looks_are_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measuring(monkeypatch)
    with Session(experiment(), record=False) as session:
        session.evaluate("test")
        assert session.choice is None  # a look before the run decides nothing
        session.run(steps=1)
        assert session.choice is not None
        assert session.choice.reason == "measured"
    with Session(experiment(), record=False) as session:
        session.step()
        session.run(steps=1)
        assert session.choice is not None
        assert session.choice.reason == "not measured"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("eager", "eager, contiguous, foreach optimiser"),
        ("compiled", "compiled, contiguous, fused optimiser"),
        ({"optimizer": "single", "compile": False, "memory_format": "channels_last"}, "eager, channels-last, single"),
    ],
)
def test_what_is_asked_for_is_taken(asked: Any, words: str) -> None:
    said: list[str] = []
    with Session(experiment(run={"execution": asked}), record=False, say=said.append) as session:
        session.total_steps = 10**9
        session.prepare()
        assert session.choice is not None
        assert session.choice.execution.threads == torch.get_num_threads()
    assert len(said) == 1
    assert said[0].startswith(f"execution: {words}")
    assert said[0].endswith("(asked for)")
