from __future__ import annotations

import subprocess
import sys

import pytest

import rillnet
from rillnet.serving.cli import main

HEAVY = {"torch", "numpy", "yaml", "safetensors"}
PROGRAM = """
import sys
from rillnet.serving.cli import main
code = main({words})
print(code, *sorted(name for name in sys.modules if name in {heavy}))
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["runs", "compare", "--help"], ["rnu"], ["run"]]
)
def test_help_and_wrong_words_are_answered_without_heavy_imports(words: list[str]) -> None:
    program = PROGRAM.format(words=words, heavy=HEAVY)

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    code = "0" if {"--help", "--version"} & set(words) else "2"
    assert done.stdout.splitlines()[-1] == code


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rillnet {rillnet.__version__}\n"
