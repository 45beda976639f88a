"""Metrics of many values as tables of text, no wider than a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rillnet.training.wording import number_text, series_of

WIDTH = 80
_MOST_CLASSES = 16
_MOST_CONFUSIONS = 10


def tables_text(metrics: Mapping[str, float], tables: Mapping[str, Mapping[str, Any]], width: int = WIDTH) -> list[str]:
    """Lines that show what one line of metrics cannot: metrics of many values, and confusion matrices.

    Args:
        metrics: by name.
        tables: of an evaluation, by name.
        width: letters that a line may have.
    """
    lines = [line for name, values in series_of(metrics).items() for line in series_table(name, values, width)]
    for name, table in tables.items():
        if table.get("type") == "ConfusionByDelay":
            lines += confusion_table(name, table, width)
    return lines


def series_table(name: str, values: Sequence[float | None], width: int = WIDTH) -> list[str]:
    """The values of a metric below their numbers.

    Args:
        name: of the metric.
        values: one after the other; None or NaN where there is none.
        width: letters that a line may have; a longer table goes on below.

    Example:
        >>> print(*series_table("by_delay", [0.1, 0.25, math.nan]), sep=chr(10))
        by_delay          0        1        2
                    10.00 %  25.00 %        -
    """
    texts = ["-" if value is None or math.isnan(value) else number_text(name, value) for value in values]
    cell = max(len(text) for text in texts) + 2
    first = len(name) + 1
    per_row = max(1, (width - first) // cell)
    lines = []
    for start in range(0, len(texts), per_row):
        row = texts[start : start + per_row]
        numbers = "".join(str(start + number).rjust(cell) for number in range(len(row)))
        below = "".join(text.rjust(cell) for text in row)
        lines += [(name if start == 0 else "").ljust(first) + numbers, " " * first + below]
    return [line.rstrip() for line in lines]


def confusion_table(name: str, table: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """The accuracy of each delay, and the confusion matrix of the best one, in percent of each label's answers.

    A matrix of many classes is told by its most frequent confusions.

    Args:
        name: of the metric.
        table: `counts` [delay][label][answer], `accuracy` by delay and `best_delay`.
        width: letters that a line may have.
    """
    lines = series_table(name, table["accuracy"], width)
    delay = table["best_delay"]
    if delay is None:
        return lines
    counts = table["counts"][delay]
    classes = len(counts)
    if classes > _MOST_CLASSES or 10 + 5 * classes > width:
        return [*lines, f"{name} at delay {delay}, most frequent confusions:", *_confusions(counts)]
    lines.append(f"{name} at delay {delay}: label below, answer to the right, in percent")
    lines.append(" " * 10 + "".join(str(answer).rjust(5) for answer in range(classes)))
    for label, row in enumerate(counts):
        total = sum(row)
        shares = [f"{100 * count / total:.0f}" if count else "." for count in row]
        lines.append(str(label).rjust(10) + "".join(share.rjust(5) for share in shares))
    return lines


def _confusions(counts: Sequence[Sequence[int]]) -> list[str]:
    answers = [(n, label, answer) for label, row in enumerate(counts) for answer, n in enumerate(row) if n]
    wrong = sorted((one for one in answers if one[1] != one[2]), key=lambda one: (-one[0], one))
    told = [f"  label {label} answered {answer}: {n:,} of {sum(counts[label]):,}" for n, label, answer in wrong]
    return told[:_MOST_CONFUSIONS] or ["  none"]
