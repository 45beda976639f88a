from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rillnet.serving.cli import doctor

Lines = Callable[..., list[str]]
Command = Callable[..., dict[str, Any]]
PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_every_extra_is_looked_for() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    declared = {
        name: [text.split(">")[0] for text in listed]
        for name, listed in extras.items()
        if name not in ("dev", "browser")
    }

    assert {extra: list(found) for extra, found in doctor._EXTRAS.items()} == declared


def test_what_is_installed(answer: Command) -> None:
    told = answer("doctor")

    assert told["torch"] == torch.__version__
    assert told["threads"] == torch.get_num_threads()
    assert told["missing"] == []
    assert all(told["libraries"].values())


def test_what_is_missing_is_told_with_the_command_that_installs_it(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "PIL" else found(name))

    shown = next(line for line in lines("doctor") if line.startswith("extra data"))
    assert shown.endswith("pillow is missing: pip install 'rillnet[data]'")
