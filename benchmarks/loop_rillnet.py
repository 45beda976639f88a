"""Training loops of rillnet: what a user gets from `Session.run`, data feed, log and all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from cases import LEARNING_RATE, MOMENTUM, Case
from measuring import Stamps

import rillnet as rn


class RillnetLoop:
    """`Session.run` with a run directory, the log every 50 steps, shuffled data.

    Every turn goes on with the same session; its start, and the checkpoint at its end, are not in the time,
    which is taken between the ends of steps.

    Args:
        case: what is trained.
        execution: `auto`, `eager` or a record, as in a document.
        precision: fp32 or bf16.
    """

    def __init__(self, case: Case, execution: Any = "auto", precision: str = "fp32") -> None:
        images, labels = case.data()
        experiment = rn.Experiment(
            net=rn.load(case.net),
            data=rn.open_data({"image": images, "label": labels}, batch_size=case.batch),
            learning={
                "type": "Backprop",
                "optimizer": {"type": "SGD", "lr": LEARNING_RATE, "momentum": MOMENTUM},
            },
            run={
                "steps": case.run_steps,
                "execution": execution,
                "precision": precision,
                "evaluate": {"every": "never"},
                "checkpoint": {"every": f"{10**9} steps", "keep": 1},
            },
        )
        self._root = tempfile.TemporaryDirectory(prefix="rillnet-benchmark-", dir=_memory_directory())
        self._stamps = Stamps(1)
        self.said: list[str] = []
        self.session = rn.Session(
            experiment, root=self._root.name, observers=[lambda _: self._stamps.note()], say=self.said.append
        )

    def seconds_per_step(self, steps: int) -> float:
        self._stamps = Stamps(steps)
        self.session.run(steps=steps + 1, progress=False)
        return self._stamps.seconds_per_step

    @property
    def choice(self) -> str:
        """How the net is executed, in a line."""
        return str(self.session.choice)

    def close(self) -> None:
        """Removes the run directory."""
        self.session.close()
        self._root.cleanup()


def _memory_directory() -> str | None:
    """Where the checkpoint at the end of each turn is no burden for the disk, and so for the next variant."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
