"""Results, readings and the state of a session as lines of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rillnet.serving.cli.terminal import Terminal, table
from rillnet.serving.shell.protocol import Observed
from rillnet.training.wording import metrics_text

_DIGITS = 5
_MOST = 64
"""A larger array is told by its shape, its range and its first and last entries."""
_PERCENTILES = {"min": 0, "median": 4, "max": -1}
"""Of the nine percentiles, those that fit a line, by their place."""


def result_lines(result: Any) -> list[str]:
    """The result of a command as lines of text; none for a command that has only an effect.

    Args:
        result: as JSON holds it.

    Example:
        >>> result_lines(0.10000000149), result_lines([1, 2.5]), result_lines(None)
        (['0.1'], ['[1, 2.5]'], [])
        >>> result_lines({"loss": 0.5, "accuracy": 0.75})
        ['loss      0.5', 'accuracy  0.75']
    """
    if result is None:
        return []
    if isinstance(result, Mapping):
        width = max((len(str(key)) for key in result), default=0)
        return [f"{key:<{width}}  {value_text(value)}" for key, value in result.items()]
    if isinstance(result, Sequence) and not isinstance(result, str) and result and isinstance(result[0], Mapping):
        return [value_text(entry) for entry in result]
    return value_text(result).splitlines()


def value_text(value: Any) -> str:
    """A value as short text.

    Args:
        value: a number, text, a list of numbers however deep, an array, or a mapping.

    Example:
        >>> value_text([[1.0, 2.0], [3.0, 4.0]])
        '[[1, 2], [3, 4]]'
        >>> value_text({"type": "ReLU", "from": "conv1"})
        'type=ReLU from=conv1'
        >>> value_text([[0.5] * 50] * 40)
        '[40, 50], 0.5 to 0.5, mean 0.5: 0.5, 0.5, 0.5 ... 0.5, 0.5, 0.5'
    """
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return {None: "none", True: "true", False: "false"}[value] if not isinstance(value, str) else value
    if isinstance(value, float | np.floating):
        return f"{float(value):.{_DIGITS}g}"
    if isinstance(value, int | np.integer):
        return f"{int(value)}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={value_text(entry)}" for key, entry in value.items() if entry is not None)
    array = _as_array(value)
    if array is None:
        return json.dumps(value, default=str)
    return _nested(array) if array.size <= _MOST else _summary(array)


def plain_value(value: Any) -> Any:
    """A value as JSON has it: arrays as lists.

    Example:
        >>> plain_value({"weight": np.eye(2)})
        {'weight': [[1.0, 0.0], [0.0, 1.0]]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain_value(entry) for key, entry in value.items()}
    return [plain_value(entry) for entry in value] if isinstance(value, list | tuple) else value


def _as_array(value: Any) -> np.ndarray[Any, Any] | None:
    """The value as an array of numbers, where it is one."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        return None
    return array if array.dtype.kind in "biuf" else None


def _nested(array: np.ndarray[Any, Any]) -> str:
    if array.ndim == 0:
        return value_text(array.item())
    return f"[{', '.join(_nested(entry) for entry in array)}]"


def _summary(array: np.ndarray[Any, Any]) -> str:
    flat = array.reshape(-1)
    low, high, mean = (value_text(float(entry)) for entry in (flat.min(), flat.max(), flat.mean()))
    first, last = (", ".join(value_text(entry.item()) for entry in part) for part in (flat[:3], flat[-3:]))
    return f"{list(array.shape)}, {low} to {high}, mean {mean}: {first} ... {last}"


def reading_text(reading: Observed) -> str:
    """A value that was watched, on one line with its frame and address.

    Example:
        >>> reading_text(Observed("clock/step", 7, 7, "scalar"))
        'frame 7  clock/step  7'
    """
    if reading.reduction == "percentiles":
        entries = np.asarray(reading.value).reshape(-1)
        told = "  ".join(f"{name} {value_text(float(entries[place]))}" for name, place in _PERCENTILES.items())
    else:
        told = value_text(reading.value)
    return f"frame {reading.frame}  {reading.address}  {told}"


# --- the state ------------------------------------------------------------------------------------


def clock_line(status: Mapping[str, Any]) -> str:
    """The state and the clock on one line.

    Example:
        >>> clock_line({"state": "paused", "clock": {"frame": 1200, "step": 1200, "epoch": 2.5}})
        'paused  frame 1,200  step 1,200  epoch 2.5'
    """
    clock = status.get("clock", {})
    parts = [str(status.get("state", ""))]
    parts += [f"{name} {clock[name]:,}" for name in ("frame", "step") if name in clock]
    if "epoch" in clock:
        parts.append(f"epoch {clock['epoch']:.4g}")
    pace = status.get("frames_per_second")
    if pace:
        parts.append(f"{pace:.3g} frames/s")
    return "  ".join(parts)


def toolbar_line(status: Mapping[str, Any]) -> str:
    """What stands under the prompt: the session, its clock, and what has been done to it."""
    parts = [str(status.get("id", "")), clock_line(status)]
    scalars = status.get("scalars")
    if scalars:
        parts.append(metrics_text(scalars))
    speed = status.get("speed")
    if speed:
        parts.append(f"speed {value_text(speed)}")
    parts += [_intervention_text(entry) for entry in status.get("interventions") or ()]
    return "  ·  ".join(part for part in parts if part)


def print_state(terminal: Terminal, status: Mapping[str, Any]) -> None:
    """Writes the state of a session as a table."""
    facts = table("", "")
    facts.show_header = False
    for name, text in _facts(status):
        facts.add_row(name, text)
    terminal.print(facts)


def _facts(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "session", str(status.get("id", ""))
    yield "state", clock_line(status)
    speed = status.get("speed")
    yield "speed", f"at most {value_text(speed)} frames/s" if speed else "as fast as it goes"
    for rule in status.get("rules") or ():
        word = "" if rule.get("active", True) else ", learning is off"
        yield f"learning/{rule['name']}", f"rate {value_text(rule.get('rate'))}{word}"
    if status.get("scalars"):
        yield "last step", metrics_text(status["scalars"])
    for entry in status.get("interventions") or ():
        yield "in force", _intervention_text(entry)


def _intervention_text(entry: Any) -> str:
    """What is in force, nearly as it was typed: `clamp hidden1 0.5`."""
    if not isinstance(entry, Mapping):
        return value_text(entry)
    return " ".join(value_text(entry[name]) for name in ("kind", "target", "value") if entry.get(name) is not None)
