"""`rillnet schema`: the JSON Schema of experiment documents, with every type that this installation knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rillnet.data.sources import SOURCES, SUPPLIED
from rillnet.data.transforms import TRANSFORMS
from rillnet.model.frontends import yaml
from rillnet.model.frontends.members import Schema, members
from rillnet.model.registry import block_types
from rillnet.serving.cli.terminal import Terminal
from rillnet.training.learning_rules import RULES
from rillnet.training.observers import OBSERVERS
from rillnet.training.optimizer_family import OPTIMIZERS, OWN_ARGUMENTS, SET_ELSEWHERE
from rillnet.training.rates import RATES

_MADE_BY_THE_NET = ("source_shapes", "device", "dtype")
_GIVEN_TO_RULES = ("net", "implementation", "address")


def schema(terminal: Terminal, output: Path | None = None) -> dict[str, Any]:
    """Prints the schema, or writes it to a file.

    Args:
        terminal: where to write.
        output: the file; None prints it.

    Returns:
        The schema.
    """
    made: dict[str, Any] = yaml.schema(families())
    text = json.dumps(made, indent=2)
    if output is None:
        terminal.print(text)
    else:
        terminal.write_file(output, text + "\n")
        terminal.print(f"editors find it by a document's first line: # yaml-language-server: $schema={output}")
    return made


def families() -> dict[str, dict[str, Schema]]:
    """What may stand as `type`, with its arguments, by kind."""
    optimizers = members({name: OPTIMIZERS.find(name) for name in OPTIMIZERS}, SET_ELSEWHERE)
    for one in optimizers.values():
        one["properties"] |= {name: {} for name in OWN_ARGUMENTS}
    transforms = members({name: TRANSFORMS.find(name) for name in TRANSFORMS})
    return {
        "block": members(block_types(), _MADE_BY_THE_NET),
        "source": members({name: SOURCES.find(name) for name in SOURCES}, SUPPLIED),
        "transform": transforms,
        "augmentation": transforms,
        "rule": members({name: RULES.find(name) for name in RULES}, _GIVEN_TO_RULES),
        "optimizer": optimizers,
        "rate": members({name: RATES.find(name) for name in RATES}),
        "observer": members({name: OBSERVERS.find(name) for name in OBSERVERS}),
    }
