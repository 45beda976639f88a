"""Kernels are compiled into a folder of the test session; where there is no compiler, what needs one is skipped."""

from __future__ import annotations

import pytest

from rillnet.runtime.kernels.compiling import Compiler, KernelUnavailableError


@pytest.fixture(scope="session")
def compiler() -> Compiler:
    """The compiler of this machine."""
    try:
        return Compiler.find()
    except KernelUnavailableError as error:
        pytest.skip(str(error))
