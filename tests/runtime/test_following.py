"""A record that another process writes is read, and left as it is."""

from __future__ import annotations

from pathlib import Path

from rillnet.runtime.clock import Clock
from rillnet.runtime.following import Followed
from rillnet.runtime.rundirectory import RunDirectory


def test_a_followed_record_writes_nothing(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path, "line", "experiment: line\n", "0" * 64)
    before = sorted(path for path in directory.path.rglob("*"))
    followed = Followed(directory.path)
    followed.directory.set_status("running", step=3)
    followed.metrics.write(3, 0.5, "train", {"loss": 1.0})
    followed.journal.command("set net/fit/bias 1", step=3, frame=3)
    path = followed.save(Clock(step=3), {}, {}, best=False, keep=1)
    assert (followed.saved_at, path.name, followed.choice()) == (3, "step-0000000003", None)
    assert followed.go_back(2) == []
    followed.close()
    assert followed.saved_at is None
    assert sorted(path for path in directory.path.rglob("*")) == before
    assert directory.status == "created"
