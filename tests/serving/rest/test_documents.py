from __future__ import annotations

import json
from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.rest.documents import Documents, overrides
from rillnet.serving.rest.faults import Refused
from rillnet.serving.rest.records import Validated
from tests.serving.rest.conftest import DOCUMENT

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def documents(root: Path) -> Documents:
    return Documents(root.parent, root)


def test_documents_and_runs_are_listed(documents: Documents, root: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.yml").write_text("# a comment\nexperiment: 'other'  # its name\n")
    (tmp_path / "more" / "settings.yaml").write_text("colour: blue\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "hidden.yaml").write_text("experiment: hidden\n")
    RunDirectory.create(root, "small", DOCUMENT, "0" * 64)
    RunDirectory.create(root, "gone", DOCUMENT, "0" * 64)

    found = [(one.name, one.path, one.runs) for one in documents.experiments().experiments]

    assert found == [("small", "small.yaml", 1), ("other", "more/other.yml", 0), ("gone", None, 1)]


def test_a_document_is_told_as_it_is_written(documents: Documents) -> None:
    assert documents.text("small.yaml").text == DOCUMENT


@pytest.mark.parametrize("path", ["../small.yaml", "/etc/passwd", "small", "", "runs/small/1/experiment.yaml", "\0"])
def test_what_lies_elsewhere_is_not_read(documents: Documents, path: str) -> None:
    with pytest.raises(Refused, match="is no document here") as caught:
        documents.find(path)
    assert caught.value.status == 404


def test_what_is_wrong_with_a_document_is_told_with_its_place(documents: Documents) -> None:
    wrong = DOCUMENT.replace("out_features: 10", "units: 10").replace("lr: 0.1", "lr: -1")
    found = documents.validate(Validated(document=wrong))

    assert [(fault.address, fault.file, fault.line) for fault in found.faults] == [
        ("net/logits.out_features", "document", 8),
        ("net/logits.units", "document", 8),
        ("learning/main.optimizer.lr", "document", 14),
    ]
    assert found.faults[1].hint == "did you mean 'out_features'?"
    assert found.experiment is None


@pytest.mark.parametrize("as_values", [False, True])
def test_a_document_without_faults_is_told_so(documents: Documents, as_values: bool) -> None:
    found = documents.validate(Validated(document=DOCUMENT))
    assert (found.faults, found.experiment) == ([], "small")

    values = documents.load(DOCUMENT, {}).resolved()
    assert documents.validate(Validated(document=values)).experiment == "small"


def test_changes_are_made_before_it_is_looked_at(documents: Documents) -> None:
    assert documents.load(DOCUMENT, {"run.seed": 7, "data.batch_size": 16}).spec.run.seed == 7
    assert [f.address for f in documents.validate(Validated(document=DOCUMENT, set={"run.steps": -1})).faults] == [
        "run.steps"
    ]
    assert overrides({"a": {"b": [1]}}) == ['a={"b": [1]}']


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        "a: &a [*a]",
        BOMB,
        "[" * 5000,
        "!!python/object:os.system {}",
        "a: 1\n---\nb: 2",
        "\x07",
        "x: " + "9" * 9000,
    ],
    ids=["empty", "list", "open", "cycle", "bomb", "deep", "tag", "two", "bell", "number"],
)
def test_no_text_does_harm(documents: Documents, document: str) -> None:
    assert documents.validate(Validated(document=document)).faults


def test_values_that_nest_too_deeply_are_refused(documents: Documents) -> None:
    deep: dict[str, object] = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(RequestError):
        documents.load(deep, {})


def test_a_document_is_written_for_as_long_as_it_is_needed(documents: Documents) -> None:
    with documents.written(documents.load(DOCUMENT, {"run.seed": 3})) as path:
        assert Documents(path.parent, path.parent / "runs").load(path.read_text(), {}).spec.run.seed == 3
    assert not path.exists()


def test_the_schema_and_the_commands_are_told(documents: Documents) -> None:
    schema = json.loads(documents.schema().body)
    commands = {one.name: one for one in documents.commands().commands}

    assert schema["title"] == "rillnet experiment"
    assert {"play", "pause", "step", "clamp", "lesion", "rate", "undo"} <= commands.keys()
    assert [one.name for one in commands["rate"].parameters] == ["rule", "value"]
