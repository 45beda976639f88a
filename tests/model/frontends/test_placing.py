"""Imports with their files as they are found from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rillnet.errors import Fault
from rillnet.model.frontends.parsing import parse
from rillnet.model.frontends.placing import built_on, placed, with_definitions
from rillnet.model.frontends.tree import Node


def tree(text: str) -> Node:
    return parse(text, "x.yaml")[0]


def imports_of(text: str) -> tuple[Any, list[str]]:
    faults: list[Fault] = []
    found = placed(tree(text), Path("folder"), faults.append).plain()["imports"]
    return found, list(map(str, faults))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imports: a.yaml", [{"document": "folder/a.yaml", "folder": "folder"}]),
        (
            "imports: [{document: ../a.yaml, as: lib, only: n}]",
            [{"document": "folder/../a.yaml", "folder": "folder", "only": ["n"], "as": "lib"}],
        ),
        ("imports: []", []),
        ("imports:", None),
    ],
)
def test_files_are_named_from_the_folder(text: str, expected: Any) -> None:
    assert imports_of(text) == (expected, [])


def test_a_wrong_import_is_left_out_and_told() -> None:
    found, faults = imports_of("imports:\n  - a.yaml\n  - {document: 3}\n  - {documnt: b.yaml}\n")

    assert [one["document"] for one in found] == ["folder/a.yaml"]
    assert faults == [
        "imports.1.document: must be text (got 3)  [x.yaml:3]",
        "imports.2.document: is required  [x.yaml:4]",
        "imports.2.documnt: unknown key; did you mean 'document'?  [x.yaml:4]",
    ]


def test_imports_of_a_base_come_first() -> None:
    base, own = tree("imports: [a]\nglobals: {x: 1, y: 1}"), tree("imports: [b]\nglobals: {x: 2}")

    assert built_on(base, own).plain() == {"imports": ["a", "b"], "globals": {"x": 2, "y": 1}}
    assert built_on(base, tree("imports:")).plain() == {"globals": {"x": 1, "y": 1}}


def test_only_sections_that_define_are_taken_with_a_net() -> None:
    base, own = tree("run: {epochs: 3}\ntags: {a: {p: 1}}"), tree("tags: {b: {p: 2}}")

    assert with_definitions(base, own).plain() == {"tags": {"a": {"p": 1}, "b": {"p": 2}}}
    assert with_definitions(tree("run: {}"), own) is own
