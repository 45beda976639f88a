"""The command `rillnet`."""

from rillnet.serving.cli.dispatch import main

__all__ = ["main"]
