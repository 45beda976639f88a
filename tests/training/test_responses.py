"""Accuracy per response: measured in the frames in which answers come, written, and drawn beside other rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.training.responses import (
    NUMBERS,
    PICTURE,
    Responses,
    read_responses,
    responses_of,
    write_responses,
)

DURATION = 6


class Shown:
    """Streams that show one of two points for six frames, all in step."""

    frames_per_epoch = 4 * DURATION

    def fields(self) -> dict[str, Any]:
        return {
            "x": ((2,), torch.float32),
            "label": ((), torch.int64),
            "onset": ((), torch.int64),
            "begins": ((), torch.bool),
        }

    def frame(self, number: int, streams: int, seed: int) -> dict[str, Tensor]:
        sequence, onset = divmod(number, DURATION)
        label = (torch.arange(streams) + sequence) % 2
        onset_N = torch.full((streams,), onset)
        return {
            "x": torch.eye(2)[label] + 0.01 * onset,
            "label": label,
            "onset": onset_N,
            "begins": onset_N == 0,
        }


class Source:
    """A source of them."""

    def phases(self) -> tuple[str, ...]:
        return ("train", "test")

    def examples(self, phase: str) -> Shown:
        return Shown()


def net(*, with_metric: bool = True) -> rn.Net:
    made = rn.Net("two", inputs={"x": (2,), "label": rn.Scalar("int64"), "onset": rn.Scalar("int64")}, seed=1)
    made.add("hidden", rn.Linear(out_features=8), source="x").add("act", rn.Tanh())
    made.add("answer", rn.Linear(out_features=2)).add("counted", rn.FirstResponses(count=3), source="onset")
    made.add("loss", rn.CrossEntropy(), source=["answer", "label", "counted"])
    if with_metric:
        made.add("by_delay", rn.AccuracyByDelay(delays=DURATION), source=["answer", "label", "onset"], exclude="train")
    return made


def session(root: Path, rollout: Any, evaluate: str = "end", **parts: Any) -> rn.Session:
    learning = {
        "type": "Backprop",
        "optimizer": {"type": "Adam", "lr": 0.05},
        "window": DURATION,
        "lag": "auto",
        "over_frames": "sum",
    }
    run = {
        "frames": 40 * DURATION,
        "execution": "eager",
        "reset": "begins",
        "evaluate": {"every": evaluate},
        "extensions": ["AccuracyPerResponse"],
    }
    data = {"source": Source(), "batch_size": 4}
    given = {"net": net(), "data": data, "learning": learning, "rollout": rollout, "run": run, "experiment": "two"}
    return rn.Session(rn.Experiment(**{**given, **parts}), root=root)


@pytest.mark.parametrize("evaluate", ["end", "never"])
def test_a_run_leaves_the_numbers_and_the_picture(tmp_path: Path, evaluate: str) -> None:
    with session(tmp_path, "streaming", evaluate) as running:
        running.run()

    told = json.loads((tmp_path / "two" / "1" / NUMBERS).read_text())
    (found,) = told.pop("responses")
    assert told == {"experiment": "two", "phase": "test"}
    assert found["accuracy"] == [1.0, 1.0, 1.0, 1.0]
    assert (found["rollout"], found["block"]) == ("streaming", "answer")
    assert (found["first_response"], found["update_steps"]) == (2, [2, 3, 4, 5])
    picture = (tmp_path / "two" / "1" / PICTURE).read_text()
    assert "two: accuracy per response (test)" in picture
    assert ">streaming</text>" in picture


def test_other_rollouts_of_the_experiment_are_drawn_beside(tmp_path: Path) -> None:
    for rollout in ("streaming", "sequential", {"default": "streaming", "align": True}, "sequential"):
        with session(tmp_path, rollout) as running:
            running.run()

    (sequential,) = read_responses(tmp_path / "two" / "2")
    assert (sequential.first_response, sequential.update_steps) == (0, [2, 4, 6, 8, 10, 12])
    picture = (tmp_path / "two" / "4" / PICTURE).read_text()
    assert picture.count("<polyline") == 3
    for name in ("streaming", "streaming, aligned", "sequential"):
        assert f">{name}</text>" in picture


def test_several_answers_are_drawn_by_name(tmp_path: Path) -> None:
    answers = [Responses("streaming", block, 0, [1, 2], [0.5, 0.75]) for block in ("early", "late")]

    write_responses(tmp_path, "two", "test", answers)

    assert read_responses(tmp_path) == answers
    picture = (tmp_path / PICTURE).read_text()
    assert [f">streaming: {block}</text>" in picture for block in ("early", "late")] == [True, True]


def test_the_newest_run_of_another_rollout_is_drawn(tmp_path: Path) -> None:
    for number, share in (("2", 0.25), ("10", 0.75), ("9", 0.5)):
        (tmp_path / number).mkdir()
        write_responses(tmp_path / number, "two", "test", [Responses("sequential", "answer", 0, [2], [share])])
    (tmp_path / "11").mkdir()

    write_responses(tmp_path / "11", "two", "test", [Responses("streaming", "answer", 2, [2], [0.1])])

    assert "sequential: 0.75 first" in (tmp_path / "11" / PICTURE).read_text()


def test_a_damaged_neighbour_is_left_out(tmp_path: Path) -> None:
    with session(tmp_path, "streaming") as running:
        running.run()
    (tmp_path / "two" / "1" / NUMBERS).write_text('{"responses": [{"rollout": 3}]}')

    with session(tmp_path, "sequential") as running:
        running.run()

    assert read_responses(tmp_path / "two" / "1") == []
    assert (tmp_path / "two" / "2" / PICTURE).read_text().count("<polyline") == 1


def test_delays_before_the_first_response_do_not_count() -> None:
    metrics = {f"by_delay/{delay}": delay / 10 for delay in range(DURATION)}
    rollout = rn.Rollout.streaming(net())

    (found,) = responses_of(rollout, metrics, "test", "streaming")

    assert found.accuracy == [0.2, 0.3, 0.4, 0.5]


def test_a_net_without_the_metric_is_told(tmp_path: Path) -> None:
    with session(tmp_path, "streaming", net=net(with_metric=False)) as running, pytest.raises(RequestError) as error:
        running.run()
    assert str(error.value) == (
        "run.extensions: AccuracyPerResponse needs an AccuracyByDelay block in the test phase; "
        "add {type: AccuracyByDelay, from: [scores, label, onset], delays: 12}"
    )
    assert not (tmp_path / "two").exists()
