"""Whether a metric improves: the best value so far, and the end of patience."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from rillnet.errors import Fault, RequestError, suggest

Mode = Literal["max", "min"]

_LARGER = ("accuracy", "precision", "recall", "dice", "bleu", "sensitivity", "specificity", "likelihood")
_LARGER_WHOLE = ("acc", "auc", "auroc", "auprc", "f1", "iou", "miou", "ap", "map", "r2", "psnr", "ssim", "elbo")
_SMALLER = ("loss", "error", "perplexity", "entropy", "divergence", "distance", "nll")
_SMALLER_WHOLE = ("mse", "mae", "rmse", "ppl", "wer", "cer", "kl", "fid")


def mode_of(metric: str, mode: Mode | None = None, address: str = "mode") -> Mode:
    """Whether the best value of a metric is the largest or the smallest, told by its name.

    Args:
        metric: its name.
        mode: what the user says, which wins.
        address: where the mode stands, for the message.

    Returns:
        `max` or `min`.

    Raises:
        RequestError: the name does not tell.

    Example:
        >>> mode_of("val/top5_accuracy"), mode_of("cross_entropy")
        ('max', 'min')
    """
    faults = check_mode(metric, mode, address)
    if faults:
        raise RequestError(faults)
    return mode or _told_by_name(metric) or "max"


def check_mode(metric: str, mode: object, address: str) -> list[Fault]:
    """The fault of a mode that is neither `max` nor `min`, or that is missing where the name does not tell."""
    if mode not in ("max", "min", None):
        return [Fault(address, "must be 'max' or 'min'", mode)]
    if mode is None and _told_by_name(metric) is None:
        return [Fault(address, f"must be 'max' or 'min', as the name {metric!r} does not tell which value is best")]
    return []


def _told_by_name(metric: str) -> Mode | None:
    name = metric.casefold()
    # a negative log-likelihood is a loss, whatever its last word says
    name = re.sub(r"negative[^a-z]*log[^a-z]*likelihood", "nll", name)
    words = set(re.split(r"[^a-z0-9]+", name))
    larger = any(part in name for part in _LARGER) or not words.isdisjoint(_LARGER_WHOLE)
    smaller = any(part in name for part in _SMALLER) or not words.isdisjoint(_SMALLER_WHOLE)
    if larger == smaller:
        return None
    return "max" if larger else "min"


class Best:
    """The best value of a metric so far.

    Args:
        metric: its name among the metrics observed.
        mode: `max` or `min`; None tells by the name.
        min_delta: by how much a value must be better than the best to count.
        address: where this is said in the document, for messages.

    Example:
        >>> best = Best("accuracy")
        >>> [best.observe({"accuracy": value}) for value in (0.5, 0.4, 0.6)], best.value
        ([True, False, True], 0.6)
    """

    def __init__(self, metric: str, mode: Mode | None = None, min_delta: float = 0.0, address: str = "") -> None:
        self.metric = metric
        self.mode: Mode = mode_of(metric, mode, f"{address}.mode" if address else "mode")
        self.min_delta = min_delta
        self.value: float | None = None
        self._address = f"{address}.metric" if address else "metric"

    def observe(self, metrics: Mapping[str, float]) -> bool:
        """Takes in an evaluation; whether it is the best so far (a value that is not a number never is).

        Raises:
            RequestError: the metric is not among them.
        """
        if self.metric not in metrics:
            hint = suggest(self.metric, metrics) or f"known: {', '.join(metrics) or 'none'}"
            raise RequestError(Fault(self._address, "is no metric of the evaluation", self.metric, hint=hint))
        value = float(metrics[self.metric])
        if not self._is_better(value):
            return False
        self.value = value
        return True

    def _is_better(self, value: float) -> bool:
        if self.value is None:
            return value == value  # not a NaN
        gain = value - self.value if self.mode == "max" else self.value - value
        return gain > self.min_delta

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"value": self.value}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint kept."""
        self.value = state["value"]


class EarlyStopping:
    """Says when a metric has not improved for some evaluations in a row.

    Args:
        metric: its name among the metrics observed.
        patience: evaluations without improvement that are waited for.
        mode: `max` or `min`; None tells by the name.
        min_delta: by how much a value must be better than the best to count.
        address: where this is said in the document, for messages.

    Example:
        >>> stopping = EarlyStopping("loss", patience=2)
        >>> [stopping.observe({"loss": value}) for value in (1.0, 1.1, 0.9, 0.9, 1.0)]
        [False, False, False, False, True]
    """

    def __init__(
        self, metric: str, patience: int = 3, mode: Mode | None = None, min_delta: float = 0.0, address: str = ""
    ) -> None:
        self.best = Best(metric, mode, min_delta, address)
        self.patience = patience
        self.waited = 0

    def observe(self, metrics: Mapping[str, float]) -> bool:
        """Takes in an evaluation; whether the run should end.

        Raises:
            RequestError: the metric is not among them.
        """
        self.waited = 0 if self.best.observe(metrics) else self.waited + 1
        return self.waited >= self.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best.state(), "waited": self.waited}

    def load(self, state: Mapping[str, Any]) -> None:
        """Goes on from what a checkpoint kept."""
        self.best.load(state["best"])
        self.waited = state["waited"]
