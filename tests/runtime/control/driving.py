"""A session that runs in a thread of its own, so that a test can command it from another one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

import rillnet as rn
from rillnet.errors import Interrupted
from rillnet.runtime.session import Session
from tests.training.small_experiments import line_experiment

LONG = 10**9
"""More steps than any test waits for."""


def wide_net() -> rn.Net:
    """Two layers, dropout, and a recurrent edge, so that there is a state."""
    net = rn.Net("wide", inputs={"x": (3,), "y": rn.Scalar("int64")}, seed=3)
    net.add("hidden", rn.Linear(out_features=4), source=["x"]).add(
        "back", rn.Linear(out_features=4), source="hidden@-1"
    )
    net.add("sum", rn.Sum(), source=["hidden", "back"]).add("act", rn.Tanh()).add("drop", rn.Dropout(p=0.25))
    net.add("logits", rn.Linear(out_features=2)).add("loss", rn.CrossEntropy(), source=["logits", "y"])
    return net.add("accuracy", rn.Accuracy(), source=["logits", "y"], exclude="train")


def wide_data() -> dict[str, Any]:
    """Two classes that can be told apart, to train with and to test on."""
    random = torch.Generator().manual_seed(1)
    y = torch.randint(2, (24,), generator=random)
    x = torch.randn(24, 3, generator=random) + y.view(-1, 1)
    return {"source": {"train": {"x": x, "y": y}, "test": {"x": x[:8], "y": y[:8]}}, "batch_size": 4}


def wide_experiment(**parts: Any) -> rn.Experiment:
    """An experiment with that net; keywords add to `run` and `learning`, or replace its parts."""
    run = {"epochs": 3, "seed": 1, "execution": "eager", **parts.pop("run", {})}
    optimizer = {"type": "SGD", "lr": 0.05, "momentum": 0.9}
    learning = {"type": "Backprop", "optimizer": optimizer, "window": 2, **parts.pop("learning", {})}
    return rn.Experiment(**{"net": wide_net(), "data": wide_data(), "learning": learning, **parts}, run=run)


def wide_session(**parts: Any) -> Session:
    """A session of it that leaves no trace."""
    return Session(wide_experiment(**parts), record=False, say=lambda text: None)


class Driven:
    """A session that runs in a thread.

    Args:
        session: the session.
        steps: how many it runs.
    """

    def __init__(self, session: Session, steps: int = LONG) -> None:
        self.session, self.steps = session, steps
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.session.run(steps=self.steps, progress=False)
        except BaseException as error:
            self.error = error

    def begin(self) -> None:
        """Starts it."""
        self._thread.start()
        while self.session.control.state == "idle" and self._thread.is_alive():
            self._thread.join(0.001)

    def end(self) -> None:
        """Waits for it; stops it before, if it runs without end."""
        if self.steps == LONG and self._thread.is_alive():
            with contextlib.suppress(rn.errors.RillnetError):
                self.session.command("stop")
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait(self) -> None:
        """Waits until it has ended by itself."""
        self._thread.join(60)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def driven(session: Session | None = None, steps: int = LONG) -> Iterator[Session]:
    """A session that runs in another thread, and has ended when this is left: stopped, if it runs without end.

    Args:
        session: which; a line that is fitted if None.
        steps: how many it runs.
    """
    found = session or Session(line_experiment(run={"execution": "eager"}), record=False, say=lambda text: None)
    thread = Driven(found, steps)
    thread.begin()
    try:
        yield found
    finally:
        thread.end()
    if thread.error is not None and not isinstance(thread.error, Interrupted):
        raise thread.error
