"""Imports: globals, modules and tags of other documents, among one's own or behind a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends import imports
from rillnet.model.frontends.yaml import read

Write = Callable[[str, str], Path]

LIB = """\
globals: {units: 4, wide: = 2 * units}
tags: {soft: {act: tanh}}
modules:
  cell:
    parameters: {n: = wide}
    inputs: [x]
    blocks: {l: {type: Linear, out_features: = n}, p: {type: Pool, tags: soft}}
  pair: {inputs: [x], blocks: {a: cell, b: {type: cell, n: 1}}}
"""
NET = "net: {inputs: {x: [3]}, blocks: {a: {type: %s, from: x}}}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file of the working directory, which is empty at first."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def message_of(path: Path | str) -> str:
    with pytest.raises(RequestError) as raised:
        read(path).experiment()
    return str(raised.value)


def first(path: Path, *overrides: str) -> Any:
    """The first block of the net."""
    return next(iter(read(path, overrides).values["net"]["blocks"].values()))


def widths(block: Any) -> list[int]:
    """The widths of the linear blocks in a block, in order."""
    inner = block.get("blocks", {})
    own = [block["out_features"]] if "out_features" in block else []
    return own + [width for one in inner.values() for width in widths(one)]


def test_names_stand_among_ones_own(write: Write) -> None:
    write("lib.yaml", LIB)

    block = first(write("x.yaml", "imports: [lib.yaml]\n" + NET % "cell"))

    pool = {"type": "Pool", "act": "tanh", "tags": ["soft"]}
    assert block["blocks"] == {"l": {"type": "Linear", "out_features": 8}, "p": pool}


def test_one_word_imports_too(write: Write) -> None:
    write("lib.yaml", LIB)

    assert widths(first(write("x.yaml", "imports: lib.yaml\n" + NET % "cell"))) == [8]


def test_ones_own_names_win_also_for_what_others_build_from_them(write: Write) -> None:
    write("lib.yaml", LIB)
    own = "imports: [lib.yaml]\nglobals: {units: 10}\ntags: {soft: {act: relu}}\n"

    assert widths(first(write("x.yaml", own + NET % "pair"))) == [20, 1]
    assert first(Path("x.yaml"))["blocks"]["a"]["blocks"]["p"] == {"type": "Pool", "act": "relu", "tags": ["soft"]}
    assert widths(first(Path("x.yaml"), "globals.units=6")) == [12, 1]


def test_names_behind_a_name_stay_apart(write: Write) -> None:
    write("lib.yaml", LIB)
    own = "imports: [{document: lib.yaml, as: lib}]\nglobals: {units: 10, n: = lib.wide + units}\n"

    assert widths(first(write("x.yaml", own + NET % "lib.pair"))) == [8, 1]
    assert widths(first(write("y.yaml", own + NET.replace("from: x", "from: x, n: = n") % "lib.cell"))) == [18]
    assert widths(first(Path("x.yaml"), "globals.lib.units=5")) == [10, 1]
    tagged = write("z.yaml", own + "net: {blocks: {a: {type: Pool, tags: lib.soft}}}")
    assert first(tagged) == {"type": "Pool", "act": "tanh", "tags": ["lib.soft"]}


def test_an_import_may_be_set_where_it_is_named(write: Write) -> None:
    write("lib.yaml", LIB)
    own = "imports: [{document: lib.yaml, as: a}, {document: lib.yaml, as: b}]\n"
    own += "globals: {n: 3, a: {units: = n}, b: {wide: 7}}\n"
    own += "net: {inputs: {x: [3]}, blocks: {p: {type: a.cell, from: x}, q: {type: b.cell, from: x}}}"

    blocks = read(write("x.yaml", own)).values["net"]["blocks"]

    assert (widths(blocks["p"]), widths(blocks["q"])) == ([6], [7])


def test_only_some_names_are_taken_and_the_rest_stays_apart(write: Write) -> None:
    write("lib.yaml", LIB)
    own = "imports: [{document: lib.yaml, only: [pair]}]\nglobals: {units: 10}\n"

    assert widths(first(write("x.yaml", own + NET % "pair"))) == [8, 1]
    assert widths(first(write("y.yaml", own.replace("[pair]", "[pair, units]") + NET % "pair"))) == [20, 1]
    unknown = write("z.yaml", own.replace("units: 10", "n: = wide") + NET % "pair")
    assert message_of(unknown) == "globals.n: unknown name 'wide' in \"wide\"; known: n  [z.yaml:2]"


def test_imports_of_imports_are_taken_too_and_files_are_found_from_where_they_are_named(write: Write) -> None:
    write("parts/deep/base.yaml", "globals: {units: 5}\n")
    write("parts/mid.yaml", "imports: deep/base.yaml\nglobals: {wide: = units * 2}\n")
    own = write("x.yaml", "imports: parts/mid.yaml\nnet: {blocks: {a: {type: Linear, out_features: = wide + units}}}")

    assert widths(first(own)) == [15]
    assert [str(file) for file in read(own).files] == ["x.yaml", "parts/mid.yaml", "parts/deep/base.yaml"]


def test_a_document_imports_what_its_base_imports(write: Write) -> None:
    write("lib.yaml", LIB)
    write("base/more.yaml", "globals: {units: 3}\n")
    write("base/base.yaml", "imports: more.yaml\n" + NET % "cell")

    own = write("x.yaml", "extends: base/base.yaml\nimports: [{document: lib.yaml, only: [cell, wide]}]\n")

    assert widths(first(own)) == [8]


def test_a_net_of_a_file_brings_what_it_is_built_from(write: Write) -> None:
    write("nets/lib.yaml", LIB)
    write("nets/own.yaml", "imports: lib.yaml\nglobals: {units: 2}\n" + NET % "cell")

    assert widths(first(write("x.yaml", "net: nets/own.yaml\n"))) == [4]
    assert widths(first(write("y.yaml", "net: nets/own.yaml\nglobals: {units: 9}\n"))) == [18]
    assert widths(first(Path("x.yaml"), "globals.units=1")) == [2]


def test_two_ways_to_one_definition_are_no_clash(write: Write) -> None:
    write("base.yaml", "globals: {units: 3}\n")
    write("a.yaml", "imports: base.yaml\nglobals: {m: = units}\n")
    write("b.yaml", "imports: base.yaml\nglobals: {n: = units}\n")
    own = "imports: [a.yaml, b.yaml]\nnet: {blocks: {a: {type: Linear, out_features: = m + n + units}}}"

    assert widths(first(write("x.yaml", own))) == [9]


def test_modules_that_are_only_imported_need_no_instance(write: Write) -> None:
    write("lib.yaml", LIB)

    assert read(write("x.yaml", "imports: lib.yaml\nnet: {inputs: {x: [3]}, blocks: {a: ReLU}}")).notes == []


def test_an_imported_document_may_be_a_whole_experiment(write: Write) -> None:
    write("lib.yaml", LIB + "experiment: other\nnet: {inputs: {y: [2]}, blocks: {b: ReLU}}\nrun: {epochs: 7}\n")

    document = read(write("x.yaml", "imports: lib.yaml\n" + NET % "cell"))

    assert list(document.values) == ["net"]
    assert list(document.values["net"]["blocks"]) == ["a"]


def test_a_fault_in_an_import_is_told_with_its_own_place(write: Write) -> None:
    write("lib.yaml", LIB.replace("2 * units", "2 * unit"))

    assert message_of(write("x.yaml", "imports: lib.yaml\n" + NET % "cell")) == (
        "globals.wide: unknown name 'unit' in \"2 * unit\"; did you mean 'units'?  [lib.yaml:1]"
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("imports: lb.yaml", "imports.0: there is no file 'lb.yaml'; did you mean 'lib.yaml'?  [x.yaml:1]"),
        (
            "imports: 3",
            "imports.0: must be the name of a file, or a mapping with document, only and as (got 3)  [x.yaml:1]",
        ),
        (
            "imports: [{document: lib.yaml, onyl: cell}]",
            "imports.0.onyl: unknown key; did you mean 'only'?  [x.yaml:1]",
        ),
        ("imports: [{only: cell}]", "imports.0.document: is required  [x.yaml:1]"),
        (
            "imports: [{document: lib.yaml, as: a-b}]",
            "imports.0.as: must be letters, digits and _ only (got 'a-b')  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, {document: lib.yaml, only: [cel]}]",
            "imports.1.only: lib.yaml has no global, module or tag of this name (got 'cel'); "
            "did you mean 'cell'?  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, other.yaml]",
            "imports.1: another import brings 'units', 'soft' too (got 'other.yaml'); "
            "choose with `only: [...]`, set names apart with `as: ...`, or define them here  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, empty.yaml]",
            "imports.1: defines no globals, modules or tags (got 'empty.yaml')  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, {document: lib.yaml, as: a}, {document: other.yaml, as: a}]",
            "imports.2.as: another import has this name (got 'a')  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, {document: lib.yaml, as: a}]\nglobals: {a: {unit: 3}}",
            "globals.a.unit: there is no such global to set; did you mean 'units'?  [x.yaml:2]",
        ),
        (
            "imports: [lib.yaml, {document: lib.yaml, as: a}]\nglobals: {a: 3}",
            "globals.a: is the name of an import: its globals are set by name, as in {features: 32} (got 3)  "
            "[x.yaml:2]",
        ),
        (
            "imports: [lib.yaml, {document: lib.yaml, as: a}]\nglobals: {n: = a.unit}",
            "globals.n: unknown name 'a.unit' in \"a.unit\"; did you mean 'a.units'?  [x.yaml:2]",
        ),
        (
            "imports: [lib.yaml, /etc/passwd]",
            "imports.1: is outside: what is imported lies in or below the document's folder, or the working directory "
            "(got '/etc/passwd')  [x.yaml:1]",
        ),
        (
            "imports: [lib.yaml, ../secret.yaml]",
            "imports.1: is outside: what is imported lies in or below the document's folder, or the working directory "
            "(got '../secret.yaml')  [x.yaml:1]",
        ),
    ],
)
def test_faults(write: Write, section: str, message: str) -> None:
    write("lib.yaml", LIB)
    write("other.yaml", "globals: {units: 7}\ntags: {soft: {act: relu}}\n")
    write("empty.yaml", "run: {epochs: 3}\n")

    assert message_of(write("x.yaml", section + "\n" + NET % "cell")) == message


def test_an_unknown_module_of_an_import(write: Write) -> None:
    write("lib.yaml", LIB)
    own = write("x.yaml", "imports: [{document: lib.yaml, as: lib}]\n" + NET % "lib.cel")

    assert message_of(own) == (
        "net/a.type: the import has no module of this name (got 'lib.cel'); did you mean 'lib.cell'?  [x.yaml:2]"
    )


def test_a_link_does_not_lead_outside(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text(LIB)
    Path("link.yaml").symlink_to(outside)

    assert "imports.0: is outside" in message_of(write("x.yaml", "imports: link.yaml\n" + NET % "cell"))


def test_a_circle_is_named(write: Write) -> None:
    write("a.yaml", "imports: b.yaml\nglobals: {n: 1}\n" + NET % "ReLU")
    write("b.yaml", "imports: a.yaml\nglobals: {m: 1}\n")

    assert message_of("a.yaml") == "imports.0: the document builds on itself: a.yaml -> b.yaml -> a.yaml  [b.yaml:1]"


def test_imports_cannot_multiply_without_bound(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MOST_IMPORTS", 30)
    for level in range(8):
        twice = ", ".join(f"{{document: {level + 1}.yaml, as: {name}}}" for name in "ab")
        write(f"{level}.yaml", f"imports: [{twice}]\nglobals: {{n: 1}}\n" + NET % "ReLU")
    write("8.yaml", "globals: {n: 1}\n")

    assert message_of("0.yaml").startswith("imports: more than 30 imports")


def test_what_depends_on_a_missing_import_has_no_fault_of_its_own(write: Write) -> None:
    own = "imports: gone.yaml\nglobals: {n: = units, m: = 1 / 0}\n"
    own += "net: {inputs: {x: [3]}, blocks: {a: {type: cell, tags: b}}}"

    assert message_of(write("x.yaml", own)).splitlines() == [
        "imports.0: there is no file 'gone.yaml'  [x.yaml:1]",
        'globals.m: divides by zero in "1 / 0"  [x.yaml:2]',
    ]


def test_imports_cannot_be_given_as_an_option(write: Write) -> None:
    with pytest.raises(RequestError) as raised:
        read(write("x.yaml", NET % "ReLU"), ["imports=lib.yaml"])

    assert str(raised.value) == "imports: can be given in a document only  [--set imports=lib.yaml]"
