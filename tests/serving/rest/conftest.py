"""A small session, a server that serves it, and one that serves a root of runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

import rillnet as rn
from rillnet.errors import Interrupted
from rillnet.serving.rest.app import Application
from rillnet.serving.rest.documents import Documents
from rillnet.serving.rest.local import LocalSession
from rillnet.serving.rest.runs import Runs
from rillnet.serving.rest.security import Access
from rillnet.serving.rest.server import listen, serving
from rillnet.serving.rest.sessions import Sessions
from rillnet.serving.rest.stream import Stream
from tests.serving.rest.asking import TOKEN, Client

DOCUMENT = """\
experiment: small
net:
  inputs:
    image: [1, 8, 8]
    label: {dtype: int64}
  blocks:
    flat: {type: Flatten, from: image}
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
data:
  source: Digits
  batch_size: 256
learning:
  main: {type: Backprop, optimizer: {type: SGD, lr: 0.1}}
run: {steps: 100000, seed: 1, execution: eager, log: 5 steps, evaluate: {every: never}}
"""


def small_session(root: Path, record: bool = True) -> rn.Session:
    """A session of a net that learns a line."""
    net = rn.Net("line", inputs={"x": (4,), "y": (2,)}, seed=1)
    net.add("hidden", rn.Linear(out_features=3), source="x").add("act", rn.Tanh())
    net.add("fit", rn.Linear(out_features=2)).add("loss", rn.MeanSquaredError(), source=["fit", "y"])
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(64, 4, generator=generator)
    experiment = rn.Experiment(
        net=net,
        data={"x": x, "y": x[:, :2]},
        learning={"type": "Backprop", "loss": "loss", "optimizer": {"type": "SGD", "lr": 0.1}},
        run={"steps": 1_000_000, "execution": "eager", "log": "20 steps"},
    )
    return rn.Session(experiment, root=root, record=record, say=lambda text: None)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[rn.Session]:
    """A session that has begun, and waits."""
    with small_session(tmp_path / "runs") as made:
        made.run(steps=1, progress=False)
        yield made


@pytest.fixture
def local(session: rn.Session) -> Iterator[LocalSession]:
    """The same, as a server sees it."""
    made = LocalSession(session)
    yield made
    made.close()


@contextlib.contextmanager
def learning(session: rn.Session) -> Iterator[None]:
    """Within it the session runs, in a thread of its own."""
    failed: list[BaseException] = []
    begun = threading.Event()

    def run() -> None:
        try:
            session.run(progress=False)
        except BaseException as error:
            failed.append(error)

    session.observers.append(lambda _: begun.set())
    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(20), failed
    try:
        yield
    finally:
        session.control.submit("stop")
        thread.join(20)
        session.observers.pop()
    assert not thread.is_alive()
    assert [error for error in failed if not isinstance(error, Interrupted)] == []


@pytest.fixture
def running(session: rn.Session) -> Callable[[], AbstractContextManager[None]]:
    """Lets the session run as long as a context lasts."""
    return lambda: learning(session)


@pytest.fixture
def served(session: rn.Session, local: LocalSession, tmp_path: Path) -> Iterator[Client]:
    """A server of that session."""
    stream = Stream(local)
    runs = Runs(session.root, Documents(tmp_path, session.root), stop_own=lambda: session.control.submit("stop"))
    application = Application(Sessions(runs, local), Access(TOKEN), stream)
    listening = listen(port=0)
    client = Client(listening.getsockname()[1])
    with serving(application, listening, on_end=lambda: stream.end("the test has ended")):
        yield client


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory of runs, empty; `small.yaml` lies beside it."""
    (tmp_path / "small.yaml").write_text(DOCUMENT)
    return tmp_path / "runs"
