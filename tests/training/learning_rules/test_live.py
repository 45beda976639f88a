"""Arguments of rules that are changed while they learn: a rule goes on as one that was made with them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.runtime.session import Session
from tests.training.small_experiments import differing, state_of


def session(rule: dict[str, Any], **run: Any) -> Session:
    """A small net on data that a run finds again."""
    net = rn.Net("small", inputs={"image": (1, 8, 8), "label": rn.Scalar("int64")})
    net.add("flat", rn.Flatten(), source="image").add("hidden", rn.Linear(out_features=4)).add("act", rn.Tanh())
    net.add("back", rn.Linear(out_features=4), source="act@-1").add("both", rn.Concat(), source=["act", "back"])
    net.add("logits", rn.Linear(out_features=10)).add("loss", rn.CrossEntropy(), source=["logits", "label"])
    values = {"steps": 100, "seed": 1, "execution": "eager", **run}
    data = {"source": "Digits", "batch_size": 32}
    return Session(rn.Experiment(net=net, data=data, learning=rule, run=values), record=False, say=lambda text: None)


BACKPROP = {"type": "Backprop", "optimizer": {"type": "SGD", "lr": 0.05}}
HEBBIAN = {"type": "Hebbian", "parameters": "hidden/weight", "lr": 0.001}
RULES = {
    "accumulate": (BACKPROP, 3),
    "period": (BACKPROP, 2),
    "start": (BACKPROP, 3),
    "every": ({**BACKPROP, "window": 4}, 2),
    "clip": (BACKPROP, {"value": 0.001}),
    "averaged": (HEBBIAN, 3),
    "mode": (HEBBIAN, "anti"),
    "tau": ({"type": "BCM", "parameters": "hidden/weight", "lr": 0.001}, 50.0),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_was_changed_goes_on_as_one_that_was_made_so(name: str) -> None:
    rule, value = RULES[name]
    name = "every" if name == "averaged" else name
    with session(rule) as changed, session({**rule, name: value}) as made:
        changed.set(f"learning/main/{name}", value)
        assert changed[f"learning/main/{name}"] == value
        for one in (changed, made):
            one.run(steps=8, progress=False)
        assert differing(state_of(changed), state_of(made)) == []


@pytest.mark.parametrize(("name", "value"), [("accumulate", 2), ("accumulate", 1), ("accumulate", 6)])
def test_of_gradients_that_are_half_gathered_the_mean_counts_on(name: str, value: int) -> None:
    with session({**BACKPROP, "accumulate": 4}) as found:
        found.run(steps=3, progress=False)
        before = found.rules["main"].state_tensors()["net/hidden/weight#gradient"].clone() * 4 / 3
        found.set(f"learning/main/{name}", value)
        rule: Any = found.rules["main"]
        assert rule.pending == min(3, value - 1)
        if rule.pending:
            now = rule.state_tensors()["net/hidden/weight#gradient"] * value / rule.pending
            torch.testing.assert_close(now, before)
        found.run(steps=6, progress=False)


def test_what_is_changed_is_undone_kept_by_edits_and_gone_back_with() -> None:
    with session({**BACKPROP, "window": 4}) as found:
        found.command("set learning/main/every 2")
        found.run(steps=4, progress=False)
        found.command("widen hidden 6")
        assert (found["learning/main/every"], found.executor.window.every) == (2, 2)  # type: ignore[union-attr]
        found.command("undo 1")
        assert (found["learning/main/every"], found.executor.window.every) == (4, 4)  # type: ignore[union-attr]
        found.begin_snapshots()
        found.run(steps=4, progress=False)
        found.command("set learning/main/every 1")
        found.run(steps=4, progress=False)
        found.command("back 5")
        assert (found["learning/main/every"], found.executor.window.every) == (4, 4)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "name", "value", "message"),
    [
        (BACKPROP, "every", 2, "learning/main/every: must be at most the window, 1 (got 2)"),
        (BACKPROP, "accumulate", 0, "learning/main/accumulate: must be at least 1 (got 0)"),
        (BACKPROP, "period", 1.5, "learning/main/period: must be a whole number (got 1.5)"),
        (BACKPROP, "clip", 0, "learning/main/clip: must be more than 0 (got 0); say the largest norm, or {value: ...}"),
        (
            BACKPROP,
            "clip",
            {"norm": 1, "value": 1},
            "learning/main/clip: must have one of norm and value (got {'norm': 1, 'value': 1})",
        ),
        (HEBBIAN, "mode", "both", "learning/main/mode: must be 'hebbian', 'anti', 'dt' or 'dt anti' (got 'both')"),
        (
            HEBBIAN,
            "mode",
            "dt",
            "learning/main/mode: cannot be set while it runs to a mode that reads other frames (got 'dt'); dt and dt "
            "anti stand for each other, and so do hebbian and anti",
        ),
    ],
)
def test_what_a_rule_does_not_take_is_told(rule: dict[str, Any], name: str, value: Any, message: str) -> None:
    with session(rule) as found, pytest.raises(RequestError) as raised:
        found.set(f"learning/main/{name}", value)
    assert str(raised.value) == message


def test_a_limit_of_gradients_is_set_taken_away_and_gone_back_with() -> None:
    with session(BACKPROP) as limited, session(BACKPROP) as plain:
        limited.command("set learning/main/clip 0.01")
        assert limited["learning/main/clip"] == 0.01
        limited.command("undo")
        assert limited["learning/main/clip"] is None
        for one in (limited, plain):
            one.run(steps=2, progress=False)
        assert differing(state_of(limited), state_of(plain)) == []

        limited.command("set learning/main/clip {norm: 2, norm_type: 1}")
        assert limited["learning/main/clip"] == {"norm": 2, "norm_type": 1}
        limited.begin_snapshots()
        assert "gradient_norm" in limited.learn()
        limited.command("set learning/main/clip null")
        assert "gradient_norm" not in limited.learn()
        limited.command("back 1")
        assert limited["learning/main/clip"] is None
        limited.command("back 1")
        assert limited["learning/main/clip"] == {"norm": 2, "norm_type": 1}


def test_rules_that_share_a_window_keep_their_every() -> None:
    rule = {**BACKPROP, "window": 2}
    both = {"one": {**rule, "parameters": "hidden/*"}, "two": {**rule, "parameters": "logits/*"}}
    with session(both) as found, pytest.raises(RequestError) as raised:  # type: ignore[arg-type]
        found.set("learning/one/every", 1)
    told = "learning/one/every: must be the same for all rules, as they share a window (got 1)"
    assert str(raised.value) == told
