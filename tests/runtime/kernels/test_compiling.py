"""C++ compiled once and kept: damaged and contended caches, machines without a compiler, threads shared with torch."""

from __future__ import annotations

import ctypes
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rillnet.runtime.kernels.compiling import Compiler, KernelUnavailableError, Libraries, cache_folder, loaded_openmp

ADDS = """
extern "C" __attribute__((visibility("default"))) void run(float* x, int threads) {
#pragma omp parallel for num_threads(threads)
  for (int i = 0; i < 4; ++i) x[i] += 1;
}
"""
ARGUMENTS = [ctypes.c_void_p, ctypes.c_int]


def added(libraries: Libraries, source: str = ADDS) -> tuple[list[float], str]:
    """What the function makes of 0, 1, 2, 3, and where it comes from."""
    run, origin = libraries.function(source, ARGUMENTS)
    numbers = (ctypes.c_float * 4)(0, 1, 2, 3)
    run(ctypes.addressof(numbers), 2)
    return list(numbers), origin


def refused(libraries: Libraries, source: str = ADDS) -> str:
    with pytest.raises(KernelUnavailableError) as caught:
        libraries.function(source, ARGUMENTS)
    return str(caught.value)


def test_a_kernel_is_compiled_once(compiler: Compiler, tmp_path: Path) -> None:
    libraries = Libraries(tmp_path)
    numbers, origin = added(libraries)
    assert numbers == [1, 2, 3, 4]
    assert re.fullmatch(r"compiled in \d+\.\d s", origin)
    assert added(libraries)[1] == origin
    assert added(Libraries(tmp_path)) == ([1, 2, 3, 4], "from the cache")
    assert [file.suffix for file in tmp_path.iterdir()] == [".so"]


@pytest.mark.parametrize("damage", ["cut", "empty", "changed"])
def test_a_damaged_file_is_compiled_again(compiler: Compiler, tmp_path: Path, damage: str) -> None:
    added(Libraries(tmp_path))
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.unlink()  # the library is in use: its own bytes must stay as they are
    half = len(content) // 2
    file.write_bytes(
        {"cut": content[:half], "empty": b"", "changed": content[:half] + b"?" + content[half + 1 :]}[damage]
    )
    numbers, origin = added(Libraries(tmp_path))
    assert numbers == [1, 2, 3, 4]
    assert origin.startswith("compiled in")
    assert added(Libraries(tmp_path))[1] == "from the cache"


def test_processes_that_compile_the_same_do_not_meet(compiler: Compiler, tmp_path: Path) -> None:
    program = (
        "import ctypes, sys; from pathlib import Path; from rillnet.runtime.kernels.compiling import Libraries\n"
        "run, _ = Libraries(Path(sys.argv[1])).function(sys.argv[2], [ctypes.c_void_p, ctypes.c_int])\n"
        "x = (ctypes.c_float * 4)(0, 1, 2, 3); run(ctypes.addressof(x), 1); print(list(x))"
    )
    command = [sys.executable, "-c", program, str(tmp_path), ADDS]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == ["[1.0, 2.0, 3.0, 4.0]"] * 2
    assert [file.suffix for file in tmp_path.iterdir()] == [".so"]


def test_a_machine_without_a_compiler_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    without = Libraries(tmp_path, search=str(tmp_path))
    assert refused(without) == "no C++ compiler was found (g++, c++, clang++)"
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert refused(Libraries(tmp_path)) == "no C++ compiler was found (no-such-compiler)"


def test_a_compiler_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = tmp_path / "g++"
    failing.write_text("#!/bin/sh\necho 'g++: error: out of order' >&2\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    found = Libraries(tmp_path / "cache", search=str(tmp_path))
    assert refused(found) == "the C++ compiler did not tell its processor: g++: error: out of order"


def test_cpp_that_is_wrong_is_told_and_not_tried_again(compiler: Compiler, tmp_path: Path) -> None:
    libraries = Libraries(tmp_path)
    reason = refused(libraries, "this is no C++")
    assert reason.startswith("the C++ compiler failed: ")
    assert "error" in reason
    assert refused(libraries, "this is no C++") == reason
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "kernels"
    assert refused(Libraries(folder)) == f"the cache {folder} cannot be written: Not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_cache_without_permission_is_told(compiler: Compiler, tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    assert refused(Libraries(tmp_path)) == f"the cache {tmp_path} cannot be written: Permission denied"


def test_kernels_use_the_threads_of_torch(compiler: Compiler, tmp_path: Path) -> None:
    if loaded_openmp() is None:
        pytest.skip("torch has no OpenMP library of its own here")
    before = openmp_libraries()
    added(Libraries(tmp_path))
    assert openmp_libraries() == before


def openmp_libraries() -> set[str]:
    """Those of this process; other packages may have brought their own."""
    return set(re.findall(r"/\S*/lib(?:gomp|iomp5|omp)[^/\s]*\.so\S*", Path("/proc/self/maps").read_text()))


def test_the_threads_of_torch_are_told_from_those_of_others(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    own = str(Path(torch.__file__).parent / "lib" / "libgomp.so.1")
    other = "/opt/other.libs/libgomp-e985bcbb.so.1.0.0"
    maps.write_text(f"7f00-7f01 r-xp 0 fe:00 1 {other}\n7f02-7f03 r-xp 0 fe:00 2 {own}\n")
    assert loaded_openmp(maps) == own


def test_without_a_library_for_threads_kernels_have_one(
    compiler: Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rillnet.runtime.kernels.compiling.loaded_openmp", lambda: None)
    assert added(Libraries(tmp_path))[0] == [1, 2, 3, 4]


def test_the_library_of_torch_is_found_among_the_files_of_the_process(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text("7f00-7f01 r-xp 0 fe:00 12    /opt/torch/lib/libgomp-a34b.so.1\n7f02-7f03 rw-p 0 00:00 0  [heap]\n")
    assert loaded_openmp(maps) == "/opt/torch/lib/libgomp-a34b.so.1"
    assert loaded_openmp(tmp_path / "absent") is None


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rillnet" / "kernels"
    assert Libraries().folder == cache_folder()
