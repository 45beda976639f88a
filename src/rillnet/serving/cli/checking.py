"""`rillnet check`: trains for some steps in one process and on several, and prints how much the parameters differ."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.errors import Fault, RequestError, RunError, suggest
from rillnet.model.frontends import yaml
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli.finding import load_experiment
from rillnet.serving.cli.launching import place, words_of
from rillnet.serving.cli.terminal import Terminal, table

LIMIT = 1e-5
"""The largest difference between equal parameters, relative to the largest number of their tensor or to 1."""

_KINDS = ("batch", "feature", "space", "none")


def check(
    terminal: Terminal,
    experiment: str,
    placement: str | None = None,
    processes: int | None = None,
    steps: int = 20,
    overrides: list[str] | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Compares a placement with one process.

    Args:
        terminal: where to write.
        experiment: a document.
        placement: a kind of partition, or a placement as the document has it; the document's if left out.
        processes: on how many; as the placement says if left out.
        steps: how many training steps.
        overrides: `key=value` changes of the document.
        trust: whether the document may name Python code.

    Returns:
        The largest difference of each block.

    Raises:
        RunError: one is too large.
    """
    changes = [*(overrides or []), *_placement_words(placement)]
    loaded = load_experiment(experiment, changes, Path("runs"), trust)
    if loaded.directory is not None:
        raise RequestError(Fault("", f"{experiment}: is a run; a document is checked", hint=f"see {loaded.directory}"))
    count = place(loaded, processes)
    if count == 1:
        hint = "say --processes 2, or give the document a placement"
        raise RequestError(Fault("--processes", "must be at least 2 to be compared with one", 1, hint=hint))
    lengths = [f"run.{name}=null" for name in ("epochs", "frames")]
    unevaluated = ["run.evaluate.every=never", "run.checkpoint={every: never}", "run.early_stopping=null"]
    changes += [*lengths, f"run.steps={steps}", *unevaluated, "run.execution=eager"]
    with tempfile.TemporaryDirectory(prefix="rillnet-check-") as folder:
        saved = []
        for number in (1, count):
            terminal.say(f"{steps} steps on {number} process{'es' if number > 1 else ''}")
            alone = ["placement={}"] if number == 1 else []
            root = Path(folder, str(number))
            _run(experiment, [*changes, *alone], number, root, trust)
            saved.append(_parameters(root, loaded.spec.experiment))
    return _compared(terminal, *saved, processes=count, steps=steps)


def _placement_words(placement: str | None) -> list[str]:
    if placement is None:
        return []
    if placement in _KINDS:
        return [f"placement.default={{partition: {placement}}}"]
    if Path(placement).is_file():
        values = yaml.read(placement).values
        return [f"placement={json.dumps(values.get('placement', values))}"]
    if not placement.lstrip().startswith("{"):
        rule = f"must be {', '.join(_KINDS)}, a file, or a placement such as {{mesh: {{data: 2}}}}"
        raise RequestError(Fault("--placement", rule, placement, hint=suggest(placement, _KINDS)))
    return [f"placement={placement}"]


def _run(experiment: str, changes: Sequence[str], processes: int, root: Path, trust: bool) -> None:
    options = words_of({"--set": list(changes), "--runs": root, "--trust": trust, "--quiet": True})
    several = ["--processes", str(processes)] if processes > 1 else []
    command = [sys.executable, "-m", "rillnet", "run", experiment, *options, *several]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"the run on {processes} processes failed: {done.stderr.strip() or done.stdout.strip()}")


def _parameters(root: Path, name: str) -> dict[str, Tensor]:
    saved, _ = checkpoints.newest(RunDirectory.find(root, name).checkpoints)
    assert saved is not None  # the run has ended well
    return saved.tensors("parameters")


def _compared(
    terminal: Terminal, one: dict[str, Tensor], many: dict[str, Tensor], *, processes: int, steps: int
) -> dict[str, Any]:
    worst: dict[str, float] = {}
    for address, tensor in one.items():
        block = address.rpartition("/")[0]
        here, there = tensor.double(), many[address].double()
        scale = max(1.0, float(here.abs().max())) if here.numel() else 1.0
        difference = float((here - there).abs().max()) / scale if here.numel() else 0.0
        worst[block] = max(worst.get(block, 0.0), difference)
    shown = table("block", "largest difference", right=("largest difference",))
    for block, difference in worst.items():
        shown.add_row(block, f"{difference:.1e}" if difference else "0")
    terminal.print(shown)
    wrong = {block: difference for block, difference in worst.items() if not difference <= LIMIT}
    if wrong:
        block = max(wrong, key=lambda name: wrong[name])
        raise RunError(
            f"{block}: differs by {wrong[block]:.1e} between 1 and {processes} processes after {steps} steps, "
            f"more than {LIMIT:.0e}"
        )
    terminal.print(f"the same on 1 and {processes} processes after {steps} steps, to {LIMIT:.0e}")
    return {"processes": processes, "steps": steps, "limit": LIMIT, "blocks": worst}
