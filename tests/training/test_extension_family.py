"""The extensions that documents may name."""

from __future__ import annotations

import inspect

import pytest

from rillnet.spec import TypedSpec
from rillnet.training.extension_family import EXTENSIONS
from rillnet.training.extensions import Extension


@pytest.mark.parametrize("name", list(EXTENSIONS))
def test_every_member_is_an_extension_that_a_word_makes(name: str) -> None:
    member = EXTENSIONS.find(name)

    assert inspect.isclass(member)
    assert issubclass(member, Extension)
    assert EXTENSIONS.check(TypedSpec(type=name), "run.extensions.0") == []
    assert EXTENSIONS.build(TypedSpec(type=name)).name
