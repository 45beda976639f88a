"""What the processes of a placed run do together: find its record, agree on a checkpoint, gather what is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.executor import Executor
from rillnet.runtime.following import Followed
from rillnet.runtime.journal import Entry
from rillnet.runtime.placement.placed import STREAMS, Placement
from rillnet.runtime.record import Record

_GATHERING = "gathering of a checkpoint"  # as `rillnet show --where` has it


def shared_record(placement: Placement | None, find: Callable[[], Record | None]) -> Record | None:
    """A record that one process of several writes, and the others follow.

    Args:
        placement: of the net; None in a process that is alone.
        find: finds or makes the record, in the process that writes.
    """
    if placement is None:
        return find()
    record: Record | None = placement.first_makes(find)
    path = placement.processes.told(None if record is None else str(record.directory.path.resolve()))
    if path is None:
        return None
    placement.watch(Path(path))
    return record if record is not None else Followed(Path(path))


def shared_journal(placement: Placement | None, record: Record) -> list[Entry]:
    """The entries of a run's journal, the same in all processes.

    Args:
        placement: of the net; None in a process that is alone.
        record: of the run.
    """
    if placement is None:
        return record.journal.read()[0]
    entries: list[Entry] = placement.first_makes(lambda: record.journal.read()[0]) or []
    return [Entry(**told) for told in placement.processes.told([asdict(entry) for entry in entries])]


def newest(placement: Placement | None, folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is not damaged, the same in all processes; and what is wrong with newer ones.

    Args:
        placement: of the net; None in a process that is alone.
        folder: where checkpoints lie.
    """
    if placement is None:
        return checkpoints.newest(folder)
    found, damaged = placement.first_makes(lambda: checkpoints.newest(folder)) or (None, [])
    path = placement.processes.told(None if found is None else str(found.path.resolve()))
    if found is None and path is not None:
        found = checkpoints.load(Path(path))
    return found, placement.processes.told(damaged)


def gathered(
    placement: Placement,
    executor: Executor | None,
    tensors: Mapping[str, Mapping[str, Tensor]],
    values: dict[str, Any],
    check: Callable[[Mapping[str, Tensor]], None],
) -> dict[str, dict[str, Tensor]]:
    """What all processes have to save, whole, in the first one.

    Args:
        placement: of the net.
        executor: what runs its frames, if it has been made.
        tensors: of this process, by group and name.
        values: of this process; what rules remember becomes that of all.
        check: raises if parameters, by address, are not worth saving.
    """
    placement.heartbeat.enter(_GATHERING)
    placement.heartbeat.note("waits in", _GATHERING)
    whole = {}
    for group, members in tensors.items():
        if group == "state":
            members = {key: tensor for key, tensor in members.items() if key != STREAMS}
            whole[group] = placement.whole_state(members, (executor.streams if executor is not None else None) or 1)
        elif group == "learning":
            whole[group] = placement.whole_of_rules(members)
        else:
            whole[group] = placement.whole(members)
    whole |= placement.apart(tensors)
    if executor is not None:
        values["rules"] = placement.merged_values(executor.rules, values["rules"])
    values["processes"] = placement.processes.count
    known = placement.net.parameters_by_address()
    parameters = {address: tensor for address, tensor in whole["parameters"].items() if address in known}
    placement.first_makes(lambda: check(parameters))
    placement.heartbeat.note("computes", "what follows a checkpoint")
    return whole
