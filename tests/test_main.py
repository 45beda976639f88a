from __future__ import annotations

import subprocess
import sys


def test_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "rillnet", "--help"], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: rillnet")


def test_the_exit_code_is_the_command_s() -> None:
    done = subprocess.run([sys.executable, "-m", "rillnet", "rnu"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == "no such command 'rnu'; did you mean 'run'?\n"
