"""Faults of a document's data part, all in one pass, without opening anything."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rillnet.data import check_data
from rillnet.data.checking import recorded
from rillnet.data.transforms import Flip
from rillnet.errors import RequestError
from rillnet.spec import DataSpec

SPECS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {
            "source": {"type": "MNIST", "root": "/nowhere"},
            "prepare": ["Whiten"],
            "augment": [{"type": "Crop", "size": 24}],
        },
        [],
    ),
    ({"source": "mnist"}, ["data.source.type: unknown source (got 'mnist'); did you mean 'MNIST'?"]),
    ({"source": {"type": "MNIST", "root": 3}}, ["data.source.root: must be text (got 3)"]),
    (
        {"source": {"type": "MNIST", "workers": 3}},
        ["data.source.workers: unknown key; 'data.workers' says that"],
    ),
    ({"source": "Images"}, ["data.source.root: is required"]),
    (
        {"source": {"type": "Images", "root": ".", "mode": "HSV"}},
        ["data.source.mode: must be 'RGB' or 'L' (got 'HSV')"],
    ),
    (
        {"source": {"type": "Images", "root": ".", "size": [0, 4]}},
        ["data.source.size: must be a whole number or must be at least 1 (got [0, 4])"],
    ),
    ({"source": "Arrays"}, ["data.source: must name the files of train, val or test"]),
    (
        {"source": "Digits", "augment": ["Blur", {"type": "Crop", "size": 0}, {"type": "Flip", "p": 2}]},
        [
            "data.augment.0.type: unknown transform (got 'Blur'); known: Brightness, CenterCrop, Contrast, Crop, Flip, "
            "Noise, Normalize, Rescale, Resize, Whiten",
            "data.augment.1.size: must be at least 1 or must be a list (got 0)",
            "data.augment.2.p: must be at most 1 (got 2)",
        ],
    ),
    (
        {"source": "Digits", "prepare": ["Rescale", {"type": "Rescale", "min": 0, "max": 1, "std": 1}]},
        [f"data.prepare.{n}: must have min and max, or mean or std or both" for n in (0, 1)],
    ),
    (
        {"source": "Digits", "prepare": [{"type": "Normalize", "mean": [0.5], "std": [0, 1]}]},
        ["data.prepare.0.std: must have as many numbers as mean, 1 (got [0, 1])"],
    ),
    (
        {"source": "Digits", "prepare": [{"type": "Normalize", "mean": [0.5], "std": [0]}]},
        ["data.prepare.0.std: must be more than 0 (got [0])"],
    ),
    (
        {
            "source": "Digits",
            "augment": [{"type": "Noise", "clip": [1, 0]}, {"type": "Contrast", "lower": 2, "upper": 1}],
        },
        [
            "data.augment.0.clip: must be a lowest and a highest value (got [1, 0])",
            "data.augment.1.lower, upper: must be a lowest and a highest value (got [2, 1])",
        ],
    ),
    (
        {"source": {"type": "Python", "object": "TensorDataset"}, "augment": [{"type": "Python", "object": "Mix"}]},
        [
            "data.source: was given as an object in Python and can be opened again only from there "
            "(got 'TensorDataset')",
            "data.augment.0: was given as an object in Python and can be opened again only from there (got 'Mix')",
        ],
    ),
]


@pytest.mark.parametrize(("spec", "faults"), SPECS)
def test_faults_of_a_record(spec: dict[str, Any], faults: list[str]) -> None:
    assert [str(fault) for fault in check_data(DataSpec(**spec))] == faults


def test_the_address_can_be_another() -> None:
    assert check_data(DataSpec(source="x"), "runs.3.data")[0].address == "runs.3.data.source.type"


def test_import_paths_need_trust() -> None:
    spec = DataSpec(source="no.such.module:Source", prepare=["no.such.module:Change"])

    untrusted = "runs code of yours; pass --trust, or trust=True in Python, if you mean it"
    assert [str(fault) for fault in check_data(spec, trust=False)] == [
        f"data.source.type: {untrusted} (got 'no.such.module:Source')",
        f"data.prepare.0.type: {untrusted} (got 'no.such.module:Change')",
    ]


def test_objects_are_named_in_the_record() -> None:
    flip = Flip()
    spec, objects = recorded({"image": torch.zeros(2)}, {"batch_size": 3, "augment": [flip, "Whiten"]})

    assert spec.model_dump()["source"] == {"type": "Python", "object": "dict"}
    assert spec.model_dump()["augment"] == [{"type": "Python", "object": "Flip"}, {"type": "Whiten"}]
    assert spec.batch_size == 3
    assert objects["data.augment.0"] is flip
    assert sorted(objects) == ["data.augment.0", "data.source"]


def test_faults_of_settings_come_together() -> None:
    with pytest.raises(RequestError) as raised:
        recorded(object(), {"batch_size": 0, "validation": 1.5, "shufle": True})  # type: ignore[typeddict-unknown-key]

    assert str(raised.value).splitlines() == [
        "data.batch_size: must be at least 1 (got 0)",
        "data.validation: must be a whole number of examples, or a fraction of them below 1 (got 1.5)",
        "data.shufle: unknown key (got True)",
    ]
