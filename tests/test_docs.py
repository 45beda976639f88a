"""What the documents show works: their snippets run, their documents load, their links and targets exist.

The fences of one page run in order, in one folder and one namespace, as a reader would type them. A word after the
language changes that: `slow` keeps a page out of the quick tests, `file=NAME` writes the fence to a file for the
fences after it, and `no-run` leaves one out, which is for what a test cannot do (setting up a machine, say) and rare.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(#[^)]*)?\)")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
RUN = {"python", "console", "bash", "sh"}
MOST_LEFT_OUT = 6
"""How many fences of all pages together may be marked `no-run`."""

SHELL_SECONDS = 600


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page, with its place."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    body: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        return "no-run" not in self.words

    @property
    def file(self) -> str:
        return next((word.removeprefix("file=") for word in self.words if word.startswith("file=")), "")


def fences(page: Path) -> Iterator[Fence]:
    """The fences of a page, in order, without the indentation they have inside a list."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        body = re.sub(f"^{found['indent']}", "", found["body"], flags=re.MULTILINE)
        yield Fence(page, text.count("\n", 0, found.start()) + 1, language, tuple(words), body)


def pages_that_run() -> list[Any]:
    pages = []
    for page in PAGES:
        found = [fence for fence in fences(page) if fence.is_run and fence.language in RUN | {"yaml"}]
        slow = [pytest.mark.slow, pytest.mark.timeout(2 * SHELL_SECONDS)]
        if found:
            marks = slow if any("slow" in fence.words for fence in found) else []
            pages.append(pytest.param(page, marks=marks, id=str(page.relative_to(ROOT))))
    return pages


def commands(body: str) -> str:
    """What a console session types: the lines behind `$ `, with their continuations."""
    typed, continues = [], False
    for line in body.splitlines():
        if continues or line.startswith("$ "):
            typed.append(line if continues else line.removeprefix("$ "))
            continues = line.endswith("\\")
    return "\n".join(typed)


def run_python(fence: Fence, namespace: dict[str, Any]) -> None:
    if ">>> " in fence.body:
        test = doctest.DocTestParser().get_doctest(fence.body, namespace, fence.place, str(fence.page), fence.line)
        told: list[str] = []
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(
            test, out=told.append, clear_globs=False
        )
        namespace |= test.globs
        assert not told, "".join(told)
        return
    exec(compile("\n" * fence.line + fence.body, str(fence.page), "exec"), namespace)


def run_shell(fence: Fence, folder: Path) -> None:
    script = commands(fence.body) if fence.language == "console" else fence.body
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SHELL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{fence.place}: exit {done.returncode}\n{script}\n{done.stdout}{done.stderr}"


def load_document(fence: Fence, folder: Path) -> None:
    """Loads a fence that is a whole experiment; parts of one are for the reader only."""
    document = yaml.safe_load(fence.body)
    if not isinstance(document, dict) or "experiment" not in document:
        return
    rillnet = pytest.importorskip("rillnet")
    if not hasattr(rillnet, "load"):
        pytest.skip("rillnet.load is not there yet")
    path = folder / (fence.file or "experiment.yaml")
    path.write_text(fence.body, encoding="utf-8")
    rillnet.load(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page is followed: the examples are at hand, and `rillnet` is this tree's, whatever is installed."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "rillnet"
    code = "import sys; from rillnet.serving.cli import main; sys.exit(main())"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    script.chmod(0o755)
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", pages_that_run())
def test_page_runs(page: Path, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for fence in fences(page):
        if not fence.is_run:
            continue
        if fence.file:
            (folder / fence.file).write_text(fence.body, encoding="utf-8")
        elif fence.language == "python":
            run_python(fence, namespace)
        elif fence.language in RUN:
            run_shell(fence, folder)
        if fence.language == "yaml":
            load_document(fence, folder)


def test_few_fences_are_left_out() -> None:
    left_out = [fence.place for page in PAGES for fence in fences(page) if not fence.is_run]

    assert len(left_out) <= MOST_LEFT_OUT, "marked no-run: " + ", ".join(left_out)


def test_links_lead_to_files() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {found['path']}"
        for page in PAGES
        for found in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))
        if found["path"] and not (page.parent / found["path"]).exists()
    ]

    assert not broken, "links to nothing:\n  " + "\n  ".join(broken)


def test_targets_named_exist_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    shown = {
        f"{fence.place}: make {target}"
        for page in PAGES
        for fence in fences(page)
        if fence.language in RUN
        for target in TARGET.findall(commands(fence.body) if fence.language == "console" else fence.body)
        if target not in targets
    }

    assert not shown, "targets that the Makefile does not have:\n  " + "\n  ".join(sorted(shown))


def test_console_sessions_are_read_as_typed() -> None:
    body = "$ one \\\n    --two\noutput\n$ three\nmore output\n"

    assert commands(body) == "one \\\n    --two\nthree"
