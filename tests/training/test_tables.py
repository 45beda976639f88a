"""Metrics of many values as tables of text."""

from __future__ import annotations

from rillnet.training.tables import confusion_table, series_table, tables_text

NAN = float("nan")


def test_values_stand_below_their_numbers_in_the_unit_of_accuracy() -> None:
    assert series_table("by_delay", [0.1, None, NAN, 1.0]) == [
        "by_delay          0         1         2         3",
        "            10.00 %         -         -  100.00 %",
    ]


def test_no_line_is_wider_than_told() -> None:
    lines = series_table("by_delay", [number / 40 for number in range(40)], width=60)

    assert max(map(len, lines)) <= 60
    assert len(lines) == 2 * 8
    assert lines[2].split() == ["5", "6", "7", "8", "9"]


def test_a_confusion_matrix_in_percent() -> None:
    counts = [[[0, 0], [0, 0]], [[3, 1], [0, 8]]]
    table = {"type": "ConfusionByDelay", "counts": counts, "accuracy": [None, 11 / 12], "best_delay": 1}

    assert tables_text({"confusion": 11 / 12}, {"confusion": table}) == [
        "confusion         0        1",
        "                  -  91.67 %",
        "confusion at delay 1: label below, answer to the right, in percent",
        "              0    1",
        "         0   75   25",
        "         1    .  100",
    ]


def test_many_classes_are_told_by_their_confusions() -> None:
    row = [[5 if label == answer else 0 for answer in range(30)] for label in range(30)]
    row[3][4], row[7][2] = 2, 9
    table = {"counts": [row], "accuracy": [150 / 161], "best_delay": 0}

    assert confusion_table("c", table)[2:] == [
        "c at delay 0, most frequent confusions:",
        "  label 7 answered 2: 9 of 14",
        "  label 3 answered 4: 2 of 7",
    ]


def test_nothing_to_tell() -> None:
    table = {"counts": [[[0]]], "accuracy": [None], "best_delay": None}

    assert tables_text({"loss": 0.5}, {}) == []
    assert confusion_table("c", table) == ["c   0", "    -"]
