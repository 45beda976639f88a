"""Processes for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.placement.team import Team, assembled


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with assembled() as team:
        yield team
