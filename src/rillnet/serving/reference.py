"""The reference pages of docs/reference, written from the same docstrings that `rillnet list` shows.

`python -m rillnet.serving.reference docs/reference` writes them; a test tells when they are stale.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rillnet.serving import catalogue
from rillnet.serving.catalogue import Argument, Entry

_NOTE = "Written by `make reference` from the docstrings in the source; do not edit it by hand."
_SECTIONS = ("data", "run")


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    kinds = catalogue.kinds()
    listed = {f"{kind}.md": _page(kind, told) for kind, told in kinds.items()}
    index = "\n".join(f"- [{kind}]({kind}.md): {told}" for kind, told in kinds.items())
    intro = "What a document may name, with arguments and defaults. `rillnet list` shows the same at a prompt."
    return {"README.md": f"# Reference\n\n{intro}\n\n{index}\n\n{_NOTE}\n", **listed}


def main(arguments: Sequence[str]) -> int:
    """Writes the pages into a directory, and removes pages of what is gone.

    Args:
        arguments: the directory.
    """
    folder = Path(arguments[0] if arguments else "docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in folder.glob("*.md"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


def _page(kind: str, told: str) -> str:
    listed = catalogue.entries(kind)
    title = f"# {kind.capitalize()}\n\n{told[:1].upper()}{told[1:]}. {_NOTE}\n"
    if kind in _SECTIONS:
        return f"{title}\n{_keys(listed)}"
    return title + "".join(f"\n## {entry.name}\n\n{_entry(entry)}" for entry in listed)


def _keys(listed: Sequence[Entry]) -> str:
    rows = [f"| `{entry.name}` {_row(entry.arguments[0])} |" for entry in listed]
    return "\n".join(["| key | default | takes | |", "|---|---|---|---|", *rows]) + "\n"


def _entry(entry: Entry) -> str:
    text = f"{_escaped(entry.told)}\n" if entry.told else ""
    if not entry.arguments:
        return text
    rows = [f"| `{argument.name}` {_row(argument)} |" for argument in entry.arguments]
    table = "\n".join(["| argument | default | takes | |", "|---|---|---|---|", *rows])
    return f"{text}\n{table}\n"


def _row(argument: Argument) -> str:
    default = "inferred" if argument.inferred else "required" if argument.default is None else ""
    default = default or (f"`{argument.default}`" if argument.default else "")
    cells = [default, argument.kind, argument.told]
    return "".join(f"| {_escaped(cell)} " if cell else "| " for cell in cells).rstrip()


def _escaped(text: str) -> str:
    """Text in which Markdown finds no mark-up: no table's border, no tag."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
