"""What a path or a name means, and the faults of documents: all in one pass, each with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.registry import UNTRUSTED
from rillnet.runtime.session import Session
from rillnet.training.experiment import Experiment
from rillnet.training.loading import Run
from tests.training.small_experiments import trainer_of

DOCUMENT = """\
experiment: tiny
net:
  inputs: {image: [1, 8, 8], label: {dtype: int64}}
  blocks:
    flat: {type: Flatten, from: image}
    logits: {type: Linear, out_features: 10}
    loss: {type: CrossEntropy, from: [logits, label]}
    accuracy: {type: Accuracy, from: [logits, label], exclude: [train]}
data: {source: Digits, batch_size: 512}
learning:
  main:
    type: Backprop
    optimizer: {type: SGD, lr: 0.1}
run: {epochs: 1, seed: 1}
"""


def document_faults(folder: Path, *changes: tuple[str, str], trust: bool = False) -> list[str]:
    text = DOCUMENT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "tiny.yaml").write_text(text)
    with pytest.raises(RequestError) as error:
        rn.load(folder / "tiny.yaml", trust=trust)
    return str(error.value).replace(str(folder) + "/", "").splitlines()


def test_faults_of_a_document_have_lines(tmp_path: Path) -> None:
    assert document_faults(
        tmp_path,
        ("lr: 0.1", "lr: -1"),
        ("seed: 1", "seed: 1, log: often, checkpoint: {best: acuracy, mode: max}"),
        ("batch_size: 512", "bach_size: 512"),
    ) == [
        "data.bach_size: unknown key; did you mean 'batch_size'?  [tiny.yaml:9]",
        "learning/main.optimizer.lr: must be at least 0 (got -1)  [tiny.yaml:13]",
        'run.log: must be a number and a unit, such as "1 epoch", "500 steps" or "10 minutes", or "never" or "end" '
        "(got 'often')  [tiny.yaml:14]",
        "run.checkpoint.best: is no metric of the evaluation (got 'acuracy'); did you mean 'accuracy'?  [tiny.yaml:14]",
    ]


def test_a_document_may_not_name_code_unless_it_is_trusted(tmp_path: Path) -> None:
    changes = (
        ("type: Backprop", "type: tests.training.nowhere:Rule"),
        ("seed: 1", "seed: 1, extensions: [tests.training.small_experiments:Toll]"),
    )
    untrusted = "runs code of yours; pass --trust, or trust=True in Python, if you mean it"
    assert document_faults(tmp_path, *changes) == [
        f"learning/main.type: {untrusted} (got 'tests.training.nowhere:Rule')  [tiny.yaml:12]",
        f"run.extensions.0.type: {untrusted} (got 'tests.training.small_experiments:Toll')  [tiny.yaml:14]",
    ]
    assert document_faults(tmp_path, *changes, trust=True) == [
        "learning/main.type: cannot import 'tests.training.nowhere': No module named 'tests.training.nowhere'"
        "  [tiny.yaml:12]"
    ]
    (tmp_path / "tiny.yaml").write_text(DOCUMENT.replace(*changes[1]))
    trusted = rn.load(tmp_path / "tiny.yaml", trust=True)
    assert isinstance(trusted, Experiment)
    with Session(trusted, record=False) as session:
        session.run()
        assert any(extension.name == "toll" for extension in trainer_of(session).extensions)


def test_what_only_a_session_finds_has_lines_too(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(DOCUMENT.replace("[1, 8, 8]", "[1, 8, 9]"))
    made = rn.load(tmp_path / "tiny.yaml")
    assert isinstance(made, Experiment)
    with Session(made, record=False) as session, pytest.raises(RequestError) as error:
        session.run()
    text = str(made.located(error.value))
    assert text.endswith(f"the data sends [1, 8, 8], the net takes [1, 8, 9]  [{tmp_path / 'tiny.yaml'}:3]")


def test_what_is_loaded_is_a_net_an_experiment_or_a_run(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(DOCUMENT)
    made = rn.load(tmp_path / "tiny.yaml", ["run.epochs=2"])
    assert repr(made) == "Experiment(tiny: 4 blocks, learning by main, 2 epochs)"
    assert isinstance(made, Experiment)
    with Session(made, root=tmp_path / "runs") as session:
        session.run(steps=1)
    run = rn.load("tiny", root=tmp_path / "runs")
    assert isinstance(run, Run)
    assert run.directory is not None
    assert run.fingerprint == run.directory.fingerprint == made.fingerprint
    assert repr(rn.load("lenet")).startswith("Net(lenet: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenett", "there is no document, ready net or run 'lenett'; did you mean 'lenet'?"),
        ("tin.yaml", "tin.yaml: there is no such document; did you mean 'tiny.yaml'?"),
    ],
)
def test_what_is_not_there_is_told(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(DOCUMENT)
    with pytest.raises(RequestError) as error:
        rn.load(name)
    assert str(error.value) == message


def test_a_module_beside_the_document_is_its_block_in_the_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "gates_beside.py").write_text("import torch\n\n\nclass Gate(torch.nn.ReLU):\n    pass\n")
    document = tmp_path / "gated.yaml"
    document.write_text(
        "experiment: gated\n"
        "net:\n"
        "  inputs: {image: [1, 8, 8], label: {dtype: int64}}\n"
        "  blocks:\n"
        "    flat: {type: Flatten, from: image}\n"
        "    gate: 'gates_beside:Gate'\n"
        "    logits: {type: Linear, out_features: 10}\n"
        "    loss: {type: CrossEntropy, from: [logits, label]}\n"
        "data: {source: Digits, batch_size: 512}\n"
        "learning: {main: {type: Backprop, optimizer: SGD}}\n"
        "run: {epochs: 1, execution: eager}\n"
    )
    with pytest.raises(RequestError) as error:
        rn.load(document)
    assert str(error.value) == f"net/gate.type: {UNTRUSTED} (got 'gates_beside:Gate')  [{document}:6]"
    made = rn.load(document, trust=True)
    assert isinstance(made, rn.Experiment)
    with Session(made, root=tmp_path / "runs") as session:
        session.run(progress=False)

    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gates_beside")
    again = rn.load("gated", trust=True, root=tmp_path / "runs")
    assert isinstance(again, rn.Run)
    with Session(again, root=tmp_path / "runs") as session:
        assert type(session.net["gate"]).__name__ == "Gate"
