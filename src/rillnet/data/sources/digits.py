"""Handwritten digits that come with scikit-learn: small, real, and there without a download."""

from __future__ import annotations

import torch
from torch import Tensor

from rillnet.data.examples import ArrayExamples
from rillnet.data.ordering import generator
from rillnet.errors import MissingExtraError
from rillnet.spec import Phase

_TEST_SHARE = 0.2
_LEVELS = 16.0


class Digits:
    """1,797 images of handwritten digits, 8 x 8 pixels: 1,438 to train with, 359 to test with.

    Fields: `image`, float32 [1, 8, 8] in [0, 1]; `label`, int64, 0 to 9.

    A fifth of each digit's images, drawn once and for all from a fixed seed, is the test phase; both
    phases keep the order of the data set.

    Source:
        Alpaydin, Kaynak: Optical recognition of handwritten digits, UCI machine learning repository (1998).
    """

    def phases(self) -> tuple[Phase, ...]:
        """Train and test."""
        return ("train", "test")

    def examples(self, phase: Phase) -> ArrayExamples:
        """The examples of a phase.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "data", "the source Digits") from error
        bundled = load_digits()
        labels = torch.from_numpy(bundled.target).to(torch.int64)
        images = torch.from_numpy(bundled.images).to(torch.float32).div_(_LEVELS).unsqueeze(1)
        chosen = _is_test(labels) if phase == "test" else ~_is_test(labels)
        return ArrayExamples({"image": images[chosen], "label": labels[chosen]}, address=f"digits.{phase}")


def _is_test(labels: Tensor) -> Tensor:
    """Which examples are the test phase's: the same share of every digit, bool [n]."""
    test = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        positions = torch.nonzero(labels == digit).flatten()
        drawn = torch.randperm(len(positions), generator=generator(0, "digits", digit))
        test[positions[drawn[: round(_TEST_SHARE * len(positions))]]] = True
    return test
