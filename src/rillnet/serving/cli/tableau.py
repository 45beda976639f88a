"""`rillnet show NET --rollout streaming`: in which update step each block of each frame is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rillnet.errors import Fault, RequestError, suggest
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout, count_valid_patterns
from rillnet.model.tableau_drawing import MOST_ROWS, ends_of, tableau_svg, tableau_text
from rillnet.serving.cli.terminal import Terminal

WORDS = ("sequential", "streaming", "aligned", "document")
"""What may be shown by name; a whole number is the delay of all edges."""


def show_tableaus(
    terminal: Terminal,
    net: Net,
    words: Sequence[str],
    frames: int,
    svg: Path | None,
    own: Callable[[], Rollout] | None = None,
) -> dict[str, Any]:
    """Shows the tableaus of a net's rollouts side by side, and what else follows from their delays.

    Args:
        terminal: where to write.
        net: the net.
        words: `sequential`, `streaming`, `aligned` for aligned streaming, `document` for the document's own, or a whole
            number, the delay of all edges.
        frames: the last frame shown.
        svg: where to draw them.
        own: gives the rollout of the document; sequential if None.

    Returns:
        By rollout: the delays, the tableau, the inference factor, the first responses, and the delays of all paths from
        inputs to blocks that only losses and metrics read; and the number of valid patterns, None if there are too many
        to count.

    Raises:
        RequestError: there is no such rollout, or it is not valid.
    """
    faults = [
        Fault("--rollout", f"must be {', '.join(WORDS)} or a whole number of frames", word, hint=suggest(word, WORDS))
        for word in words
        if word not in WORDS and not (word.isascii() and word.isdigit())
    ]
    if faults:
        raise RequestError(faults)
    rollouts = {word: rollout_of(net, word, own) for word in dict.fromkeys(words)}
    terminal.print(tableau_text(rollouts, frames))
    described = {word: describe_rollout(rollout, frames) for word, rollout in rollouts.items()}
    for line in _path_lines(described):
        terminal.print(line)
    patterns = _patterns(net)
    if patterns is not None and len(net.blocks) <= MOST_ROWS:
        terminal.print(f"valid patterns of delays 0 and 1: {_number(patterns)}")
    if svg is not None:
        terminal.write_file(svg, tableau_svg(rollouts, frames))
    return {"net": net.name, "valid_patterns": patterns, "rollouts": described}


def rollout_of(net: Net, word: str, own: Callable[[], Rollout] | None) -> Rollout:
    """The rollout of a net that a word means.

    Args:
        net: the net.
        word: `sequential`, `streaming`, `aligned`, `document`, or a whole number, the delay of all edges.
        own: gives the rollout of the document; sequential if None.

    Raises:
        RequestError: it is another word, or no valid rollout of this net.
    """
    if word not in WORDS and not (word.isascii() and word.isdigit()):
        rule = f"must be {', '.join(WORDS)} or a whole number of frames"
        raise RequestError(Fault("--rollout", rule, word, hint=suggest(word, WORDS)))
    if word == "document":
        return own() if own is not None else Rollout.sequential(net)
    if word == "aligned":
        return Rollout.streaming(net, align=True)
    return Rollout(net, default=int(word) if word.isdigit() else word)


def describe_rollout(rollout: Rollout, frames: int) -> dict[str, Any]:
    """The delays of a rollout, its tableau, and what follows from them; see `show_tableaus`.

    Args:
        rollout: which.
        frames: the last frame of the tableau.
    """
    return {
        "inference_factor": rollout.inference_factor,
        "delays": rollout.delays,
        "tableau": rollout.tableau(frames),
        "first_response": {block: rollout.first_response(block) for block in rollout.flat.blocks},
        "path_delays": _path_delays(rollout),
    }


def _path_delays(rollout: Rollout) -> dict[str, list[int]]:
    """Frames over each path from an input to an end, by `input -> end`; nothing for large or entangled nets."""
    if len(rollout.flat.blocks) > MOST_ROWS:
        return {}
    pairs = [(source, end) for end in ends_of(rollout) for source in rollout.flat.inputs]
    try:
        found = {f"{source} -> {end}": rollout.path_delays(source, end) for source, end in pairs}
    except RequestError:  # too many cycles to list the paths
        return {}
    return {path: delays for path, delays in found.items() if delays}


def _path_lines(described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    paths = next(iter(described.values()))["path_delays"]
    return [
        f"frames from {path}: "
        + "; ".join(f"{word} {_listed(told['path_delays'][path])}" for word, told in described.items())
        for path in paths
    ]


def _listed(delays: Sequence[int]) -> str:
    return ", ".join(map(str, delays))


def _patterns(net: Net) -> int | None:
    try:
        return count_valid_patterns(net)
    except RequestError:  # too many blocks read each other
        return None


def _number(count: int) -> str:
    """A count in digits, or what power of 2 it is above."""
    return f"{count:,}" if count < 10**12 else f"more than 2^{count.bit_length() - 1}"
