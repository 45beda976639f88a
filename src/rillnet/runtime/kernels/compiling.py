"""C++ compiled at run time into plain shared libraries, loaded with ctypes and kept in the user's cache directory."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_COMPILERS = ("g++", "c++", "clang++")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_FLAGS_OF_LIBRARIES = ("-fPIC", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden")
_LONGEST_S = 60.0
_DIGEST = hashlib.sha256
_TORCH = str(Path(torch.__file__).parent)
_OPENMP = re.compile(r"\s(/\S*/lib(?:gomp|iomp5|omp)[^/\s]*\.so[^/\s]*)$", re.MULTILINE)

_numbers = itertools.count()


class KernelUnavailableError(Exception):
    """A kernel cannot be had, and why; the same is then computed by torch."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler, and what it says of the processor it compiles for.

    Args:
        path: of the program.
        lanes: floats in a vector of the processor.
        registers: how many vectors it holds.
        openmp: the library that runs torch's threads, or None where it was not found: then kernels use one thread.
        fingerprint: changes with the compiler's version and the processor's abilities.
    """

    path: str
    lanes: int
    registers: int
    openmp: str | None
    fingerprint: str

    @classmethod
    def find(cls, search: str | None = None) -> Compiler:
        """The compiler that `CXX` names, or else the first on the path.

        Args:
            search: folders as in the variable `PATH`, which is taken if None.

        Raises:
            KernelUnavailableError: there is none, or it does not work.
        """
        names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
        path = next(filter(None, (shutil.which(name, path=search) for name in names)), None)
        if path is None:
            raise KernelUnavailableError(f"no C++ compiler was found ({', '.join(names)})")
        asked = [path, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]
        macros = _said(asked, "the C++ compiler did not tell its processor")
        names_defined = set(re.findall(r"^#define (\w+)", macros, re.MULTILINE))
        wide = "__AVX512F__" in names_defined
        return cls(
            path=path,
            lanes=16 if wide else 8 if "__AVX__" in names_defined else 4,
            registers=32 if wide or "__aarch64__" in names_defined else 16,
            openmp=loaded_openmp(),
            fingerprint=_DIGEST(macros.encode()).hexdigest(),
        )


def loaded_openmp(maps: Path = Path("/proc/self/maps")) -> str | None:
    """The OpenMP library that torch's threads run in: linked with another one, threads would double.

    Other packages may have loaded one of their own before.

    Args:
        maps: the system's list of the files of this process.
    """
    try:
        found = _OPENMP.findall(maps.read_text())
    except OSError:
        return None
    return min(found, key=lambda path: (not path.startswith(_TORCH), found.index(path)), default=None)


def cache_folder() -> Path:
    """Where compiled kernels are kept: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rillnet" / "kernels"


class Libraries:
    """Shared libraries by their C++, each compiled once per machine.

    A file of the cache is a library and, behind it, the digest of its bytes: a file that was cut short is told before
    the system loads it. It is written aside and renamed, so that processes that compile the same do not meet.

    Args:
        folder: of the cache; the user's if None.
        search: folders in which a compiler is looked for, as in `PATH`, which is taken if None.
    """

    def __init__(self, folder: Path | None = None, search: str | None = None) -> None:
        self._folder, self._search = folder, search
        self._lock = threading.RLock()
        self._loaded: dict[str, ctypes.CDLL | KernelUnavailableError] = {}
        self._origins: dict[str, str] = {}

    @functools.cached_property
    def _found(self) -> Compiler | KernelUnavailableError:
        try:
            return Compiler.find(self._search)
        except KernelUnavailableError as error:
            return error

    @property
    def compiler(self) -> Compiler:
        """The compiler.

        Raises:
            KernelUnavailableError: there is none.
        """
        if isinstance(self._found, KernelUnavailableError):
            raise self._found
        return self._found

    @property
    def folder(self) -> Path:
        """Of the cache."""
        return cache_folder() if self._folder is None else self._folder

    def function(self, source: str, arguments: Sequence[Any]) -> tuple[Callable[..., None], str]:
        """The function `run` of a source, and where it comes from: `compiled in 0.3 s` or `from the cache`.

        Args:
            source: C++ that exports a function `run` without a result.
            arguments: its ctypes types.

        Raises:
            KernelUnavailableError: it cannot be compiled or kept.
        """
        with self._lock:
            if source not in self._loaded:
                try:
                    self._loaded[source] = self._load(source)
                except KernelUnavailableError as error:
                    self._loaded[source] = error
            library = self._loaded[source]
        if isinstance(library, KernelUnavailableError):
            raise library
        run = library.run
        run.argtypes, run.restype = list(arguments), None
        return run, self._origins[source]

    def _load(self, source: str) -> ctypes.CDLL:
        compiler = self.compiler
        told = "\n".join([source, compiler.fingerprint, *_FLAGS, *_FLAGS_OF_LIBRARIES, str(compiler.openmp)])
        file = self.folder / f"{_DIGEST(told.encode()).hexdigest()[:32]}.so"
        library = _opened(file)
        if library is not None:
            self._origins[source] = "from the cache"
            return library
        begin = time.perf_counter()
        self._compile(compiler, source, file)
        library = _opened(file)
        if library is None:
            raise KernelUnavailableError(f"the compiled {file} cannot be loaded")
        self._origins[source] = f"compiled in {time.perf_counter() - begin:.1f} s"
        return library

    def _compile(self, compiler: Compiler, source: str, file: Path) -> None:
        """Compiles and links in two steps, as a compiler that links OpenMP itself would take its own library."""
        aside = file.with_name(f".{file.stem}.{os.getpid()}.{next(_numbers)}")
        text, unlinked, linked = (aside.with_suffix(suffix) for suffix in (".cpp", ".o", ".so"))
        threads = [] if compiler.openmp is None else ["-fopenmp"]
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            text.write_text(source, encoding="utf-8")
            command = [compiler.path, *_FLAGS, *_FLAGS_OF_LIBRARIES, *threads, "-c", str(text), "-o", str(unlinked)]
            _said(command, "the C++ compiler failed")
            libraries = [] if compiler.openmp is None else [compiler.openmp]
            _said([compiler.path, "-shared", str(unlinked), *libraries, "-o", str(linked)], "linking failed")
            content = linked.read_bytes()
            linked.write_bytes(content + _DIGEST(content).digest())
            linked.replace(file)
        except OSError as error:
            raise KernelUnavailableError(f"the cache {file.parent} cannot be written: {error.strerror}") from error
        finally:
            for left in (text, unlinked, linked):
                if os.access(left.parent, os.W_OK):
                    left.unlink(missing_ok=True)


def _opened(file: Path) -> ctypes.CDLL | None:
    """A library of the cache, or None where it is absent or damaged."""
    try:
        content = file.read_bytes()
        size = _DIGEST().digest_size
        if _DIGEST(content[:-size]).digest() != content[-size:]:
            return None
        library = ctypes.CDLL(str(file))
        return library if hasattr(library, "run") else None
    except OSError:
        return None


def _said(command: Sequence[str], otherwise: str) -> str:
    """What a command writes.

    Raises:
        KernelUnavailableError: it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailableError(f"{otherwise}: {error}") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise KernelUnavailableError(f"{otherwise}: {first.strip()}")
    return done.stdout
