"""The reference pages say what the source says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from rillnet.serving import reference

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def test_the_pages_are_those_of_the_source(pages: dict[str, str]) -> None:
    fixed = re.search(r"^torch==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert fixed is not None
    if torch.__version__.partition("+")[0] != fixed[1]:
        pytest.skip(f"the pages show the blocks of torch {fixed[1]}, and this is {torch.__version__}")
    stale = [
        name for name, text in pages.items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    left = sorted({path.name for path in FOLDER.glob("*.md")} - set(pages))

    assert (stale, left) == ([], []), "stale pages of docs/reference: `make reference` writes them anew"


def test_a_folder_is_written_and_what_is_gone_removed(tmp_path: Path, pages: dict[str, str]) -> None:
    (tmp_path / "gone.md").write_text("a page of what there is no more")

    assert reference.main([str(tmp_path)]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages


def test_every_row_of_a_table_has_its_columns(pages: dict[str, str]) -> None:
    rows = [line for text in pages.values() for line in text.splitlines() if line.startswith("|")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {4, 5}


def test_the_page_of_run_says_every_default(pages: dict[str, str]) -> None:
    assert re.search(r"^\| `precision` \| `fp32` \| fp32 or bf16 or fp16 or fp64 \| \S+", pages["run.md"], re.MULTILINE)
    assert "| `checkpoint.keep` | `3` | int |" in pages["run.md"]
