"""A training frame that may fail, as commands have changed what it computes: if it does, all is as it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from rillnet.errors import FrameError, UpdateError
from rillnet.runtime.executor import Executor
from rillnet.runtime.sparing import Spared
from rillnet.runtime.state import State
from rillnet.runtime.trying import told
from rillnet.runtime.windows import Mark
from rillnet.types import DroppingRule, LearningContext


def attempt(executor: Executor, fields: Mapping[str, Tensor], context: LearningContext) -> dict[str, Tensor]:
    """One training frame, as `Executor.learn` has it; one that fails leaves nothing behind, and can be tried again.

    Args:
        executor: what runs it, in one process.
        fields: the inputs of the net, by name.
        context: where the run is.

    Raises:
        FrameError: it failed before any rule had changed a parameter; later than that the error itself is raised.
    """
    before = _Before.of(executor)
    try:
        return executor.learn(fields, context)
    except UpdateError:  # the executor has put all back itself
        raise
    except Exception as error:  # whatever blocks and rules raise: on data, or on what was made of them by a command
        if not before.put_back(executor):
            raise
        raise FrameError(f"frame {context.step + 1} failed: {told(error)}") from error


@dataclass(frozen=True)
class _Before:
    """What a frame changes, as it was.

    Args:
        buffers: of the net.
        state: what the last frame left.
        streams: of how many streams that is.
        window: the frames of the window.
        parameters: how often each was changed.
        gathered: gradients of earlier frames that wait for the next step, and how often each was changed.
    """

    buffers: Spared
    state: State | None
    streams: int | None
    window: Mark | None
    parameters: list[int]
    gathered: list[tuple[Tensor | None, int]] | None

    @classmethod
    def of(cls, executor: Executor) -> _Before:
        buffers = Spared(executor.net)
        buffers.keep()
        window = None if executor.window is None else executor.window.mark()
        waits = any(getattr(rule, "pending", 0) for rule in executor.rules.values())
        versions = [parameter._version for parameter in executor.net.parameters()]
        return cls(buffers, executor.state, executor.streams, window, versions, _gradients(executor) if waits else None)

    def put_back(self, executor: Executor) -> bool:
        """Returns to it; False if that cannot be, as parameters or gathered gradients have changed."""
        if [parameter._version for parameter in executor.net.parameters()] != self.parameters:
            return False
        if self.gathered is None:
            for rule in executor.rules.values():
                if isinstance(rule, DroppingRule):
                    rule.drop()
        elif not _are_same(self.gathered, _gradients(executor)):
            return False
        self.buffers.put_back()
        executor.state, executor.streams = self.state, self.streams
        if executor.window is not None and self.window is not None:
            executor.window.back_to(self.window)
        return True


def _gradients(executor: Executor) -> list[tuple[Tensor | None, int]]:
    grads = [parameter.grad for parameter in executor.net.parameters()]
    return [(grad, 0 if grad is None else grad._version) for grad in grads]


def _are_same(some: list[tuple[Tensor | None, int]], others: list[tuple[Tensor | None, int]]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(one is other and version == newer for (one, version), (other, newer) in pairs)
