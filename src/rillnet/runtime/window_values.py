"""The values of a window of frames: each as one tensor with all frames end to end, or frame by frame, as asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rillnet.runtime.beginnings import Beginnings
from rillnet.runtime.plan import Plan
from rillnet.runtime.stages import Past, Pasts
from rillnet.runtime.state import State


class WindowValues:
    """Registers of all frames of a window, and of what they read of earlier ones.

    Args:
        plan: of a frame.
        pasts: what each register that is filled from the state holds.
        state: before the first frame.
        begins: which streams begin anew.
        batch_dims: for each name in the state, where the streams stand in its tensors; None where there are none.
    """

    def __init__(
        self,
        plan: Plan,
        pasts: Mapping[int, Pasts],
        state: Mapping[str, Tensor],
        begins: Beginnings,
        batch_dims: Mapping[str, int | None],
    ) -> None:
        self.state, self.begins, self.length = state, begins, len(begins.masks)
        self.whole: list[Any] = [None] * plan.size
        self.frames: list[list[Any]] = [[None] * plan.size for _ in range(self.length)]
        self._plan, self._pasts, self._batch_dims = plan, pasts, batch_dims

    def enter(self, register: int, sent: Sequence[Any]) -> None:
        """Sets a register, frame by frame."""
        for values, value in zip(self.frames, sent, strict=True):
            values[register] = value

    def at_once(self, register: int) -> Any:
        """A register as one tensor, the frames end to end in the batch."""
        if self.whole[register] is None:
            past = self._pasts.get(register)
            if isinstance(past, Past):
                self.whole[register] = self._past_at_once(past)
            else:
                self.whole[register] = torch.cat([values[register] for values in self.frames])
        return self.whole[register]

    def at(self, register: int, frame: int) -> Any:
        """A register in one frame."""
        if self.frames[frame][register] is None:
            past = self._pasts.get(register)
            if past is not None:
                self.frames[frame][register] = self._past(past, frame)
            else:
                self.enter(register, self._divided(self.whole[register]))
        return self.frames[frame][register]

    def newest(self, register: int) -> Any:
        """A register in the last frame; None where no frame has left anything in it."""
        held = self.frames[-1][register] is not None or self.whole[register] is not None or register in self._pasts
        return self.at(register, self.length - 1) if held else None

    def past(self, register: int, frame: int) -> Any:
        """What a register that is filled from the state holds in a frame."""
        return self._past(self._pasts[register], frame)

    def state_after(self) -> State:
        """The state after the last frame."""
        pushed = {key.rpartition("@")[0]: register for key, register in self._plan.pushes}
        keys = [key for key, _ in (*self._plan.pushes, *self._plan.moves)]
        found = {}
        for key in keys:
            name, _, delay = key.rpartition("@")
            found[key] = self._sent(Past(name, pushed.get(name), int(delay)), self.length, self.length - 1)
        return found

    def _divided(self, whole: Any) -> Sequence[Any]:
        if isinstance(whole, tuple | list):
            return list(zip(*(self._divided(item) for item in whole), strict=True))
        tensor: Tensor = whole
        return tensor.reshape(self.length, -1, *tensor.shape[1:]).unbind()

    def _past(self, pasts: Pasts, frame: int) -> Any:
        if isinstance(pasts, Past):
            return self._sent(pasts, frame, frame)
        return tuple(self._past(item, frame) for item in pasts)

    def _sent(self, past: Past, frame: int, last: int) -> Tensor:
        """What was sent some frames before one, with beginnings up to `last` in force."""
        first = 0
        if past.register is None:
            tensor = self.state[f"{past.name}@{past.delay}"]
        elif frame >= past.delay:
            tensor = self.at(past.register, frame - past.delay)
            first = frame - past.delay + 1
        else:
            tensor = self.state[f"{past.name}@{past.delay - frame}"]
        batch_dim = self._batch_dims.get(past.name)
        return tensor if batch_dim is None else self.begins.forget(tensor, first, last, batch_dim)

    def _past_at_once(self, past: Past) -> Tensor:
        assert past.register is not None
        delay, length = past.delay, self.length
        sent = [self.state[f"{past.name}@{number}"] for number in range(delay, max(delay - length, 0), -1)]
        if length > delay:
            whole: Tensor = self.at_once(past.register)
            sent.append(whole[: len(whole) // length * (length - delay)])
        return self.begins.forget_all(torch.cat(sent), delay)
