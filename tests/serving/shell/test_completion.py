from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rillnet.errors import RunError
from rillnet.serving.shell.completion import MOST, Completion, Names, children
from rillnet.serving.shell.interpreter import OWN
from tests.serving.shell.standing_in import StandIn

KNOWN = {
    "clock/frame": 3,
    "clock/step": 3,
    "learning/main/rate": 0.01,
    "net/hidden1/bias": [4],
    "net/hidden1/weight": [4, 2],
    "net/hidden2/weight": [4, 4],
}


@pytest.fixture
def session() -> StandIn:
    return StandIn(KNOWN)


@pytest.fixture
def completion(session: StandIn) -> Completion:
    return Completion(Names(session), OWN)


def texts(completion: Completion, before: str) -> list[str]:
    return [one.text for one in completion.candidates(before)]


def test_the_first_word_is_a_command_with_its_summary(completion: Completion) -> None:
    assert texts(completion, "st") == ["state", "step", "stop", "stream"]
    assert [one.note for one in completion.candidates("paus")] == ["hold the run between two frames"]


def test_behind_a_semicolon_a_command_begins(completion: Completion) -> None:
    assert texts(completion, "pause; spe") == ["speed"]


def test_addresses_are_completed_part_by_part(completion: Completion) -> None:
    assert texts(completion, "get ") == ["clock/", "learning/", "net/"]
    assert texts(completion, "get net/h") == ["net/hidden1/", "net/hidden2/"]
    assert texts(completion, "get net/hidden1/") == ["net/hidden1/bias", "net/hidden1/weight"]
    assert texts(completion, "stream clock/frame clock/s") == ["clock/step"]


def test_tags_are_completed_where_they_mean_blocks(completion: Completion) -> None:
    assert texts(completion, "hold tag:") == texts(completion, "lesion t") == ["tag:deep"]
    assert texts(completion, "get tag:") == []


def test_rules_and_choices_are_completed(completion: Completion) -> None:
    assert texts(completion, "rate m") == ["main"]
    assert texts(completion, "learning o") == ["on", "off"]
    assert texts(completion, "evaluate ") == ["val", "test"]
    assert texts(completion, "help spe") == ["speed"]


def test_the_value_that_stands_there_is_offered(completion: Completion) -> None:
    assert texts(completion, "set learning/main/rate ") == ["0.01"]
    assert texts(completion, "set net/hidden1/bias ") == []


def test_arguments_are_completed_by_name(completion: Completion) -> None:
    assert texts(completion, "stream clock/frame re") == ["reduction="]
    assert texts(completion, "stream clock/frame reduction=p") == ["reduction=percentiles"]
    assert texts(completion, "set address=net/hidden2/") == ["address=net/hidden2/weight"]


def test_what_is_unknown_has_no_candidates(completion: Completion) -> None:
    assert texts(completion, "zebra ") == texts(completion, "zeb") == texts(completion, "pause x") == []


def test_names_are_asked_for_once_until_the_net_changes(session: StandIn, completion: Completion) -> None:
    for _ in range(3):
        texts(completion, "get net/h")
    assert session.asked.count("names") == 1

    session.known = {"net/other/weight": [1]}
    session.revision += 1
    assert texts(completion, "get net/") == ["net/other/"]
    assert session.asked.count("names") == 2
    assert session.asked.count("commands") == 1


def test_nothing_is_asked_for_before_it_is_needed(session: StandIn, completion: Completion) -> None:
    texts(completion, "pau")

    assert session.asked == ["commands"]


def test_where_nobody_answers_nothing_is_proposed(session: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise RunError("its process has ended")

    monkeypatch.setattr(session, "status", gone)

    assert Completion(Names(session), OWN).candidates("get ") == []


def test_of_many_addresses_the_first_are_shown() -> None:
    session = StandIn({f"net/block{number:05}/{name}": [1] for number in range(10_000) for name in ("bias", "weight")})
    completion = Completion(Names(session), OWN)

    assert len(texts(completion, "get net/")) == MOST
    assert texts(completion, "get net/block09999/w") == ["net/block09999/weight"]


@given(st.lists(st.text("ab/", min_size=1, max_size=6), unique=True), st.text("ab/", max_size=3))
def test_children_are_the_beginnings_of_what_begins_so(addresses: list[str], typed: str) -> None:
    known = sorted(addresses)

    found = list(children(known, typed))

    def cut(address: str) -> str:
        end = address.find("/", len(typed))
        return address if end < 0 else address[: end + 1]

    assert found == sorted({cut(address) for address in known if address.startswith(typed)})
