"""Ready nets: documents of widely used architectures, each with its published parameter count."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rillnet.errors import Fault, RequestError, suggest


def ready_nets() -> list[str]:
    """The names of the nets that come with the package, sorted.

    Example:
        >>> "lenet" in ready_nets()
        True
    """
    return sorted(Path(entry.name).stem for entry in files(__name__).iterdir() if entry.name.endswith(".yaml"))


def path_of(name: str) -> Path:
    """The document of a ready net.

    Args:
        name: one of `ready_nets()`.

    Raises:
        RequestError: there is no such net.

    Example:
        >>> path_of("lenet").name
        'lenet.yaml'
    """
    known = ready_nets()
    if name not in known:
        hint = suggest(name, known) or "known: " + ", ".join(known)
        raise RequestError(Fault("net", "there is no ready net of this name", name, hint=hint))
    return Path(str(files(__name__) / f"{name}.yaml"))
