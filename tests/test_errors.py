"""Messages and exit codes of everything a user can cause."""

from __future__ import annotations

import pickle

import pytest

from rillnet import errors
from rillnet.errors import (
    AddressError,
    CheckpointError,
    DataError,
    Fault,
    Interrupted,
    Location,
    MissingExtraError,
    RequestError,
    RillnetError,
    RunError,
    ShapeError,
    known_words,
    near_or_known,
    other_names,
    shorten,
    suggest,
)


def test_a_fault_tells_whether_it_holds_a_value() -> None:
    assert Fault("net/a", "is wrong", None).has_value
    assert not Fault("net/a", "is wrong").has_value


def test_a_location_names_file_and_line() -> None:
    assert str(Location("x.yaml", 3, 7)) == "x.yaml:3"
    assert str(Location("--set run.epochs=1", 0)) == "--set run.epochs=1"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("", "is wrong"), "is wrong"),
        (Fault("net/a", "is wrong"), "net/a: is wrong"),
        (Fault("net/a", "is wrong", None), "net/a: is wrong (got None)"),
        (Fault("net/a", "is wrong", "x", hint="do this"), "net/a: is wrong (got 'x'); do this"),
        (Fault("net/a", "is wrong", location=Location("x.yaml", 3)), "net/a: is wrong  [x.yaml:3]"),
        (
            Fault("net/a.b", "must be at least 1", 0, Location("x.yaml", 3), "take 1"),
            "net/a.b: must be at least 1 (got 0); take 1  [x.yaml:3]",
        ),
    ],
)
def test_a_fault_names_address_rule_value_and_place(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_a_fault_keeps_the_place_it_has() -> None:
    first, second = Location("x.yaml", 1), Location("x.yaml", 2)

    assert Fault("a", "b", 1, hint="c").at(first) == Fault("a", "b", 1, first, "c")
    assert Fault("a", "b").at(first).at(second).location == first
    assert Fault("a", "b").at(None).location is None


def test_an_error_holds_one_fault_several_or_a_message() -> None:
    faults = [Fault("a", "one"), Fault("b", "two")]

    assert str(RequestError(faults)) == "a: one\nb: two"
    assert RequestError(faults).faults == faults
    assert RequestError(faults[0]).faults == faults[:1]
    assert RequestError("three").faults == [Fault("", "three")]
    assert str(RequestError("three")) == "three"


@pytest.mark.parametrize("kind", [RequestError, AddressError])
def test_of_many_faults_the_first_are_told_and_all_are_kept(kind: type[RequestError]) -> None:
    error = kind([Fault(f"net/a{number}", "is wrong") for number in range(1_000)])
    first, *_, last, more = str(error).splitlines()
    assert (first, last, more) == ("net/a0: is wrong", "net/a29: is wrong", "and 970 more faults")
    assert len(error.faults) == 1_000
    assert str(kind(error.faults[:31])).endswith("\nand 1 more fault")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RequestError, 2),
        (ShapeError, 2),
        (AddressError, 2),
        (DataError, 3),
        (CheckpointError, 3),
        (RunError, 4),
        (RillnetError, 4),
        (Interrupted, 130),
    ],
)
def test_exit_codes(kind: type[RillnetError], code: int) -> None:
    assert kind("x").exit_code == code
    assert isinstance(kind("x"), RillnetError)


def test_every_error_of_the_module_has_one_root() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]

    assert all(issubclass(kind, RillnetError) for kind in kinds)


def test_an_unknown_address_is_a_key_error_with_plain_text() -> None:
    error = AddressError(Fault("net/x", "nothing has this address"))

    assert isinstance(error, KeyError)
    assert str(error) == "net/x: nothing has this address"


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    error = MissingExtraError("pillow", "data", "reading images")

    assert isinstance(error, ImportError)
    assert str(error) == "reading images needs pillow, which is not installed: pip install 'rillnet[data]'"


def test_a_request_error_passes_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RequestError("a fault")))

    assert str(error) == "a fault"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("epoch", "did you mean 'epochs'?"),
        ("EPOCHS", "did you mean 'epochs'?"),
        ("sead", "did you mean 'seed'?"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_suggest(word: str, hint: str) -> None:
    assert suggest(word, ["epochs", "steps", "seed"]) == hint


def test_shorten() -> None:
    assert shorten("x") == "'x'"
    assert shorten(list(range(100)), width=20) == "[0, 1, 2, 3, 4,  ..."
    assert len(shorten("x" * 1000)) == 60


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("learning_rate", ["lr", "momentum"], "lr"),
        ("Dense", ["Conv2d", "Linear"], "Linear"),
        ("units", ["out_features", "bias"], "out_features"),
        ("filters", ["out_channels"], "out_channels"),
        ("max_epochs", ["epochs", "steps"], "epochs"),
        ("beta1", ["lr", "betas"], "betas"),
        ("rate", ["p", "inplace"], "p"),
        ("learning_rate", ["learning"], "learning"),
    ],
)
def test_words_of_other_systems_are_understood(word: str, known: list[str], meant: str) -> None:
    assert suggest(word, known) == f"did you mean {meant!r}?"


def test_a_word_of_ours_is_not_taken_for_another() -> None:
    assert suggest("Rate", ["rate", "p"]) == "did you mean 'rate'?"
    assert other_names("zebra") == []


def test_what_is_far_from_all_is_answered_with_all_or_with_what_lists_them() -> None:
    many = [f"name{number}" for number in range(12)]

    assert near_or_known("zebra", ["a", "b"], "rillnet list things") == "known: a, b"
    assert near_or_known("zebra", many) == "known: " + ", ".join(many)
    assert near_or_known("zebra", many, "rillnet list things") == (
        "known: " + ", ".join(many[:10]) + " ... (rillnet list things shows all 12)"
    )
    assert known_words([]) == "known: none"


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (0.10000000149011612, "0.1"), (1.23456789, "1.23456789")])
def test_numbers_are_told_with_the_digits_that_matter(value: float, text: str) -> None:
    assert shorten(value) == text
