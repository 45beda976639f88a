"""Changes of whole batches: random ones (`augment`) and fixed ones (`prepare`)."""

from __future__ import annotations

from rillnet.data.transforms.crop import CenterCrop, Crop
from rillnet.data.transforms.flip import Flip
from rillnet.data.transforms.light import Brightness, Contrast
from rillnet.data.transforms.noise import Noise
from rillnet.data.transforms.resize import Resize
from rillnet.data.transforms.scaling import Normalize, Rescale, Whiten
from rillnet.data.transforms.transform import Transform
from rillnet.registry import Family

TRANSFORMS: Family[Transform] = Family(
    "transform",
    {
        "Brightness": Brightness,
        "CenterCrop": CenterCrop,
        "Contrast": Contrast,
        "Crop": Crop,
        "Flip": Flip,
        "Noise": Noise,
        "Normalize": Normalize,
        "Rescale": Rescale,
        "Resize": Resize,
        "Whiten": Whiten,
    },
)
"""Transforms by the name that a document gives as `type`."""
