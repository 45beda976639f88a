"""Where examples come from."""

from __future__ import annotations

from rillnet.data.source import Source
from rillnet.data.sources.arrays import Arrays
from rillnet.data.sources.cifar10 import CIFAR10
from rillnet.data.sources.digits import Digits
from rillnet.data.sources.image_stream import ImageStream
from rillnet.data.sources.images import Images
from rillnet.data.sources.mnist import MNIST
from rillnet.data.sources.roman_numerals import RomanNumerals
from rillnet.registry import Family

SOURCES: Family[Source] = Family(
    "source",
    {
        "Arrays": Arrays,
        "CIFAR10": CIFAR10,
        "Digits": Digits,
        "ImageStream": ImageStream,
        "Images": Images,
        "MNIST": MNIST,
        "RomanNumerals": RomanNumerals,
    },
)
"""Sources by the name that a document gives as `type`."""

SUPPLIED = ("base", "workers", "sources")
"""Arguments of sources that the experiment supplies: where paths are relative to, `data.workers`, this family."""
