"""Where numbers cease to be finite: the data, a parameter, or the first block of a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from rillnet.data.batch import Batch
from rillnet.data.feed import Feed
from rillnet.errors import RunError, UpdateError
from rillnet.model.net import Net
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.clock import Clock
from rillnet.runtime.evaluator import streams_of
from rillnet.runtime.executor import Executor
from rillnet.runtime.record import Record
from rillnet.runtime.state import State, expanded
from rillnet.runtime.tensorfiles import write_group

_ADVICE = "lower the learning rate, clip the gradient, or look at the data"


class Running(Protocol):
    """What is looked at: a session."""

    net: Net
    clock: Clock

    @property
    def executor(self) -> Executor:
        """What runs its frames."""

    @property
    def feed(self) -> Feed:
        """What its batches come from."""

    @property
    def open_record(self) -> Record | None:
        """Its run directory, if it has been opened."""


def kept_by(record: Record | None) -> str:
    """What of a run is safe, in words: its newest checkpoint, if there is one."""
    if record is not None:
        record.wait()
    saved = checkpoints.saved(record.directory.checkpoints) if record is not None else []
    return f"checkpoint {saved[-1].name} is intact" if saved else "no checkpoint was saved before"


def loss_error(session: Running, name: str, value: float, step: int) -> RunError:
    """The error of a loss that is no longer a finite number.

    Args:
        session: whose loss; the step's batch is run through the net once more, and nothing is learned.
        name: the loss's block.
        value: what it sent.
        step: the first step in which it did.
    """
    where = first_nonfinite(session, step)
    return RunError(f"net/{name}: is {value} in step {step}: {where}; {_ADVICE}; {kept_by(session.open_record)}")


def explained(session: Running, error: UpdateError) -> UpdateError:
    """The error of a change that was not applied, with the first block at fault; the frame's inputs are kept.

    Args:
        session: whose rule it is; the parameters are still those that the frame was computed with.
        error: what the rule raised.
    """
    executor = session.executor
    # of several processes each has a part of the state, and all must go the same way
    state = executor.state if executor.placement is None else None
    where = first_nonfinite(session, error.step + 1, state)
    kept = _keep_inputs(session, error.step + 1)
    details = f": {where}; it was not applied; {_ADVICE}; {kept}{kept_by(session.open_record)}"
    return UpdateError(error.rule, error.parameter, error.step, details)


def _keep_inputs(session: Running, step: int) -> str:
    """Writes what the net read in a step into the run directory, to be looked at and run again."""
    record = session.open_record
    if record is None:
        return ""
    path = record.directory.path / f"frame-{step}.safetensors"
    fields = _batch_of(session.feed, step).fields
    write_group(path, {name: tensor.detach().cpu().contiguous() for name, tensor in fields.items()})
    return f"its inputs are in {path}; "


def check_parameters(parameters: Mapping[str, Tensor], step: int, kept: str) -> None:
    """Looks at all parameters, waiting for the device once.

    Args:
        parameters: by address.
        step: steps done.
        kept: what of the run is safe, for the message.

    Raises:
        RunError: one holds NaN or infinity.
    """
    floating = {address: tensor for address, tensor in parameters.items() if tensor.is_floating_point()}
    if not floating:
        return
    # the sum of finite numbers may overflow, so it only tells where a closer look is needed
    sums = torch.stack([tensor.detach().sum(dtype=torch.float32) for tensor in floating.values()])
    if bool(torch.isfinite(sums).all()):
        return
    for address, tensor in floating.items():
        if _is_bad(tensor):
            raise RunError(f"{address}: holds NaN or infinity after step {step}, which is not saved; {_ADVICE}; {kept}")


def first_nonfinite(session: Running, step: int, state: State | None = None) -> str:
    """The first thing that is not finite: the data of a step, a parameter, or in frame order a block's output.

    Args:
        session: whose step; its batch is run through the net once more, and nothing is learned.
        step: counted from 1.
        state: what the frame before left, where that is known; zeros otherwise.

    Returns:
        A sentence's part: "the parameter net/conv1/weight holds NaN or infinity".
    """
    batch = _batch_of(session.feed, step)
    for name, tensor in batch.fields.items():
        if _is_bad(tensor):
            return f"the data send NaN or infinity as {name!r} in batch {batch.index + 1} of epoch {batch.epoch + 1}"
    bad = [address for address, tensor in session.net.parameters_by_address().items() if _is_bad(tensor)]
    block = _sent_before(state) or next(iter(nonfinite_blocks(session, batch.fields, step, state)), "")
    if bad and block:
        holding = f"{bad[0]} and {len(bad) - 1} more hold it" if len(bad) > 1 else f"{bad[0]} holds it"
        return f"the first block to send NaN or infinity is {block}, and {holding}"
    if bad:
        return f"the parameter {bad[0]} holds NaN or infinity"
    if block:
        return f"the first block to send NaN or infinity is {block}"
    return "with the parameters of now, all that its batch makes is finite"


def _sent_before(state: State | None) -> str:
    """The block that sent the oldest of what is not finite in a state, and that it was in another frame."""
    bad = [key.rpartition("@") for key, tensor in expanded(state or {}).items() if _is_bad(tensor)]
    oldest = max(bad, key=lambda part: int(part[2]), default=None)
    return "" if oldest is None else f"net/{oldest[0]}, {oldest[2]} frame{'s' * (oldest[2] != '1')} before"


def nonfinite_blocks(
    session: Running, fields: Mapping[str, Tensor], step: int, state: State | None = None
) -> list[str]:
    """The addresses of the blocks that send NaN or infinity, in the order of a frame.

    Args:
        session: whose net; nothing is learned.
        fields: what the net reads.
        step: as whose frame it is computed, counted from 1.
        state: what the frame before left; zeros if None, and where it is of other streams.
    """
    executor = session.executor
    names = executor.rollout.order()
    fits = executor.streams_kept == streams_of(fields)
    sent, _ = executor.look(fields, names, "train", step - 1, expanded(state) if state and fits else None)
    return [f"net/{name}" for name in names if any(_is_bad(tensor) for tensor in _tensors(sent.get(name)))]


def _batch_of(feed: Feed, step: int) -> Batch:
    """The batch that a step learned from."""
    here = feed.state()
    epoch, number = divmod(step - 1, feed.batches_per_epoch)
    feed.seek({"epoch": epoch, "batch": number})
    try:
        return feed.peek()
    finally:
        feed.seek(here)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


def _is_bad(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
