"""rillnet: one net, any rollout, any placement, always in view.

A model and its data are run, trained, tuned and served:

- `rillnet.model`      what it is: nets of named blocks, shapes, rollouts, documents
- `rillnet.data`       what it sees: sources, transforms, batches
- `rillnet.runtime`    how it runs: programs, sessions, checkpoints, run directories
- `rillnet.training`   how it changes: learning rules, optimisers, rates, the trainer
- `rillnet.serving`    how it is reached: the command line

Block types are found here by name, as descriptions that a net builds when it knows what they read:
`rn.Conv2d(out_channels=8, kernel_size=3)`. Every class of torch.nn is one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WINDOW = {
    "Batch": "rillnet.data.batch",
    "Experiment": "rillnet.training.experiment",
    "Net": "rillnet.model.net",
    "Program": "rillnet.runtime.program",
    "RillnetError": "rillnet.errors",
    "Rollout": "rillnet.model.rollout",
    "Run": "rillnet.training.loading",
    "Scalar": "rillnet.model.describing",
    "Sequences": "rillnet.data.sources.sequences",
    "Session": "rillnet.runtime.session",
    "block": "rillnet.model.describing",
    "count_valid_patterns": "rillnet.model.rollout",
    "load": "rillnet.training.loading",
    "open_data": "rillnet.data",
}

__all__ = [
    "Batch",
    "Experiment",
    "Net",
    "Program",
    "RillnetError",
    "Rollout",
    "Run",
    "Scalar",
    "Sequences",
    "Session",
    "block",
    "count_valid_patterns",
    "load",
    "open_data",
]

if TYPE_CHECKING:
    from rillnet.data import open_data
    from rillnet.data.batch import Batch
    from rillnet.data.sources.sequences import Sequences
    from rillnet.errors import RillnetError
    from rillnet.model.describing import Scalar, block
    from rillnet.model.net import Net
    from rillnet.model.rollout import Rollout, count_valid_patterns
    from rillnet.runtime.program import Program
    from rillnet.runtime.session import Session
    from rillnet.training.experiment import Experiment
    from rillnet.training.loading import Run, load


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'rillnet' has no attribute {name!r}")
    if name in _WINDOW:
        found = getattr(importlib.import_module(_WINDOW[name]), name)
    else:
        found = importlib.import_module("rillnet.model.describing").describe(name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, *importlib.import_module("rillnet.model.registry").block_types()])
