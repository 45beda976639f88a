"""Files that hold documents: their text, and what to say where there is none."""

from __future__ import annotations

from pathlib import Path

from rillnet.errors import Fault, Location, RequestError, suggest

LARGEST_FILE = 64 * 2**20
SUFFIXES = (".yaml", ".yml")


def text_of(path: Path) -> str:
    """The text of a document.

    Raises:
        RequestError: there is no such file, it cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.is_dir():
            raise RequestError(Fault("", f"{str(path)!r} is a folder, not a document", hint=_contents(path)))
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise RequestError(_missing(path)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RequestError(Fault("", f"{str(path)!r} cannot be read: {reason}")) from error
    if len(content) > LARGEST_FILE:
        limit = LARGEST_FILE // 2**20
        raise RequestError(Fault("", f"{str(path)!r} is too large for a document: at most {limit} MB are read"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"a document is UTF-8 text, and byte 0x{content[error.start]:02x} here is not"
        raise RequestError(Fault("", rule, location=Location(str(path), line))) from None


def documents_in(folder: Path) -> list[str]:
    """The names of a folder's YAML files, sorted; none if it cannot be read."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in SUFFIXES)
    except OSError:
        return []


def _missing(path: Path) -> Fault:
    if not path.parent.is_dir():
        return Fault("", f"there is no file {str(path)!r}, as there is no folder {str(path.parent)!r}")
    # Names are near each other by what stands before the suffix, which all documents share.
    near = [name for name in documents_in(path.parent) if suggest(path.stem, [Path(name).stem])]
    return Fault("", f"there is no file {str(path)!r}", hint=suggest(path.name, near))


def _contents(folder: Path) -> str:
    names = documents_in(folder)
    return "in it: " + ", ".join(names[:5]) + (" ..." if len(names) > 5 else "") if names else ""
