"""Rows that survive a kill at any byte."""

import json
import math
from pathlib import Path

import pytest

from rillnet.errors import RunError
from rillnet.runtime.jsonlines import JsonLines, plain


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "rows.jsonl")
    assert lines.read() == ([], [])
    rows = [{"step": step, "text": "größer\n\x85\u2028", "pair": [step, None]} for step in range(3)]
    for row in rows:
        lines.append(row)
    assert lines.read() == (rows, [])
    lines.sync()
    lines.close()
    lines.append({"step": 3})
    assert JsonLines(lines.path).read() == ([*rows, {"step": 3}], [])


def test_every_line_is_valid_json_and_floats_read_back(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "rows.jsonl")
    lines.append({"values": [math.nan, math.inf, -math.inf, 0.1 + 0.2, -0.0, 5e-324]})
    text = lines.path.read_text()
    strict = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    numbers = [float(value) for value in strict["values"]]
    assert repr(numbers) == "[nan, inf, -inf, 0.30000000000000004, -0.0, 5e-324]"
    assert plain({"a": (1, math.nan)}) == {"a": [1, "NaN"]}


@pytest.mark.parametrize("torn", [1, 5, 10, 11])
def test_a_torn_last_line_is_ignored_and_then_replaced(tmp_path: Path, torn: int) -> None:
    lines = JsonLines(tmp_path / "rows.jsonl")
    whole = b'{"step":1}\n'
    lines.path.write_bytes(whole + whole[:torn])
    rows, notes = lines.read()
    if torn < len(whole):
        assert rows == [{"step": 1}]
        assert notes == [f"{lines.path}:2: the last line is incomplete; ignored"]
    lines.append({"step": 2})
    assert JsonLines(lines.path).read() == ([*rows, {"step": 2}], [])


def test_a_damaged_line_is_told_and_left_in_place(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "rows.jsonl")
    lines.path.write_bytes(b'{"step":1}\n\x00\xff\n[3]\n{"step":4}\n')
    assert lines.read() == (
        [{"step": 1}, {"step": 4}],
        [f"{lines.path}:2: is not a JSON object; ignored", f"{lines.path}:3: is not a JSON object; ignored"],
    )
    assert lines.keep(lambda row: row["step"] < 4) == 1
    assert lines.path.read_bytes() == b'{"step":1}\n\x00\xff\n[3]\n'


def test_keep_drops_rows_between_appends(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "rows.jsonl")
    for step in range(5):
        lines.append({"step": step})
    assert lines.keep(lambda row: row["step"] <= 2) == 2
    lines.append({"step": 3, "again": True})
    assert [row["step"] for row in lines.read()[0]] == [0, 1, 2, 3]
    assert lines.keep(lambda row: True) == 0


def test_a_full_disk_takes_no_half_row(small_disk: Path) -> None:
    lines = JsonLines(small_disk / "rows.jsonl")
    row = {"text": "x" * 1000}

    def fill() -> None:
        for _ in range(2000):
            lines.append(row)

    with pytest.raises(RunError) as caught:
        fill()
    message = f"{lines.path}: cannot be written: no space is left on the device; free some space"
    assert str(caught.value) == message
    rows, notes = lines.read()
    assert notes == []
    assert len(rows) > 900
    assert all(read == row for read in rows)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        JsonLines(tmp_path / "absent" / "rows.jsonl").append({})
    message = f"{tmp_path}/absent/rows.jsonl: cannot be written: no such file or directory; check the directory"
    assert str(caught.value) == message
