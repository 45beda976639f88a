"""Numbers in words: metrics, times, sizes, counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_SHARES = ("accuracy", "by_delay", "confusion", "error_rate", "precision", "recall", "dice", "iou")


def metric_text(name: str, value: float) -> str:
    """A metric and its name; shares in percent.

    Example:
        >>> metric_text("accuracy", 0.98126), metric_text("loss", 0.1234567), metric_text("loss", 12345.6)
        ('accuracy 98.13 %', 'loss 0.1235', 'loss 1.235e+04')
    """
    return f"{name} {number_text(name, value)}"


def number_text(name: str, value: float) -> str:
    """The value of a metric; shares in percent."""
    if not math.isfinite(value):
        return str(value)
    if _is_share(name, [value]):
        return f"{100 * value:.2f} %"
    return f"{value:.4g}"


def metrics_text(metrics: Mapping[str, float], before: str = "") -> str:
    """Metrics side by side; of one with many values the best, or the lowest and highest.

    Args:
        metrics: by name.
        before: a word in front of each name, "test ".

    Example:
        >>> metrics_text({"loss": 0.5, "by_delay/0": 0.1, "by_delay/1": 0.9})
        'loss 0.5  by_delay best 90.00 % at 1'
    """
    series = series_of(metrics)
    texts = {name: metric_text(name, value) for name, value in metrics.items()}
    for name, values in series.items():
        for number in range(len(values)):
            del texts[f"{name}/{number}"]
        texts[name] = _series_text(name, values)
    return "  ".join(before + text for text in texts.values())


def series_of(metrics: Mapping[str, float]) -> dict[str, list[float]]:
    """The metrics that have several values, `name/0`, `name/1` ..., as lists by name.

    Example:
        >>> series_of({"loss": 0.5, "by_delay/0": 0.1, "by_delay/1": 0.9})
        {'by_delay': [0.1, 0.9]}
    """
    found: dict[str, list[float]] = {}
    for key in metrics:
        name, _, number = key.rpartition("/")
        if name and number == "0":
            values: list[float] = []
            while (value := metrics.get(f"{name}/{len(values)}")) is not None:
                values.append(value)
            if len(values) > 1:
                found[name] = values
    return found


def _series_text(name: str, values: Sequence[float]) -> str:
    there = [value for value in values if math.isfinite(value)]
    if not there:
        return f"{name} none of {len(values)}"
    if _is_share(name, there):
        return f"{name} best {number_text(name, max(there))} at {list(values).index(max(there))}"
    return f"{name} {number_text(name, min(there))} to {number_text(name, max(there))}"


def _is_share(name: str, values: Sequence[float]) -> bool:
    return any(word in name.casefold() for word in _SHARES) and all(0 <= value <= 1 for value in values)


def duration_text(seconds: float) -> str:
    """A time with the units that matter.

    Example:
        >>> duration_text(0.25), duration_text(12.34), duration_text(83), duration_text(7260)
        ('0.25 s', '12.3 s', '1:23 min', '2:01 h')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def size_text(size: int) -> str:
    """Bytes with a unit.

    Example:
        >>> size_text(512), size_text(1_730_000)
        ('512 B', '1.7 MB')
    """
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def count_text(count: int, what: str) -> str:
    """A number of things.

    Example:
        >>> count_text(1, "block"), count_text(60000, "example")
        ('1 block', '60,000 examples')
    """
    return f"{count:,} {what}" + ("" if count == 1 else "s")
