"""What `show` and `plan` look at: the net of a document, or of a run with its own modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends import yaml
from rillnet.runtime.rundirectory import RunDirectory
from rillnet.serving.cli import main
from rillnet.serving.cli.described import Described

OWN = "net:\n  inputs: {x: [3]}\n  blocks: {gate: 'own_gates:Gate', fc: {type: Linear, out_features: 2}}\n"


def test_a_net_alone_has_no_rollout_to_be_checked(place: Path) -> None:
    Path("net.yaml").write_text("net: {inputs: {x: [3]}, blocks: {a: ReLU}}\n")

    shown = Described.of(yaml.read("net.yaml"), False, None)

    assert shown.is_net
    assert list(shown.net.blocks) == ["a"]
    shown.check_rollout()


def test_modules_of_a_run_lie_beside_the_document_that_it_was_made_from(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    beside = place / "beside"
    beside.mkdir()
    (beside / "own_gates.py").write_text("import torch\n\n\nclass Gate(torch.nn.ReLU):\n    pass\n")
    made = RunDirectory.create(Path("runs"), "own", OWN, "0", str(beside))

    assert list(Described.of(made, True, None).net.blocks) == ["gate", "fc"]
    assert main(["show", "own", "--rollout", "streaming", "--trust"]) == 0
    assert main(["plan", "own", "--processes", "2", "--machine", "V100, 10 GbE", "--trust"]) == 0
    monkeypatch.delitem(sys.modules, "own_gates")


@pytest.mark.parametrize("command", [["show", "own"], ["plan", "own", "--processes", "2"]])
def test_a_run_is_looked_at_as_it_is(command: list[str], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunDirectory.create(Path("runs"), "own", OWN, "0")

    assert main([*command, "--set", "net.blocks.fc.out_features=3"]) == 2
    message = "--set: changes a document, and a run goes on as it began; give --set the document\n"
    assert capsys.readouterr().err == message


def test_changes_that_a_document_has_are_not_asked_of_it_again(place: Path) -> None:
    changed = yaml.read("tiny.yaml", ["run.epochs=7"])

    assert Described.of(changed, False, ["run.epochs=7"]).spec == changed.experiment()
    with pytest.raises(RequestError):
        Described.of(RunDirectory.create(Path("runs"), "own", OWN, "0"), False, ["run.epochs=7"])
