from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError, RunError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.shell.local import LocalSession
from rillnet.serving.shell.protocol import Wanted
from tests.serving.shell.conftest import DOCUMENT


def made(*overrides: str, said: list[str] | None = None) -> LocalSession:
    experiment = rn.load("tiny.yaml", overrides)
    assert isinstance(experiment, rn.Experiment)
    say = said.append if said is not None else lambda text: None
    return LocalSession(experiment, root=Path("runs"), fresh=False, say=say)


@pytest.fixture
def session(place: Path) -> Iterator[LocalSession]:
    """A session that is held before its first frame."""
    found = made()
    found.begin(plays=False)
    yield found
    found.close()


def test_it_is_held_until_it_is_told_to_play(session: LocalSession) -> None:
    assert (session.name, session.status()["state"], session.status()["clock"]["frame"]) == ("tiny/1", "paused", 0)

    session.command("play")
    assert session.status()["state"] == "running"
    session.command("pause")
    assert session.status()["clock"]["frame"] == session.command("get clock/frame")


def test_steps_are_waited_for(session: LocalSession) -> None:
    assert session.command("step 5") == 5
    assert session.status()["state"] == "paused"


def test_tensors_become_arrays(session: LocalSession) -> None:
    found = session.command("get net/hidden/bias")

    assert isinstance(found, np.ndarray)
    assert found.shape == (8,)


def test_what_is_refused_changes_nothing(session: LocalSession) -> None:
    session.command("step 2")
    before = session.command("get net/hidden/bias")
    with pytest.raises(RequestError, match=r"^net/hiden/bias: unknown address; did you mean 'net/hidden/bias'\?$"):
        session.command("set net/hiden/bias 1")

    assert np.array_equal(session.command("get net/hidden/bias"), before)


def test_addresses_names_and_the_net(session: LocalSession) -> None:
    rates = session.addresses("learning/*/rate")
    assert [(one["address"], one["value"]) for one in rates] == [("learning/main/rate", 0.1)]
    assert len(session.addresses("**", limit=3)) == 3
    assert {"net/hidden/weight", "clock/frame"} <= set(session.names())
    assert [block["path"] for block in session.description()["blocks"]] == ["flat", "hidden", "logits", "loss"]
    assert "pause" in [command["name"] for command in session.commands()]


def test_values_are_streamed_while_it_is_held_and_while_it_runs(session: LocalSession) -> None:
    session.command("step 2")
    held = session.stream(Wanted(["net/hidden/output", "clock/frame"]))
    found = {one.address: one for one in (next(held), next(held))}
    held.close()
    assert found["clock/frame"].value == 2
    assert found["net/hidden/output"].value.shape == (8,)

    session.command("play")
    running = session.stream(Wanted(["clock/frame"], rate=100))
    frames = [next(running).frame for _ in range(3)]
    running.close()
    assert frames == sorted(set(frames))


def test_a_stream_of_nothing_is_refused(session: LocalSession) -> None:
    with pytest.raises(RequestError, match=r"^net/zebra: unknown address"):
        next(session.stream(Wanted(["net/zebra"])))


def test_closing_saves_what_was_done(place: Path) -> None:
    said: list[str] = []
    session = made(said=said)
    session.begin(plays=False)
    session.command("step 3")
    session.close()

    assert said[0].startswith("tiny: 4 blocks")
    assert said[-1] == "interrupted after step 3 and saved; the same command goes on"
    assert RunDirectory.open(Path("runs/tiny/1")).read_status().step == 3


def test_a_run_that_fails_is_told_and_raised(place: Path) -> None:
    said: list[str] = []
    session = made("learning.main.optimizer.lr=1e30", said=said)
    session.begin(plays=True)
    assert session._thread is not None
    session._thread.join(60)

    assert session.has_ended
    with pytest.raises(RunError) as raised:
        session.close()
    assert str(raised.value) in said
    assert RunDirectory.open(Path("runs/tiny/1")).status == "failed"


def test_a_run_that_cannot_begin_says_why(place: Path) -> None:
    Path("tiny.yaml").write_text(DOCUMENT.replace("image: [1, 32, 32]", "image: [1, 16, 16]"))
    session = made()

    with pytest.raises(RequestError, match="the data sends"):
        session.begin(plays=False)
    session.close()
    assert not Path("runs").exists()


def test_the_parameters_are_those_of_a_run_without_a_shell(place: Path) -> None:
    session = made("run.frames=20")
    session.begin(plays=False)
    for text in ("step 7", "get net/hidden/bias", "speed 1000", "speed max", "play"):
        session.command(text)
    assert session._thread is not None
    session._thread.join(60)
    session.close()

    experiment: Any = rn.load("tiny.yaml", ["run.frames=20"])
    with rn.Session(experiment, record=False) as plain, rn.Session(rn.load("tiny/1"), record=False) as shown:
        plain.run()
        shown.go_on()
        pairs = zip(plain.net.parameters(), shown.net.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
