"""The record of a run's commands and events."""

from pathlib import Path

from rillnet.runtime.journal import Entry, Journal


def written(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    journal.event("started", step=0, frame=0, threads=2)
    journal.command("set learning/main/rate 0.01", step=10, frame=10, source="shell")
    journal.event("evaluated", step=20, frame=20)
    return journal


def test_entries_come_back(tmp_path: Path) -> None:
    entries, notes = written(tmp_path).read()
    assert notes == []
    assert [(entry.kind, entry.text, entry.step, entry.frame, entry.details) for entry in entries] == [
        ("event", "started", 0, 0, {"threads": 2}),
        ("command", "set learning/main/rate 0.01", 10, 10, {"source": "shell"}),
        ("event", "evaluated", 20, 20, {}),
    ]
    assert entries[0].time <= entries[1].time <= entries[2].time


def test_each_entry_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    journal = written(tmp_path)
    assert (tmp_path / "journal.jsonl").read_bytes().count(b"\n") == 3
    journal.event("finished", step=30, frame=30)
    assert (tmp_path / "journal.jsonl").read_bytes().count(b"\n") == 4
    journal.sync()
    journal.close()


def test_going_back_to_a_step_drops_what_came_after(tmp_path: Path) -> None:
    journal = written(tmp_path)
    assert journal.truncate_after(10) == 1
    journal.event("resumed", step=10, frame=10)
    assert [entry.text for entry in journal.read()[0]] == ["started", "set learning/main/rate 0.01", "resumed"]


def test_a_torn_last_line_is_noted(tmp_path: Path) -> None:
    journal = written(tmp_path)
    with journal.path.open("ab") as file:
        file.write(b'{"kind":"comm')
    entries, notes = Journal(tmp_path).read()
    assert len(entries) == 3
    assert notes == [f"{journal.path}:4: the last line is incomplete; ignored"]


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text(
        '{"kind":"event","text":"started","step":1,"frame":2,"time":3.0,"new":4}\n{"other":1}\n'
    )
    assert Journal(tmp_path).read() == ([Entry("event", "started", 1, 2, 3.0)], [])
