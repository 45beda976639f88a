"""TensorBoard's event files."""

import sys
from pathlib import Path

import pytest

from rillnet.errors import MissingExtraError
from rillnet.runtime.eventfiles import EventFiles


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """Every value in a folder, read by tensorboardX's own definition of an event, in order of the step."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in folder.glob("events.out.tfevents.*"):
        content, start = path.read_bytes(), 0
        while start < len(content):
            length = int.from_bytes(content[start : start + 8], "little")
            event = event_pb2.Event.FromString(content[start + 12 : start + 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            start += 12 + length + 4
    return sorted(found)


@pytest.fixture
def events(tmp_path: Path) -> EventFiles:
    pytest.importorskip("tensorboardX")
    return EventFiles(tmp_path / "tensorboard")


def test_nothing_is_made_before_the_first_value(events: EventFiles) -> None:
    assert not events.folder.exists()
    events.truncate_after(0)
    events.close()
    assert not events.folder.exists()


def test_values_are_in_the_file_when_the_call_returns(events: EventFiles) -> None:
    events.write(0, 1.0, {"loss/train": 0.5, "accuracy/train": 0.25})
    events.write(1, 2.0, {"loss/train": float("inf")})
    assert scalars(events.folder) == [
        (0, "accuracy/train", 0.25),
        (0, "loss/train", 0.5),
        (1, "loss/train", float("inf")),
    ]


def test_no_value_is_there_twice_after_going_back(events: EventFiles) -> None:
    for step in range(6):
        events.write(step, 0.0, {"loss": step})
    torn = next(events.folder.iterdir())
    with torn.open("ab") as file:
        file.write(b"\x20\0\0\0\0\0\0\0half")
    again = EventFiles(events.folder)
    again.truncate_after(3)
    for step in range(4, 6):
        again.write(step, 0.0, {"loss": 10 + step})
    again.close()
    assert scalars(events.folder) == [(step, "loss", step if step < 4 else 10 + step) for step in range(6)]
    assert len(list(events.folder.iterdir())) == 2


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(MissingExtraError) as caught:
        EventFiles(tmp_path)
    assert str(caught.value) == (
        "writing TensorBoard event files needs tensorboardX, which is not installed: pip install 'rillnet[observe]'"
    )
