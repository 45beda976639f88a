"""The exception tree: what went wrong, where, and what to type next.

Every error a user can cause is a `RillnetError`. Its class decides the exit code of the command
line; its text names the address, the rule, the value and, when a document is at fault, the file and
line. Faults of a document are collected and raised together, so that one pass shows all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text document.

    Args:
        file: the file's name as the user wrote it.
        line: line, counted from 1; 0 where there are no lines, as in an option of the command line.
        column: column, counted from 1.
    """

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


_NO_VALUE: Any = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: the address, the rule it breaks, and the value given.

    Example:
        >>> print(Fault("net/conv1.kernel_size", "must be at least 1", 0, Location("lenet.yaml", 14)))
        net/conv1.kernel_size: must be at least 1 (got 0)  [lenet.yaml:14]
    """

    address: str
    rule: str
    value: Any = _NO_VALUE
    location: Location | None = None
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.address}: {self.rule}" if self.address else self.rule
        if self.value is not _NO_VALUE:
            text += f" (got {shorten(self.value)})"
        if self.hint:
            text += f"; {self.hint}"
        if self.location is not None:
            text += f"  [{self.location}]"
        return text

    @property
    def has_value(self) -> bool:
        """Whether it holds the value that breaks the rule."""
        return self.value is not _NO_VALUE

    def at(self, location: Location | None) -> Fault:
        """The same fault with a place, kept if it has one already."""
        if self.location is not None or location is None:
            return self
        return Fault(self.address, self.rule, self.value, location, self.hint)


_MOST_TOLD = 30
"""So many faults are told one by one: a mistake in what a program writes is made in a thousand blocks."""


def _told(faults: Sequence[Fault]) -> str:
    lines = [str(fault) for fault in faults[:_MOST_TOLD]]
    more = len(faults) - len(lines)
    return "\n".join([*lines, f"and {more} more fault{'s' * (more > 1)}"] if more else lines)


class RillnetError(Exception):
    """Base of every error that rillnet raises on purpose."""

    exit_code: ClassVar[int] = 4


class RequestError(RillnetError):
    """The request is wrong: a document, an argument, a command. Holds every fault found.

    Args:
        faults: one message, one `Fault`, or several of them.
    """

    exit_code = 2

    def __init__(self, faults: str | Fault | Sequence[Fault]) -> None:
        if isinstance(faults, str):
            faults = Fault("", faults)
        self.faults: list[Fault] = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__(_told(self.faults))


class ShapeError(RequestError):
    """A block cannot work on what its sources send: names the block, its inputs and their shapes."""


class AddressError(RequestError, KeyError):
    """Nothing in the run has this address."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return _told(self.faults)


class MissingExtraError(RequestError, ImportError):
    """A library that an optional part needs is not installed.

    Args:
        library: what could not be imported.
        extra: the extra of rillnet that installs it.
        purpose: what it is needed for.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'rillnet[{extra}]'")


class DataError(RillnetError):
    """The data is wrong: missing, damaged or not of the announced kind."""

    exit_code = 3


class CheckpointError(DataError):
    """A checkpoint is missing, damaged or does not fit."""


class RunError(RillnetError):
    """The run failed while running, through no fault of the document or the data."""

    exit_code = 4


class UpdateError(RunError):
    """A learning rule's change of a parameter holds NaN or infinity; it was not applied.

    Args:
        rule: the rule's address.
        parameter: the parameter's address.
        step: frames learned from before the one in which it happened.
        details: what else is known.
    """

    def __init__(self, rule: str, parameter: str, step: int, details: str = "") -> None:
        told = f"{rule}: its change of {parameter} holds NaN or infinity in frame {step + 1}"
        super().__init__(f"{told}{details}")
        self.rule, self.parameter, self.step = rule, parameter, step


class FrameError(RunError):
    """A training frame failed where commands have changed what it computes; all is as it was before the frame."""


class CommandFailedError(RunError):
    """A command failed on the way, for a reason that its check did not see: a fault of what carries it out."""


class Interrupted(RillnetError):
    """The run was interrupted by the user; it has saved and can go on."""

    exit_code = 130


_OTHER_NAMES: dict[str, str] = {
    # arguments of optimisers
    "lr": "learning_rate learningrate learn_rate eta step_size",
    "eps": "epsilon",
    "betas": "beta beta1 beta2 beta_1 beta_2",
    "weight_decay": "l2 l2_penalty decay wd regularization",
    "momentum": "mu momentum_factor",
    # arguments of blocks
    "out_features": "units neurons num_outputs n_out output_size width",
    "out_channels": "filters num_filters n_filters num_output channels",
    "kernel_size": "kernel ksize filter_size",
    "stride": "strides",
    "padding": "pad",
    "p": "dropout rate prob probability drop_prob dropout_ratio keep_prob",
    "from": "source sources bottom reads input",
    "exclude": "excluded except not_in",
    # sections and their keys
    "inputs": "input",
    "blocks": "layers layer modules",
    "optimizer": "optimiser solver updater",
    "rate": "scheduler schedule lr_scheduler lr_schedule lr_policy",
    "clip": "grad_clip gradient_clip clip_norm clipnorm max_grad_norm gradient_clipping",
    "loss": "criterion objective cost",
    "source": "dataset data_set",
    "batch_size": "batch batchsize minibatch mini_batch minibatch_size",
    "validation": "val val_split validation_split",
    "prepare": "preprocess preprocessing transform transforms",
    "augment": "augmentation augmentations",
    "epochs": "num_epochs n_epochs nb_epoch max_epochs epoch",
    "steps": "max_steps num_steps iterations iters max_iter",
    "seed": "random_seed random_state",
    "precision": "dtype amp mixed_precision",
    "device": "gpu gpus accelerator",
    "checkpoint": "snapshot checkpoints save",
    "log": "log_every display logging",
    # types
    "Linear": "Dense FullyConnected FC InnerProduct Affine",
    "Conv2d": "Conv Convolution Convolution2D",
    "MaxPool2d": "MaxPool MaxPooling MaxPooling2D Pooling",
    "AvgPool2d": "AvgPool AveragePooling AveragePooling2D",
    "BatchNorm2d": "BatchNorm BatchNormalization",
    "LocalResponseNorm": "LRN",
    "CrossEntropy": "SoftmaxCrossEntropy SoftmaxLoss SoftmaxWithLoss CategoricalCrossentropy "
    "SparseCategoricalCrossentropy",
    "MeanSquaredError": "MSE EuclideanLoss L2Loss",
    "Sum": "Add Addition Eltwise",
    "Concat": "Cat Concatenate",
    "Product": "Mul Multiply",
    "Step": "StepLR",
    "MultiStep": "MultiStepLR",
    "Cosine": "CosineAnnealing CosineAnnealingLR CosineDecay",
    "Exponential": "ExponentialLR ExponentialDecay",
    "Polynomial": "PolynomialLR PolynomialDecay",
    "Momentum": "MomentumSGD",
    # commands
    "run": "train trian fit start learn",
    "eval": "test evaluate validate",
    "predict": "infer inference",
    "show": "summary plot draw print",
    "list": "ls known help",
}
"""What is called otherwise elsewhere: by our word, the words of other systems."""

_MEANT: dict[str, list[str]] = {}
for _ours, _theirs in _OTHER_NAMES.items():
    for _word in _theirs.split():
        _MEANT.setdefault(_word.casefold(), []).append(_ours)

_DIGITS = 12  # of a number as a person writes it; one that was a float32 before has more

MOST_LISTED = 10
"""So many names are listed in a message; of more, the first ones and the command that lists all."""


def suggest(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, or for the one that other systems call so; or nothing.

    Example:
        >>> suggest("Conv2D", ["Conv2d", "Linear"])
        "did you mean 'Conv2d'?"
        >>> suggest("learning_rate", ["lr", "momentum"])
        "did you mean 'lr'?"
        >>> suggest("zebra", ["Conv2d", "Linear"])
        ''
    """
    by_folded = {name.casefold(): name for name in sorted(known, reverse=True)}
    folded = str(word).casefold()
    found = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    meant = [ours for ours in other_names(folded) if ours.casefold() in by_folded]
    if meant and (not found or found[0] != folded):
        near = [ours for ours in meant if found and ours.casefold() == found[0]]
        return f"did you mean {by_folded[(near or meant)[0].casefold()]!r}?"
    return f"did you mean {by_folded[found[0]]!r}?" if found else ""


def other_names(word: str) -> list[str]:
    """Our words for what other systems call so.

    Example:
        >>> other_names("max_epochs")
        ['epochs']
    """
    return list(_MEANT.get(str(word).casefold(), ()))


def known_words(known: Iterable[str], listed_by: str = "") -> str:
    """`known: a, b, c`: all, or the first ones and what lists all.

    Args:
        known: the words, the likeliest first.
        listed_by: the command that lists them, if there is one.

    Example:
        >>> known_words(["SGD", "Adam"]), known_words([])
        ('known: SGD, Adam', 'known: none')
        >>> known_words([f"block{number}" for number in range(99)], "rillnet list blocks")[-45:]
        'block9 ... (rillnet list blocks shows all 99)'
    """
    words = list(known)
    if len(words) <= MOST_LISTED or not listed_by:
        return f"known: {', '.join(words) or 'none'}"
    return f"known: {', '.join(words[:MOST_LISTED])} ... ({listed_by} shows all {len(words)})"


def near_or_known(word: str, known: Iterable[str], listed_by: str = "") -> str:
    """What may have been meant, or else what is known.

    Example:
        >>> near_or_known("zebra", ["Conv2d", "Linear"])
        'known: Conv2d, Linear'
    """
    words = list(known)
    return suggest(word, words) or known_words(words, listed_by)


def first_line(error: BaseException) -> str:
    r"""What an error of foreign code says first, or its kind where it says nothing.

    Example:
        >>> first_line(ValueError("too large\nsee the manual")), first_line(TimeoutError())
        ('too large', 'TimeoutError')
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def shorten(value: Any, width: int = 60) -> str:
    """The value as text, cut in the middle of what would not fit a line.

    Example:
        >>> shorten(0.05), shorten(0.30000001192092896)
        ('0.05', '0.3')
    """
    text = repr(value)
    if isinstance(value, float) and len(text) > _DIGITS:
        text = f"{value:.7g}"
    return text if len(text) <= width else f"{text[: width - 4]} ..."
