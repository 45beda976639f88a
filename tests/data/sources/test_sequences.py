"""Sequences as a source: lists in memory, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rillnet as rn
from rillnet.data import open_data

X, LENGTHS, LABEL = np.arange(6, dtype=np.float32), np.array([3, 1, 2]), np.array([7, 8, 9])


def test_files_and_lists_give_the_same(tmp_path: Path) -> None:
    for name, values in (("x", X), ("lengths", LENGTHS), ("label", LABEL)):
        np.save(tmp_path / f"{name}.npy", values)
    np.savez(tmp_path / "all.npz", x=X, lengths=LENGTHS, label=LABEL)
    files = {"type": "Sequences", "test": {name: f"{name}.npy" for name in ("x", "lengths", "label")}}
    packed = {"type": "Sequences", "test": "all.npz"}
    lists = rn.Sequences(test={"x": [X[:3], X[3:4], X[4:]], "label": list(LABEL)})

    passes = [
        [batch.fields for batch in open_data(source, root=tmp_path, batch_size=2).feed("test").once()]
        for source in (files, packed, lists)
    ]

    assert [frame["x"].tolist() for frame in passes[0]] == [[0, 3], [1, 4], [2, 5]]
    assert [frame["label"].tolist() for frame in passes[0]] == [[7, 8], [7, 9], [7, 9]]
    for other in passes[1:]:
        for ours, theirs in zip(passes[0], other, strict=True):
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "data.source.test: must have a field 'lengths', the number of frames of each sequence"),
        (
            {"x": X, "lengths": np.array([1.5])},
            "data.source.test.lengths: must be whole numbers, one for each sequence (got [1])",
        ),
        (
            {"x": X[:5], "lengths": LENGTHS},
            "data.source.test.x: must have one entry for each of 6 frames or each of 3 sequences (got 5)",
        ),
    ],
)
def test_files_that_do_not_fit_are_told(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "all.npz", **arrays)

    with pytest.raises(rn.RillnetError) as error:
        open_data(rn.Sequences(test="all.npz", base=tmp_path), batch_size=1).feed("test")

    assert str(error.value) == message


def test_nothing_and_mixtures_are_refused() -> None:
    with pytest.raises(rn.RillnetError, match="must give the sequences of train, val or test"):
        rn.Sequences()
    with pytest.raises(rn.RillnetError, match="must be either files with their lengths, or lists of arrays"):
        rn.Sequences({"x": "x.npy", "y": [[1.0]]}).examples("train")
