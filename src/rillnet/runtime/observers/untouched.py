"""Computing with modules such that nothing is left of it: buffers, attributes and random state are what they were."""

from __future__ import annotations

import contextlib
import copy
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

_OF_TORCH = frozenset(vars(nn.Module()))
"""What every module has, and no forward changes."""


@contextlib.contextmanager
def untouched(modules: Iterable[nn.Module], device: torch.device) -> Iterator[None]:
    """Within it modules work on copies of their buffers; afterwards they, and all generators, are as they were.

    The tensors themselves are never written to, so that graphs that hold them stay valid. Of modules that are neither
    torch's nor ours, lists, mappings and sets are copied too.

    Args:
        modules: those that will be called.
        device: where they compute.
    """
    found = {id(inner): inner for module in modules for inner in _within(module)}
    kept = [(module, dict(module.__dict__)) for module in found.values()]
    foreign = False
    for module in found.values():
        if module._buffers:
            copies = {name: None if b is None else b.detach().clone() for name, b in module._buffers.items()}
            module.__dict__["_buffers"] = copies
        if not type(module).__module__.startswith(("torch.", "rillnet.")):
            foreign = True
            _copy_containers(module)
    with _generators(device, foreign=foreign):
        try:
            yield
        finally:
            for module, before in kept:
                module.__dict__.clear()
                module.__dict__.update(before)


def _within(module: nn.Module) -> Iterable[nn.Module]:
    return module.modules() if module._modules else (module,)


def _copy_containers(module: nn.Module) -> None:
    for name, value in list(module.__dict__.items()):
        if name not in _OF_TORCH and isinstance(value, list | dict | set | deque):
            module.__dict__[name] = copy.copy(value)


@contextlib.contextmanager
def _generators(device: torch.device, *, foreign: bool) -> Iterator[None]:
    """Puts back the generators that blocks draw from; blocks of others may draw from Python's and numpy's too."""
    before = torch.default_generator.get_state()
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    numpy: Any = sys.modules.get("numpy") if foreign else None
    plain = random.getstate() if foreign else None
    of_numpy = numpy.random.get_state() if numpy is not None else None
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
        if on_device is not None:
            torch.cuda.set_rng_state(on_device, device)
        if plain is not None:
            random.setstate(plain)
        if numpy is not None:
            numpy.random.set_state(of_numpy)
