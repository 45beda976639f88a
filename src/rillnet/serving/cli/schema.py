"""`rillnet schema`: the JSON Schema of experiment documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rillnet.model.frontends import yaml
from rillnet.serving.cli.terminal import Terminal


def schema(terminal: Terminal, output: Path | None = None) -> dict[str, Any]:
    """Prints the schema, or writes it to a file.

    Args:
        terminal: where to write.
        output: the file; None prints it.

    Returns:
        The schema.
    """
    made: dict[str, Any] = yaml.schema()
    text = json.dumps(made, indent=2)
    if output is None:
        terminal.print(text)
    else:
        terminal.write_file(output, text + "\n")
        terminal.print(f"editors find it by a document's first line: # yaml-language-server: $schema={output}")
    return made
