"""Program: a net as one frame function (interim, to be replaced by its author)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from rillnet.model.net import Net, Outputs
from rillnet.model.rollout import Rollout


class Program:
    """A net and a rollout as one frame function."""

    def __init__(
        self,
        net: Net,
        rollout: Rollout | None = None,
        *,
        outputs: Sequence[str] | None = None,
        phase: str | None = None,
        compile: str = "off",
    ) -> None:
        self.net = net

    def initial_state(self, batch: int) -> dict[str, Tensor]:
        """No state."""
        return {}

    def __call__(
        self,
        inputs: Mapping[str, Tensor],
        state: dict[str, Tensor] | None = None,
        frame_seed: Callable[[str], int] | None = None,
    ) -> tuple[Outputs, dict[str, Tensor]]:
        return self.net(**inputs), {}
