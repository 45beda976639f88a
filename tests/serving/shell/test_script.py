from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rillnet.serving.shell.script import Line, divide


def texts(script: str) -> list[str]:
    return [line.text for line in divide(script)]


def test_commands_stand_on_lines_or_between_semicolons() -> None:
    script = "pause\n\nstep 3; get clock/frame;\n  play  "

    assert divide(script) == [Line("pause", 1), Line("step 3", 3), Line("get clock/frame", 3), Line("play", 4)]


def test_remarks_are_left_out() -> None:
    assert texts("# all of it\npause # here; not there\nset a#b 1\nplay;# the end") == [
        "pause",
        "set a#b 1",
        "play",
    ]


def test_brackets_hold_lines_and_semicolons_together() -> None:
    script = "add extra {type: Linear,\n  from: [hidden,\n  other]}\nclamp a [1; 2]"

    assert divide(script) == [
        Line("add extra {type: Linear,   from: [hidden,   other]}", 1),
        Line("clamp a [1; 2]", 4),
    ]


def test_quotes_hold_semicolons_and_hashes() -> None:
    assert texts("clamp a 'one; two # three'; pause") == ["clamp a 'one; two # three'", "pause"]


def test_a_quote_inside_a_word_is_a_letter_and_ends_with_its_line() -> None:
    assert texts("set don't 1; pause\nplay") == ["set don't 1", "pause", "play"]
    assert texts("set 'open; 1\nplay") == ["set 'open; 1", "play"]


def test_nothing_is_nothing() -> None:
    assert divide("") == divide(" \n;;\n# remark") == []


@given(st.text(alphabet="ab ;#\n'\"()[]{}="))
def test_every_line_is_one_command_of_this_text(script: str) -> None:
    lines = divide(script)

    assert [line.number for line in lines] == sorted(line.number for line in lines)
    for line in lines:
        assert line.text
        assert line.text == line.text.strip()
        assert "\n" not in line.text
        assert set(line.text) <= set(script) | {" "}


@given(st.lists(st.sampled_from(["pause", "step 3", "clamp a [1, 2]", "set net/a/b 'x; y'", "add b {type: ReLU}"])))
def test_what_is_joined_is_divided(commands: list[str]) -> None:
    assert texts("; ".join(commands)) == texts("\n".join(commands)) == commands
