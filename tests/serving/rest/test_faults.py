from __future__ import annotations

import json

import pytest
import torch

from rillnet.errors import (
    AddressError,
    CommandFailedError,
    Fault,
    Location,
    MissingExtraError,
    RequestError,
    RillnetError,
    RunError,
)
from rillnet.serving.rest.faults import Refused, encoded, record_of, refusal_of, shown, status_of
from rillnet.serving.rest.records import Health


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("wrong"), 422),
        (AddressError("nowhere"), 404),
        (Refused(429, "too many"), 429),
        (RunError("the disk is full"), 409),
        (CommandFailedError("get x: KeyError: 'x'"), 500),
        (MissingExtraError("fastapi", "serve", "serving"), 409),
    ],
)
def test_errors_are_answered_by_what_they_mean(error: RillnetError, status: int) -> None:
    assert status_of(error) == status


def test_a_fault_is_told_whole() -> None:
    fault = Fault("net/conv1.kernel_size", "must be at least 1", 0, Location("lenet.yaml", 14, 3), "1 is usual")

    assert record_of(fault).model_dump() == {
        "address": "net/conv1.kernel_size",
        "rule": "must be at least 1",
        "value": 0,
        "file": "lenet.yaml",
        "line": 14,
        "column": 3,
        "hint": "1 is usual",
        "text": "net/conv1.kernel_size: must be at least 1 (got 0); 1 is usual  [lenet.yaml:14]",
    }


def test_a_fault_without_a_place_or_a_value_has_none() -> None:
    found = record_of(Fault("", "nothing was removed"))

    assert (found.value, found.file, found.line, found.column, found.hint) == (None, None, None, None, None)


def test_an_error_that_holds_no_faults_is_one() -> None:
    assert [fault.rule for fault in refusal_of(RunError("the disk is full")).faults] == ["the disk is full"]


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep]

    assert shown({1: (float("nan"), {2})}) == {"1": ["NaN", "{2}"]}
    assert shown(torch.tensor([1.0, float("inf")])) == [1.0, "Infinity"]
    assert shown(torch.zeros(1_000_001, device="meta")) == "1,000,001 numbers, of which a reduction is told"
    assert json.dumps(shown(deep)).startswith("[[[[")


def test_any_text_and_number_can_be_encoded() -> None:
    assert encoded(Health(status="ok", version="1")) == b'{"status":"ok","version":"1"}'
    assert (
        encoded({"text": "ü\ud800", "rates": [float("inf"), 0.1]})
        == b'{"text":"\\u00fc\\ud800","rates":["Infinity",0.1]}'
    )
