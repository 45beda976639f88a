"""Runs that do not wait for the disk; that they do where they must is tested in `tests/runtime`."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
