"""The rules of the house that a linter does not know: layers, sizes, names, docstrings, tests, dependencies.

Every test collects all offenders and names them by file and line, so that one run shows what is to be mended.
"""

from __future__ import annotations

import ast
import graphlib
import importlib.metadata
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "rillnet"
TESTS = ROOT / "tests"

FORBIDDEN_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b")
IMPORT_NAMES = {"PyYAML": "yaml", "pillow": "PIL", "scikit-learn": "sklearn"}
"""How a distribution is imported where that is not its own name."""

FOR_TESTS = {"dev", "browser"}
"""Extras that only tests and development need."""

SHOP_WINDOW = SOURCE / "__init__.py"
"""The one file that loads our own modules when they are asked for."""

DESCRIBED_BY_THEIR_CLASS = {"forward", "extra_repr"}
"""Methods that `torch.nn.Module` asks of a block, and that the docstring of the block's class describes."""

NEED_NO_TEST_FILE: dict[str, str] = {}
"""Source files without a test file of their name, each with the reason; an `__init__.py` needs none."""


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def source_files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if node is not None and hasattr(node, "lineno") else ""
    return f"{path.relative_to(ROOT)}{line}"


def report(rule: str, offenders: list[str]) -> None:
    if offenders:
        pytest.fail(f"{rule}:\n  " + "\n  ".join(sorted(offenders)), pytrace=False)


def imports_of(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import below a node with the full name of the module it names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def declared() -> tuple[set[str], dict[str, set[str]]]:
    """What pyproject.toml says may be imported: always, and with which extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        found = [re.match(r"[A-Za-z0-9_.-]+", text) for text in requirements]
        return {IMPORT_NAMES.get(name[0], name[0].replace("-", "_")) for name in found if name}

    extras = {extra: names(requirements) for extra, requirements in project["optional-dependencies"].items()}
    return names(project["dependencies"]), extras


# Imports


def test_imports_keep_the_contracts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "src"))

    status = lint_imports(no_cache=True, no_logo=True)

    if status:
        pytest.fail(capsys.readouterr().out, pytrace=False)


def test_modules_import_each_other_without_cycles() -> None:
    graph = grimp.build_graph("rillnet", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    cycle: list[str] = []
    try:
        graphlib.TopologicalSorter(imported).prepare()
    except graphlib.CycleError as error:
        cycle = [" <- ".join(error.args[1])]
    report("modules import each other in a cycle", cycle)


def test_own_modules_are_imported_at_the_top_of_a_file() -> None:
    offenders = [
        f"{place(path, node)} imports {name} inside {function.name}()"
        for path in source_files()
        if path != SHOP_WINDOW
        for function in functions_of(parse(path))
        for node, name in imports_of(function)
        if name.partition(".")[0] in ("rillnet", "")
    ]
    report("only src/rillnet/__init__.py imports our own modules late", offenders)


def test_every_library_imported_is_declared() -> None:
    core, extras = declared()
    known = core | set(sys.stdlib_module_names) | {"rillnet", ""}
    optional = set().union(*(names for extra, names in extras.items() if extra not in FOR_TESTS))
    offenders = []
    for path in source_files():
        inside_functions = {id(node) for function in functions_of(parse(path)) for node, _ in imports_of(function)}
        for node, name in imports_of(parse(path)):
            library = name.partition(".")[0]
            if library in known or (library in optional and id(node) in inside_functions):
                continue
            remedy = "an extra: import it in the function that needs it" if library in optional else "not declared"
            offenders.append(f"{place(path, node)} imports {library}, which is {remedy}")
    report("core libraries are imported anywhere, extras inside functions, others nowhere", offenders)


def test_every_library_declared_is_imported() -> None:
    core, extras = declared()
    declared_for_source = core.union(*(names for extra, names in extras.items() if extra not in FOR_TESTS))
    imported = {name.partition(".")[0] for path in source_files() for _, name in imports_of(parse(path))}
    report("pyproject.toml declares what nothing imports", sorted(declared_for_source - imported))


def test_a_missing_library_is_told_with_the_extra_that_installs_it() -> None:
    _, extras = declared()
    offenders = []
    for path in source_files():
        for call in (node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)):
            if ast.unparse(call.func).rpartition(".")[2] != "MissingExtraError":
                continue
            library, extra = (ast.literal_eval(argument) for argument in call.args[:2])
            if IMPORT_NAMES.get(library, library) not in extras.get(extra, ()):
                offenders.append(f"{place(path, call)}: the extra {extra!r} does not install {library}")
    report("MissingExtraError(library, extra, purpose) names what pyproject.toml declares", offenders)


def test_libraries_of_the_tests_are_declared() -> None:
    core, extras = declared()
    known = core.union(*extras.values()) | set(sys.stdlib_module_names) | {"rillnet", "tests", "grimp", "importlinter"}
    offenders = [
        f"{place(path, node)} imports {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for node, name in imports_of(parse(path))
        if name.partition(".")[0] not in known
    ]
    report("tests import only what the extra `dev` and the others install", offenders)


# Sizes


def test_files_are_small() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()}
    report("a file has at most 800 lines", [f"{place(path)} has {n}" for path, n in sizes.items() if n > 800])
    if ninth_decile(list(sizes.values())) >= 550:
        largest = sorted(sizes, key=sizes.__getitem__)[-max(1, len(sizes) // 10) :]
        report("nine files of ten have under 550 lines", [f"{place(path)} has {sizes[path]}" for path in largest])


def test_functions_are_small() -> None:
    sizes = {
        f"{place(path, function)} {function.name}()": lines_of(function)
        for path in source_files()
        for function in functions_of(parse(path))
    }
    report("a function has at most 80 lines", [f"{name} has {n}" for name, n in sizes.items() if n > 80])
    if ninth_decile(list(sizes.values())) >= 40:
        largest = sorted(sizes, key=sizes.__getitem__)[-max(1, len(sizes) // 10) :]
        report("nine functions of ten have under 40 lines", [f"{name} has {sizes[name]}" for name in largest])


def ninth_decile(sizes: list[int]) -> float:
    return statistics.quantiles(sizes, n=10)[-1]


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last, without the docstring's."""
    size = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return size
    docstring = function.body[0]
    return size - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


# Names, docstrings, tests


def test_names_say_what_is_inside() -> None:
    paths = [*SOURCE.rglob("*"), *TESTS.rglob("*")]
    offenders = [place(path) for path in paths if FORBIDDEN_NAMES & set(path.stem.casefold().split("_"))]
    report("these words say nothing about a file: " + ", ".join(sorted(FORBIDDEN_NAMES)), offenders)


def test_folders_of_source_are_packages() -> None:
    folders = {path.parent for path in source_files()}
    report("a folder of source holds an __init__.py", [place(f) for f in folders if not (f / "__init__.py").is_file()])


def test_public_names_have_docstrings() -> None:
    offenders = [
        f"{place(path, node)} {name}"
        for path in source_files()
        for name, node in public_definitions(parse(path))
        if ast.get_docstring(node) is None
    ]
    report("every module and every public class, function and method has a docstring", offenders)


def public_definitions(
    tree: ast.Module | ast.ClassDef, prefix: str = ""
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The module, its public classes and functions, and the public methods of those classes.

    Exempt is what overrides, overloads or sets something that is documented where it is first defined.
    """
    if isinstance(tree, ast.Module):
        yield "the module", tree
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
        exempt = decorators & {"override", "overload", "setter"} or (prefix and node.name in DESCRIBED_BY_THEIR_CLASS)
        if node.name.startswith("_") or exempt:
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node, f"{prefix}{node.name}.")


def test_every_source_file_has_a_test_file_of_its_name() -> None:
    offenders = []
    for path in source_files():
        inside = path.relative_to(SOURCE)
        expected = TESTS / inside.parent / f"test_{inside.stem.strip('_')}.py"
        if path.name != "__init__.py" and str(inside) not in NEED_NO_TEST_FILE and not expected.is_file():
            offenders.append(f"{place(path)} has no {place(expected)}")
    report("tests mirror the source", offenders)


def test_nothing_is_left_for_later() -> None:
    offenders = [
        f"{place(path)}:{number}: {line.strip()}"
        for path in source_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MARKS.search(line) or "NotImplementedError" in line
    ]
    report("what is not done is not in the source", offenders)


# The environment


def test_installed_versions_are_the_constrained_ones() -> None:
    """An environment that `make` made holds the constraints it was made with; others are their owner's business."""
    in_force = Path(sys.prefix) / "constraints.txt"
    if not in_force.is_file():
        pytest.skip(f"{sys.prefix} was not made by make: no constraints are in force")
    pins = re.findall(r"^([\w.-]+)==(\S+)", in_force.read_text(encoding="utf-8"), re.MULTILINE)
    installed = {name: importlib.metadata.version(name) for name, _ in pins}

    offenders = [
        f"{name} is {installed[name]}, not {pin}" for name, pin in pins if installed[name].partition("+")[0] != pin
    ]

    assert pins
    report("installing the rest has changed what constraints.txt fixes", offenders)
