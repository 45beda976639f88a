"""When a net answers, in update steps, so that rollouts can be compared by what they know at the same time."""

from __future__ import annotations

from collections.abc import Sequence

from rillnet.model.rollout import Rollout


def response_steps(rollout: Rollout, block: str, count: int) -> list[int]:
    """The update steps at which a block's responses come.

        S(r) = T(k, v) + F r

    with k the first response of block v, T the inference tableau and F the inference factor, where only blocks with
    weights take a step: activations, pools and merges ride along with them, as everywhere in streaming.

    Args:
        rollout: the delays.
        block: an output.
        count: how many responses.

    Returns:
        The steps of responses 0 to count - 1; none if no input reaches the block.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("chain", inputs={"x": (2,)}).add("a", rn.Linear(out_features=2)).add("act", rn.ReLU())
        >>> net = net.add("b", rn.Linear(out_features=2))
        >>> response_steps(rn.Rollout.sequential(net), "b", 3), response_steps(rn.Rollout.streaming(net), "b", 3)
        ([2, 4, 6], [2, 3, 4])

    Source:
        Fischer, Köhler, Pfeil, "The streaming rollout of deep networks", NeurIPS 2018, arXiv:1806.04965.
    """
    first = rollout.first_response(block)
    if first is None:
        return []
    source = rollout.flat.sent_by(block)[0]
    tableau = _tableau(rollout, first)
    factor = max((steps[1] for steps in tableau.values()), default=0)
    begin = tableau[source.block][max(0, first - source.delay)]
    return [begin + factor * response for response in range(count)]


def onset_of(rollout: Rollout, block: str) -> int:
    """How many frames after a stimulus appears a block first depends on it, over the shortest path from an input."""
    return min((delay for name in rollout.flat.inputs for delay in rollout.path_delays(name, block)[:1]), default=0)


def _tableau(rollout: Rollout, frames: int) -> dict[str, Sequence[int]]:
    """The inference tableau, in which blocks without weights take no time."""
    flat, order = rollout.flat, rollout.order()
    steps: dict[str, list[int]] = {name: [0] * (frames + 1) for name in [*flat.inputs, *flat.blocks]}
    for frame in range(1, frames + 1):
        for name in order:
            before = (steps[s.block][frame - s.delay] for s in rollout.sources(name) if s.delay <= frame)
            steps[name][frame] = int(flat.blocks[name].has_weights) + max(before, default=0)
    return dict(steps)
