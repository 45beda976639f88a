"""Where examples come from."""

from __future__ import annotations

from rillnet.data.source import Source
from rillnet.data.sources.arrays import Arrays
from rillnet.data.sources.cifar10 import CIFAR10
from rillnet.data.sources.digits import Digits
from rillnet.data.sources.frame_arrays import FrameArrays
from rillnet.data.sources.generator import Generator
from rillnet.data.sources.image_stream import ImageStream
from rillnet.data.sources.images import Images
from rillnet.data.sources.mnist import MNIST
from rillnet.data.sources.modalities import Modalities
from rillnet.data.sources.moving_edges import MovingEdges
from rillnet.data.sources.oscillators import Oscillators
from rillnet.data.sources.random_processes import OrnsteinUhlenbeck, PinkNoise, RandomWalk, Spikes, WhiteNoise
from rillnet.data.sources.roman_numerals import RomanNumerals
from rillnet.data.sources.scenes import Scenes
from rillnet.data.sources.sequences import Sequences
from rillnet.data.sources.text import Text
from rillnet.data.sources.videos import Camera, Video
from rillnet.data.sources.words import Words
from rillnet.registry import Family

SOURCES: Family[Source] = Family(
    "source",
    {
        "Arrays": Arrays,
        "CIFAR10": CIFAR10,
        "Camera": Camera,
        "Digits": Digits,
        "FrameArrays": FrameArrays,
        "Generator": Generator,
        "ImageStream": ImageStream,
        "Images": Images,
        "MNIST": MNIST,
        "Modalities": Modalities,
        "MovingEdges": MovingEdges,
        "OrnsteinUhlenbeck": OrnsteinUhlenbeck,
        "Oscillators": Oscillators,
        "PinkNoise": PinkNoise,
        "RandomWalk": RandomWalk,
        "RomanNumerals": RomanNumerals,
        "Scenes": Scenes,
        "Sequences": Sequences,
        "Spikes": Spikes,
        "Text": Text,
        "Video": Video,
        "WhiteNoise": WhiteNoise,
        "Words": Words,
    },
)
"""Sources by the name that a document gives as `type`."""

SUPPLIED = ("base", "workers", "sources")
"""Arguments of sources that the experiment supplies: where paths are relative to, `data.workers`, this family."""
