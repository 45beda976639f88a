"""A text as streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rillnet.data import open_data
from rillnet.data.frames import SourceEnded
from rillnet.data.sources.text import Text
from rillnet.errors import DataError, RequestError

POEM = "a rose is a rose is a rose is"


def read(source: Text, streams: int, count: int, field: str = "symbol", phase: Any = "train") -> list[str]:
    """What each stream reads, as text."""
    frames = source.examples(phase)
    numbers = torch.stack([frames.frame(number, streams, 0)[field] for number in range(count)], dim=1)
    return ["".join(source.vocabulary.symbols[number] for number in stream) for stream in numbers.tolist()]


def test_streams_read_stretches_and_are_told_what_follows() -> None:
    source = Text(text=POEM)

    assert read(source, 2, 14) == [POEM[:14], POEM[14:28]]
    assert read(source, 2, 14, "next") == [POEM[1:15], POEM[15:29]]
    assert read(source, 1, 29, "next") == [POEM[1:] + POEM[0]]


def test_ends_are_repeated_held_or_stop() -> None:
    repeated, held, stopped = (Text(text="abcd", at_end=at_end) for at_end in ("repeat", "hold", "stop"))

    assert read(repeated, 2, 5) == ["ababa", "cdcdc"]
    assert read(held, 2, 5) == ["abbbb", "cdddd"]
    assert [repeated.examples("train").frame(number, 2, 0)["begins"].any().item() for number in range(3)] == [
        True,
        False,
        True,
    ]
    with pytest.raises(SourceEnded) as error:
        read(stopped, 2, 3)
    assert str(error.value) == "data.source.train: has ended after 2 frames; at_end: repeat or hold goes on"


def test_vectors_are_one_at_the_number() -> None:
    frame = Text(text=POEM).examples("train").frame(3, 4, 0)

    assert torch.equal(frame["one_hot"].argmax(dim=1), frame["symbol"])
    assert frame["one_hot"].sum() == 4
    assert "one_hot" not in Text(text=POEM, one_hot=False).examples("train").fields()


def test_words_of_files_by_phase(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat\nthe cat ran\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("the dog sat\n", encoding="utf-8")
    source = {"type": "Text", "file": {"train": "a.txt", "test": "b.txt"}, "unit": "word", "vocabulary": 4}
    data = open_data(source, root=tmp_path, batch_size=1)
    test = list(data.feed("test").once())

    assert data.fields("train")["one_hot"][0] == (4,)
    assert len(test) == 4
    # <end>, cat and the come twice; all others are one symbol
    assert [int(batch["symbol"]) for batch in test] == [2, 3, 3, 0]


def test_a_share_is_held_out() -> None:
    source = Text(text="aaaaaaaabb", held_out=0.2, vocabulary="ab")

    assert source.phases() == ("train", "test")
    assert read(source, 1, 2, phase="test") == ["bb"]
    with pytest.raises(DataError, match=r"data\.source\.test: must hold symbols of the vocabulary only"):
        Text(text="aaaaaaaabb", held_out=0.2).examples("test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "data.source: must have either text or file"),
        ({"text": "a", "file": "a.txt"}, "data.source: must have either text or file"),
        ({"file": {"trian": "a"}}, "data.source.file.trian: must be train, val or test; did you mean 'train'?"),
        ({"file": {"test": "a"}}, "data.source.file: must name a file to train with (got {'test': 'a'})"),
        (
            {"file": {"train": "a", "test": "b"}, "held_out": 0.1},
            "data.source.held_out: must be 0 where files are given by phase (got 0.1)",
        ),
        (
            {"text": "ab", "vocabulary": "aba"},
            "data.source.vocabulary: must have each symbol once, and has it twice (got 'a')",
        ),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        open_data({"type": "Text", **arguments})
    assert str(error.value) == message


def test_texts_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    for name, message in {
        "absent.txt": "there is no such file",
        "latin.txt": "must be text in UTF-8, but byte 3 is not",
    }.items():
        with pytest.raises(DataError) as error:
            Text(file=name, base=tmp_path).examples("train")
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_fewer_symbols_than_streams() -> None:
    with pytest.raises(DataError) as error:
        open_data({"type": "Text", "text": "abc"}, batch_size=5).feed("train")
    assert str(error.value) == "data.source.train: must have at least one symbol for each stream, 5 (got 3)"
