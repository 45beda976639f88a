"""What is kept of a command that was applied."""

from __future__ import annotations

import json

import torch

from rillnet.runtime.control.command import Command
from rillnet.runtime.control.history import Entry, Event


def test_others_are_told_of_large_arrays_by_their_shape() -> None:
    command = Command("set", {"address": "a", "value": torch.zeros(100, 100)})
    entry = Entry(1, 2, 2, "set a", command, "shell", 5.0, undo=lambda: None)
    told = entry.as_dict()
    assert told == json.loads(json.dumps(told))
    assert told["command"]["arguments"] == {"address": "a", "value": {"shape": [100, 100]}}
    assert (entry.undoable, Event("entry", entry).entry) == (True, entry)
    entry.undone = True
    assert not entry.undoable
