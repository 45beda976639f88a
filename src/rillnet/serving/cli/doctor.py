"""`rillnet doctor`: what this installation is made of, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from typing import Any

import torch

import rillnet
from rillnet.serving.cli.terminal import Terminal, table

_LIBRARIES = ("numpy", "pydantic", "PyYAML", "safetensors", "typer", "rich")
_EXTRAS = {
    "data": {"scikit-learn": "sklearn", "pillow": "PIL"},
    "observe": {"tensorboardX": "tensorboardX"},
    "video": {"av": "av"},
    "serve": {"fastapi": "fastapi", "uvicorn": "uvicorn", "websockets": "websockets"},
    "shell": {"prompt_toolkit": "prompt_toolkit", "websockets": "websockets"},
}
"""By extra: what it installs, and how that is imported."""


def doctor(terminal: Terminal) -> dict[str, Any]:
    """Shows versions, devices, threads and extras.

    Args:
        terminal: where to write.

    Returns:
        The same as a mapping.
    """
    extras = {
        extra: {name: _version(name, module) for name, module in found.items()} for extra, found in _EXTRAS.items()
    }
    result: dict[str, Any] = {
        "rillnet": rillnet.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "platform": platform.platform(),
        "devices": _devices(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "extras": extras,
        "missing": [extra for extra, found in extras.items() if None in found.values()],
    }
    _print(terminal, result)
    return result


def _print(terminal: Terminal, result: dict[str, Any]) -> None:
    shown = table("", "")
    shown.show_header = False
    for key in ("rillnet", "python", "torch"):
        shown.add_row(key, result[key])
    shown.add_row("libraries", ", ".join(f"{name} {version}" for name, version in result["libraries"].items()))
    shown.add_row("machine", f"{result['platform']}, {result['cores']} cores, torch uses {result['threads']} threads")
    shown.add_row("devices", ", ".join(result["devices"]))
    for extra, found in result["extras"].items():
        there = ", ".join(f"{name} {version or 'is missing'}" for name, version in found.items())
        remedy = f": pip install 'rillnet[{extra}]'" if extra in result["missing"] else ""
        shown.add_row(f"extra {extra}", there + remedy)
    terminal.print(shown)


def _version(distribution: str, module: str = "") -> str | None:
    if module and importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version" if module else None


def _devices() -> list[str]:
    cuda = [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return [*cuda, f"cpu {platform.processor() or platform.machine()}"]
