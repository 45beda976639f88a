"""Rules at work: what they read, the window that they share, and in which order they gather, try and learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.errors import RequestError
from rillnet.model.flat import FlatSource
from rillnet.runtime.acting import Acting, reads_of, tell_interventions, window_of
from rillnet.runtime.executor import Context
from rillnet.types import LearningContext


class Plain:
    """A rule that notes what it is asked to do."""

    reads = ("loss",)

    def __init__(self, name: str, done: list[str]) -> None:
        self.name, self.done = name, done

    def learn(self, outputs: Mapping[str, Any], context: LearningContext) -> dict[str, Tensor]:
        self.done.append(f"{self.name} learns")
        return {self.name: torch.tensor(1.0)}

    def rates(self) -> dict[str, float]:
        return {}

    def state_tensors(self) -> dict[str, Tensor]:
        return {}

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        pass


class Gathering(Plain):
    """One that looks at a frame before any rule changes parameters."""

    def gather(self, outputs: Mapping[str, Any], context: LearningContext, keep_graph: bool) -> None:
        self.done.append(f"{self.name} gathers, {'keeps' if keep_graph else 'frees'} the graph")

    def drop(self) -> None:
        self.done.append(f"{self.name} drops")


class Trying(Plain):
    """One that computes the frame again."""

    uses_graph = False

    def attempt(self, again: Callable[[], Mapping[str, Any]], context: LearningContext) -> None:
        self.done.append(f"{self.name} tries {again()['loss']}")


class Windowed(Plain):
    """One that looks back over some frames."""

    def __init__(self, window: int, every: int) -> None:
        super().__init__("windowed", [])
        self.window, self.every = window, every


def test_all_look_at_a_frame_before_one_of_them_changes_parameters() -> None:
    done: list[str] = []
    rules = {name: kind(name, done) for name, kind in (("a", Gathering), ("b", Trying), ("c", Gathering))}

    scalars = Acting(rules).learn({}, Context(), lambda: {"loss": 3})

    assert done == [
        "a gathers, keeps the graph",
        "c gathers, frees the graph",
        "b tries 3",
        "a learns",
        "b learns",
        "c learns",
    ]
    assert list(scalars) == ["a", "b", "c"]


def test_a_rule_that_acts_alone_gathers_when_it_learns() -> None:
    done: list[str] = []
    rules = {"a": Gathering("a", done), "b": Trying("b", done)}

    acting = Acting(rules, resting=["b"])
    acting.learn({}, Context(), dict)
    acting.drop()

    assert done == ["a learns", "a drops"]
    assert acting.needs_graph
    assert not Acting(rules, resting=["a"]).needs_graph


def test_parts_and_earlier_frames_are_told_from_whole_blocks() -> None:
    rule = Plain("a", [])
    rule.reads = ("loss", "lstm[1][0]", "h@-2", "loss")  # type: ignore[assignment]

    read, parts = reads_of([rule])

    assert read == ["loss"]
    assert parts == {"lstm[1][0]": FlatSource("lstm", (1, 0), 0), "h@-2": FlatSource("h", (), 2)}


def test_rules_share_one_window() -> None:
    assert window_of({"a": Plain("a", []), "b": Windowed(1, 1)}) is None
    found = window_of({"a": Windowed(4, 2)})
    assert found is not None
    assert (found.frames, found.every) == (4, 2)
    message = "learning: rules must have one window and one every, as they share its frames"
    for rules in ({"a": Windowed(4, 2), "b": Windowed(3, 2)}, {"a": Windowed(4, 2), "b": Plain("b", [])}):
        with pytest.raises(RequestError) as error:
            window_of(rules)
        assert str(error.value) == message


def test_rules_are_told_at_which_ports_blocks_see_zeros() -> None:
    told = []
    rule = Plain("a", [])
    rule.cut = told.append  # type: ignore[attr-defined]

    tell_interventions({"a": rule}, {"sum": SimpleNamespace(silent=(0, 2)), "act": SimpleNamespace(silent=())})

    assert told == [{("sum", 0), ("sum", 2)}]


def test_a_rule_that_computes_a_block_itself_is_said_to_learn_as_before(caplog: pytest.LogCaptureFixture) -> None:
    rule = Plain("a", [])
    rule.computes = ("act",)  # type: ignore[attr-defined]

    tell_interventions({"main": rule}, {"act": SimpleNamespace(silent=())})

    rule_told = "learning/main: computes net/act by itself, and learns as if nothing was done to it"
    assert caplog.messages == [rule_told]
