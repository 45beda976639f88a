from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from rillnet.serving.rest import records


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"])
def test_text_that_no_file_and_no_document_may_hold_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"character U\+[0-9A-F]{4} cannot stand here"):
        TypeAdapter(records.Text).validate_python(text)


def test_other_text_is_taken_as_it_is() -> None:
    assert TypeAdapter(records.Text).validate_python("ü\t\n\U0001f600") == "ü\t\n\U0001f600"


@pytest.mark.parametrize("kind", [records.Start, records.Validated, records.Asked])
def test_unknown_keys_are_faults(kind: type[records.Body]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.model_validate({"document": "x", "unknown": 1})


def test_a_document_is_text_or_values() -> None:
    assert records.Validated.model_validate({"document": "a: 1"}).document == "a: 1"
    assert records.Validated.model_validate({"document": {"a": 1}}).document == {"a": 1}
    with pytest.raises(ValidationError):
        records.Validated.model_validate({"document": "x" * (records.LONGEST_DOCUMENT + 1)})
