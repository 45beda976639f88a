"""`rillnet eval`: the metrics of a run's net on a split of its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.serving.cli.finding import load_run, open_session, take_checkpoint
from rillnet.serving.cli.terminal import Terminal
from rillnet.spec import Phase
from rillnet.training.evaluation import Evaluation
from rillnet.training.tables import tables_text
from rillnet.training.trainer import Trainer
from rillnet.training.wording import count_text, metrics_text

_SPLITS: dict[str, Phase] = {"test": "test", "val": "val"}


def evaluate(
    terminal: Terminal,
    run: str,
    split: str | None = None,
    checkpoint: str = "newest",
    overrides: list[str] | None = None,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Evaluates a checkpoint of a run.

    Args:
        terminal: where to write.
        run: a run, or a document whose newest run is meant.
        split: test or val; None is test where there is such data.
        checkpoint: newest, best, or a path.
        overrides: `key=value` changes of the document.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        The metrics, how many examples they are of, and of which checkpoint.

    Raises:
        RequestError: there is no such run, split or checkpoint.
        CheckpointError: the checkpoint is damaged.
    """
    if split is not None and split not in _SPLITS:
        raise RequestError(Fault("--split", "must be test or val", split, hint=suggest(split, _SPLITS)))
    loaded = load_run(run, overrides, root, trust)
    assert loaded.directory is not None
    saved = take_checkpoint(terminal, loaded.directory, checkpoint)
    with open_session(loaded, saved) as session:
        data = session.data
        if data is None:
            raise session.no_data("evaluate")
        phase = _SPLITS[split] if split else "test" if "test" in data.phases else "val"
        assert isinstance(session.trainer, Trainer)
        found: Evaluation = session.trainer.evaluation(phase)
    terminal.print(metrics_text(found.metrics))
    for line in tables_text(found.metrics, found.tables):
        terminal.print(line)
    terminal.print(f"{count_text(found.examples, f'{phase} example')}, {loaded.directory} at step {saved.step:,}")
    return {
        "metrics": found.metrics,
        "tables": found.tables,
        "examples": found.examples,
        "split": phase,
        "step": saved.step,
        "run": str(loaded.directory),
        "checkpoint": str(saved.path),
    }
