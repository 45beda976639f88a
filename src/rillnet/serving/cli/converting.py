"""`rillnet convert`: a trained net in another rollout, compared frame by frame with the one it was trained in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.flat import FlatSource, outputs_of
from rillnet.model.frontends import yaml
from rillnet.model.rollout import POLICIES, Rollout
from rillnet.runtime.interventions.bounds import numbers_for
from rillnet.runtime.plan import needed_by
from rillnet.runtime.program import Program
from rillnet.runtime.session import Session
from rillnet.serving.cli.finding import load_run, open_session, take_checkpoint
from rillnet.serving.cli.terminal import Terminal
from rillnet.spec import RolloutSpec

_DRAWN = 4
"""Examples of a batch that is drawn."""


def convert(
    terminal: Terminal,
    run: str,
    rollout: str = "streaming",
    align: bool = False,
    frames: int = 16,
    checkpoint: str = "newest",
    output: Path | None = None,
    root: Path = Path("runs"),
    trust: bool = False,
) -> dict[str, Any]:
    """Runs a trained net in another rollout beside its own, on a different example in every frame.

    Args:
        terminal: where to write.
        run: a run.
        rollout: sequential or streaming.
        align: whether joining paths are made equally long, so that answers are the same, only later.
        frames: how many frames are compared.
        checkpoint: newest, best, or a path.
        output: where to write the document of the converted net; it starts from the run's parameters.
        root: the directory of all runs.
        trust: whether the document may name Python code.

    Returns:
        The delays, how many frames later each output comes, and the largest difference by output.

    Raises:
        RequestError: there is no such run, checkpoint or rollout, or the net cannot be run in it.
    """
    if rollout not in POLICIES:
        hint = suggest(rollout, POLICIES)
        raise RequestError(Fault("--rollout", f"must be {' or '.join(POLICIES)}", rollout, hint=hint))
    loaded = load_run(run, None, root, trust)
    assert loaded.directory is not None
    saved = take_checkpoint(terminal, loaded.directory, checkpoint)
    asked = RolloutSpec.model_validate({"default": rollout, "align": align})
    with open_session(loaded, saved) as session:
        other = Rollout.from_spec(session.net, asked)
        compared = _compare(session, other, frames)
    terminal.print(f"{loaded.directory} at step {saved.step:,}, {rollout}{', aligned' if align else ''}")
    for name, found in compared.items():
        terminal.print(f"{name}: {found['delay']} frames later, largest difference {found['difference']:.3g}")
    if output is not None:
        spec = loaded.spec.model_copy(update={"rollout": asked})
        start = spec.run.model_copy(update={"start_from": str(saved.path)})
        terminal.write_file(output, yaml.write(spec.model_copy(update={"run": start})))
    return {
        "run": str(loaded.directory),
        "checkpoint": str(saved.path),
        "rollout": rollout,
        "aligned": align,
        "delays": other.delays,
        "outputs": compared,
    }


@torch.no_grad()
def _compare(session: Session, other: Rollout, frames: int) -> dict[str, dict[str, Any]]:
    """The largest difference of every output that is read by losses and metrics, where it answers the same input."""
    session.net.set_phase("test")
    names = _answers(session.rollout)
    own = Program(session.net, session.rollout, outputs=names)
    converted = Program(session.net, other, outputs=names)
    later = {name: _delay(other, name) - _delay(session.rollout, name) for name in names}
    inputs = _inputs(session, names, frames + max(later.values()))
    before, _ = own.unroll(inputs)
    after, _ = converted.unroll(inputs)
    found = {}
    for name in names:
        pairs = [(after[frame + later[name]][name], before[frame][name]) for frame in range(frames)]
        difference = max(float((a.double() - b.double()).abs().max()) for a, b in pairs)
        found[name] = {"delay": later[name], "difference": difference}
    return found


def _answers(rollout: Rollout) -> list[str]:
    """The blocks whose outputs are batched and that only losses and metrics read, or nobody."""
    flat = rollout.flat
    inner = {edge.source for edge in flat.edges if getattr(flat.blocks[edge.target].output, "batched", True)}
    batched = [name for name, block in flat.blocks.items() if getattr(block.output, "batched", False)]
    return [name for name in batched if name not in inner]


def _delay(rollout: Rollout, name: str) -> int:
    """Frames from the inputs to a block along its longest path; along all of them where the rollout is aligned."""
    delays = [delay for source in rollout.flat.inputs for delay in rollout.path_delays(source, name)]
    return max(delays, default=0)


def _inputs(session: Session, names: Sequence[str], count: int) -> list[dict[str, Tensor]]:
    """Frames of examples of the data, a different batch in each; drawn ones where there are no data."""
    if session.data is None or not session.data.phases:
        return _drawn(session, names, count)
    feed = session.data.feed("train", batch_size=8)
    try:
        return [session.executor.place(feed.next().fields) for _ in range(count)]
    finally:
        feed.close()


def _drawn(session: Session, names: Sequence[str], count: int) -> list[dict[str, Tensor]]:
    """Frames of drawn examples: normal numbers, truth values, or whole numbers that the net has a place for."""
    flat, draw = session.rollout.flat, torch.Generator().manual_seed(session.spec.run.seed)
    kinds = {}
    for name in sorted(needed_by(names, session.rollout, {*flat.inputs, *flat.blocks}) & flat.inputs.keys()):
        (_, kind), *_ = outputs_of(flat.inputs[name])
        numbers = 2 if kind.dtype == torch.bool else numbers_for(flat, FlatSource(name))
        if numbers is None and not kind.dtype.is_floating_point:
            rule = "takes whole numbers, the net does not tell which, and the run has no data to compare with"
            raise RequestError(Fault(f"net/{name}", rule, hint="convert a run of a document with `data`"))
        kinds[name] = kind, numbers
    frames = []
    for _ in range(count):
        frame = {}
        for name, (kind, numbers) in kinds.items():
            shape = kind.of_batch(_DRAWN)
            if kind.dtype.is_floating_point:
                value = torch.randn(shape, generator=draw)
            else:
                value = torch.randint(numbers or 1, shape, generator=draw)
            frame[name] = value.to(kind.dtype)
        frames.append(session.executor.place(frame))
    return frames
