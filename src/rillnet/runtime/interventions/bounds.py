"""Which whole numbers a tensor may hold: those that the blocks which read it have a place for."""

from __future__ import annotations

from torch import Tensor, nn

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatBlock, FlatNet, FlatSource, outputs_of, part
from rillnet.model.layers.loss import IGNORED, CrossEntropy
from rillnet.model.layers.metrics import ConfusionByDelay
from rillnet.model.layers.one_hot import OneHot


def check_numbers(flat: FlatNet, source: FlatSource, value: Tensor, address: str) -> None:
    """Looks whether every block that looks something up by these numbers would find it.

    Args:
        flat: the net.
        source: of whole numbers.
        value: what it is clamped to.
        address: of the block.

    Raises:
        RequestError: one would not; names it.
    """
    for block in flat.blocks.values():
        for port, read in enumerate(block.sources):
            count = _count(flat, block, port) if (read.block, read.place) == (source.block, source.place) else None
            if count is None:
                continue
            is_label = isinstance(flat.module(block.name), CrossEntropy)
            wrong = (value < 0) | (value >= count)
            wrong = wrong & (value != IGNORED) if is_label else wrong
            if bool(wrong.any()):
                rule = f"must be one of 0 to {count - 1}, as net/{block.name} reads it"
                raise RequestError(Fault(address, rule, int(value[wrong][0])))


def numbers_for(flat: FlatNet, source: FlatSource) -> int | None:
    """How many whole numbers, from 0 on, mean something to every block that reads them; None if no block tells.

    Args:
        flat: the net.
        source: of whole numbers.
    """
    found = []
    for block in flat.blocks.values():
        for port, read in enumerate(block.sources):
            if (read.block, read.place) == (source.block, source.place):
                module = flat.module(block.name)
                found.append(module.classes if isinstance(module, OneHot) else _count(flat, block, port))
    return min((count for count in found if count is not None), default=None)


def _count(flat: FlatNet, block: FlatBlock, port: int) -> int | None:
    """How many numbers a block has a place for at a port; None if it takes any."""
    module = flat.module(block.name)
    if isinstance(module, nn.Embedding) and port == 0:
        return module.num_embeddings
    if not isinstance(module, CrossEntropy | ConfusionByDelay) or port != 1:
        return None
    scores = block.sources[0]
    whole = flat.inputs[scores.block] if scores.block in flat.inputs else flat.blocks[scores.block].output
    _, signature = outputs_of(part(whole, scores.place))[0]
    return signature.shape[0] if signature.shape else None
