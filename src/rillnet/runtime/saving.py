"""The part of a session that saves, goes on with a run and goes back to a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rillnet.data.feed import Feed
from rillnet.errors import CheckpointError, RequestError
from rillnet.model.editing.draft import Parts
from rillnet.model.editing.edits import restore
from rillnet.model.editing.rewiring import Edit
from rillnet.runtime import checkpoint as checkpoints
from rillnet.runtime.checkpoint import Checkpoint
from rillnet.runtime.execution import Choice
from rillnet.runtime.health import check_parameters, kept_by
from rillnet.runtime.matching import Match
from rillnet.runtime.parts import Trainer
from rillnet.runtime.placement.editable import faults_of_edits
from rillnet.runtime.preparing import Preparing
from rillnet.runtime.record import Record
from rillnet.runtime.snapshots import Snapshot, Snapshots
from rillnet.runtime.starting import find_parameters
from rillnet.runtime.state import State
from rillnet.runtime.together import gathered, newest, shared_journal, shared_record


class Saving(Preparing):
    """The part of a session that saves, goes on with a run and goes back to a checkpoint."""

    root: Path
    trainer: Trainer
    metrics: dict[str, dict[str, float]]
    is_best: bool
    _feed: Feed | None
    _stream: tuple[tuple[str, ...], State] | None
    _known: dict[tuple[str, ...], tuple[str, ...]]
    _beginning: Parts
    snapshots: Snapshots | None
    _wants_record: bool
    _went_back: bool

    @property
    def record(self) -> Record | None:
        """The run directory, open for writing; None for a session that leaves no trace."""
        if self._record is None and self._wants_record:
            self._record = shared_record(self.placement, lambda: self.experiment.make_record(self.root))
            if self._record is not None:
                self.control.note(self._record.journal)
        return self._record

    @property
    def open_record(self) -> Record | None:
        """The run directory, if it has been opened so far."""
        return self._record

    @property
    def keeps_record(self) -> bool:
        """Whether there is a run directory, or will be one."""
        return self._wants_record

    def checkpoint(self, *, best: bool = False, wait: bool = True) -> Path:
        """Saves everything that the next step depends on.

        Args:
            best: keep it as the best so far; `is_best` asks for the same.
            wait: until it is on the disk; else all is copied now and written while the run goes on. A save that
                begins meanwhile waits for it, and so does the end of the run.

        Returns:
            The checkpoint's directory.

        Raises:
            RunError: it, or one that was being written, cannot be written; or it is not worth saving.
        """
        self.trainer.before_saving()
        kept = kept_by(self._record)
        if self.placement is None:
            check_parameters(self.net.parameters_by_address(), self.clock.step, kept)
        if self._went_back:
            self._leave_what_is_later()
        record = self.record
        if record is None:
            raise RequestError("this session keeps no record, so it has no checkpoints; make it with record=True")
        tensors, values = self.whole_state()
        values["control"] = self.control.saved_state()
        if self.placement is not None:
            tensors = gathered(
                self.placement,
                self._executor,
                tensors,
                values,
                lambda parameters: check_parameters(parameters, self.clock.step, kept),
            )
        best, keep = best or self.is_best, self.spec.run.checkpoint.keep
        path = record.save(self.clock, tensors, values, best=best, keep=keep, wait=wait)
        self.is_best = False
        return path

    def whole_state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Everything that the next step depends on: groups of tensors, themselves and no copies, and all else."""
        tensors: dict[str, dict[str, Tensor]] = {"parameters": self.net.state_by_address()}
        values: dict[str, Any] = {"clock": self.clock.state(), "trainer": self.trainer.state()}
        tensors |= self.trainer.tensors()
        values["metrics"] = self.metrics
        if self.net.edits:
            values["edits"] = self.net.edits
        if self._feed is not None:
            values["feed"] = self._feed.state()
        if self.choice is not None:
            values["execution"] = self.choice.as_dict()
        if self._executor is not None:
            if self._executor.interventions:
                values["interventions"] = self._executor.interventions.state()
            rules = self._executor.rules
            values["rules"] = {name: rule.state_values() for name, rule in rules.items()}
            tensors["learning"] = {
                f"{n}/{key}": t for n, rule in rules.items() for key, t in rule.state_tensors().items()
            }
            state = self._executor.state_tensors()
            if state:
                tensors["state"] = dict(state)
        return tensors, values

    def go_on(self) -> None:
        """Opens the run to be gone on with, if there is one, and returns to its newest complete checkpoint.

        Raises:
            CheckpointError: every checkpoint is damaged.
        """
        self._record = shared_record(self.placement, lambda: self.experiment.find_record(self.root))
        if self._record is None:
            return
        found, damaged = newest(self.placement, self._record.directory.checkpoints)
        for text in damaged:
            self.say(f"{text}; going back to the checkpoint before")
        if found is not None:
            self.load_checkpoint(found)
            self._record.saved_at = found.step
            self.say(f"going on with {self._record.directory} from step {self.clock.step}")
        elif damaged:
            raise CheckpointError(f"{self._record.directory}: every checkpoint is damaged; --fresh starts anew")
        self._record.truncate_after(self.clock.step, keep_commands=True)
        self._went_back = False
        self.control.resume(shared_journal(self.placement, self._record))

    def _leave_what_is_later(self) -> None:
        """From a checkpoint that was gone back to, the run takes another way: what came after it counts no more."""
        self._went_back = False
        if self._record is not None:
            for path in self._record.go_back(self.clock.step, self.control.applied_here()):
                self.say(f"set aside, as the run has gone back to step {self.clock.step}: {path}")

    def begin_snapshots(self) -> None:
        """Keeps states of the session in memory from now on, as somebody commands it and may want to go back."""
        if self.snapshots is None:
            self.snapshots = Snapshots()
            self.take_snapshot()

    def take_snapshot(self) -> None:
        """Keeps the state of now in memory; of several processes each keeps its own part, and all the same ones."""
        assert self.snapshots is not None
        self.snapshots.take(self)
        if self.placement is not None:
            said = self.placement.processes.everyone(self.snapshots.frames)
            self.snapshots.keep(set.intersection(*map(set, said)))

    def return_to(self, saved: Checkpoint | Snapshot) -> None:
        """Returns to a state, exactly; nothing that is on record is dropped for it.

        Args:
            saved: a checkpoint, or a snapshot.
        """
        self.load_checkpoint(saved)
        self._went_back = False

    def load_checkpoint(self, saved: Checkpoint | Snapshot) -> None:
        """Returns to a checkpoint, exactly.

        When the run learns on from there or saves, later checkpoints of its own are set aside.

        Raises:
            CheckpointError: it is of another net or another experiment.
        """
        values, here = saved.values, 1
        self._return_to_structure(values.get("edits", []))
        if self.placement is not None and isinstance(saved, Checkpoint):  # a snapshot is of this process alone
            saved, here = self.placement.parts(saved), self.placement.processes.count
        match = checkpoints.match_by_name(saved, self.net.state_by_address())
        if not match.complete:
            raise CheckpointError(f"{saved.path}: does not fit the net: {match}")
        self._begin_anew()
        self._went_back = self._record is not None
        if "execution" in values and values.get("processes", 1) == here:
            self.choice = Choice.from_dict(values["execution"])
        elif "execution" in values:  # decided before rules are made, as what is loaded is theirs
            self.choice = self._unmeasured()
            self.say(f"{self.choice}; it was saved on another number of processes")
        # data from Python are not there when a run is looked at from elsewhere
        if self.data is not None and ("feed" in values or self._feed is not None):
            self.feed.seek(values.get("feed", {"epoch": 0, "batch": 0}))
        self.clock.load(values["clock"])
        if self.placement is not None:
            self.placement.heartbeat.step = self.clock.step
        self.metrics = values.get("metrics", {})
        if "rules" in values:
            self._load_rules(saved)
        if values.get("interventions"):
            for lost in self.executor.interventions.load(values["interventions"]):
                self.say(f"{saved.path}: what was done to {lost} is left out, as it is no longer there")
        self.trainer.load(values["trainer"])
        self.trainer.load_tensors(saved)
        self.control.load(values.get("control", {}))

    def _return_to_structure(self, edits: Sequence[Edit]) -> None:
        """Gives the net the structure of a checkpoint, whose numbers are loaded then."""
        if list(edits) == self.net.edits:
            return
        split = faults_of_edits(self.placement.plan) if self.placement is not None else []
        if split:
            raise CheckpointError(f"the net was edited while it ran, and cannot be placed so: {split[0]}")
        restore(self.net, self._beginning, edits)
        self.rollout = self.experiment.build_rollout(self.net)
        if self.placement is not None:
            self.placement.follow(self.rollout)
        self._executor = None
        self._known.clear()
        self.trainer.take_parameters(lambda kept, fresh: dict(fresh))

    def load_parameters(self, source: str | Path) -> Match:
        """Takes the parameters of another net where name and shape agree; the run's place and rules stay.

        Args:
            source: a checkpoint's directory, or a run, whose newest complete checkpoint is taken.

        Returns:
            What was loaded and what was not; prints as a report.
        """
        saved = find_parameters(source, self.root, self.say)
        if self.placement is not None:
            saved = self.placement.parts(saved)
        return checkpoints.match_by_name(saved, self.net.state_by_address())

    def _begin_anew(self) -> None:
        """Forgets everything that a checkpoint may not say."""
        self._executor, self._stream, self.choice = None, None, None
        self.scalars, self.is_best = {}, False
        for parameter in self.net.parameters():
            parameter.grad = None

    def _load_rules(self, saved: Checkpoint | Snapshot) -> None:
        kept, values, rules = saved.tensors("learning"), saved.values["rules"], self.executor.rules
        if values.keys() != rules.keys():
            told = f"it has {', '.join(values) or 'none'}, the experiment has {', '.join(rules) or 'none'}"
            raise CheckpointError(f"{saved.path}: is of other learning rules: {told}")
        for name, rule in rules.items():
            own = {key.removeprefix(f"{name}/"): t for key, t in kept.items() if key.startswith(f"{name}/")}
            rule.load_state(own, values[name])
        if "state" in saved.groups:
            self.executor.load_state(saved.tensors("state"))
