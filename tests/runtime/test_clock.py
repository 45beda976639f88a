"""The clock of a run."""

from __future__ import annotations

import json

from rillnet.runtime.clock import Clock


def test_epoch_counts_the_fraction_of_the_present_pass() -> None:
    assert Clock(epochs_done=2, batch=3, batches=4).epoch == 2.75


def test_without_a_known_length_only_whole_epochs_count() -> None:
    assert Clock(epochs_done=2, batch=3).epoch == 2.0


def test_a_copy_stays_where_it_was() -> None:
    clock = Clock(step=1)
    before = clock.copy()
    clock.step += 1
    assert (before.step, clock.step) == (1, 2)


def test_state_goes_through_json_and_back() -> None:
    clock = Clock(step=7, frame=9, examples=448, epochs_done=1, batch=2, batches=5)
    other = Clock()
    other.load(json.loads(json.dumps(clock.state())))
    assert other == clock
