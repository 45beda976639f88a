"""Rows of convolutions, pools and upsampling are those of the whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rillnet.runtime.placement.assignment import Assigned
from rillnet.runtime.placement.boxes import Box, cut, whole
from rillnet.runtime.placement.computing import _OF_ROWS
from rillnet.runtime.placement.rules import partition_of

MODULES: list[nn.Module] = [
    nn.Conv2d(4, 4, (4, 3), padding="same", groups=2),
    nn.ConvTranspose2d(4, 4, 3, stride=3, padding=1, output_padding=2, dilation=2),
    nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
    nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
    nn.AdaptiveMaxPool2d((3, 9)),
    nn.Upsample(scale_factor=3),
]


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_rows_are_those_of_the_whole(module: nn.Module) -> None:
    x = torch.randn(2, 4, 9, 9)
    expected = module(x)
    rule = partition_of(module, [(4, 9, 9)], tuple(expected.shape[1:]))
    kind = next(local for known, local in _OF_ROWS if isinstance(rule, known))
    rows = expected.shape[2]

    for start in range(rows):
        for stop in range(start + 1, rows + 1):
            box: Box = (*whole(expected.shape[:2]), (start, stop), (0, expected.shape[3]))
            read = cut(x, whole(x.shape), rule.needs(box)[0])
            found, _ = kind(module, Assigned("space", rule), box)([read], box, 2, None)
            torch.testing.assert_close(found, expected[:, :, start:stop])
