"""Documents that build on others, and nets by name or file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends import inheritance
from rillnet.model.frontends.yaml import read, read_text

Write = Callable[[str, str], Path]
NET = "net: {inputs: {x: [3]}, blocks: {a: ReLU, b: {type: Linear, out_features: 2}}}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file of the working directory, which is empty at first."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def message_of(path: Path) -> str:
    with pytest.raises(RequestError) as raised:
        read(path)
    return str(raised.value)


def test_a_document_wins_over_its_base(write: Write) -> None:
    write("base.yaml", NET + "run: {epochs: 3, seed: 1}\n")
    own = write("own.yaml", "extends: base.yaml\nrun: {seed: 2}\nnet: {blocks: {c: Tanh, a: null}}\n")

    document = read(own)

    assert document.values["run"] == {"epochs": 3, "seed": 2}
    assert list(document.values["net"]["blocks"]) == ["b", "c"]
    assert "extends" not in document.values
    assert document.files == [Path("own.yaml"), Path("base.yaml")]
    assert str(document.locate(("run", "epochs"))) == "base.yaml:2"
    assert str(document.locate(("run", "seed"))) == "own.yaml:2"


def test_of_several_bases_the_last_is_strongest(write: Write) -> None:
    write("a.yaml", NET + "run: {epochs: 1, seed: 1, log: 1 steps}\n")
    write("b.yaml", "run: {epochs: 2, seed: 2}\n")
    own = write("own.yaml", "extends: [a.yaml, b.yaml]\nrun: {seed: 3}\n")

    assert read(own).values["run"] == {"epochs": 2, "seed": 3, "log": "1 steps"}


def test_names_start_at_the_folder_of_the_file_that_has_them(write: Write) -> None:
    write("shared/net.yaml", NET)
    write("shared/base.yaml", "extends: net.yaml\nrun: {epochs: 1}\n")
    own = write("mine/own.yaml", "extends: ../shared/base.yaml\n")

    assert [str(file) for file in read(own).files] == [
        "mine/own.yaml",
        "mine/../shared/base.yaml",
        "mine/../shared/net.yaml",
    ]


def test_two_bases_may_have_one_base(write: Write) -> None:
    write("root.yaml", NET)
    write("a.yaml", "extends: root.yaml\nrun: {epochs: 1}\n")
    write("b.yaml", "extends: root.yaml\nrun: {seed: 1}\n")

    assert read(write("own.yaml", "extends: [a.yaml, b.yaml]")).values["run"] == {"epochs": 1, "seed": 1}


def test_a_ready_net_by_name() -> None:
    document = read_text("net: lenet\nrun: {epochs: 1}\n")

    assert document.net().name == "lenet"
    assert document.experiment().net.blocks["conv1"].arguments["out_channels"] == 20
    place = document.locate_address("net/conv1.out_channels")
    assert place is not None
    assert place.file.endswith("nets/lenet.yaml")
    assert "conv1:" in Path(place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]


def test_a_ready_net_changed() -> None:
    document = read_text(
        "net: {extends: lenet, blocks: {relu1: {type: Tanh}, fc1: {out_features: 30}, accuracy: null}}"
    )

    blocks = document.net().blocks
    assert blocks["relu1"].type == "Tanh"
    assert blocks["fc1"].arguments["out_features"] == 30
    assert blocks["fc1"].type == "Linear"
    assert "accuracy" not in blocks


def test_the_net_of_a_file(write: Write) -> None:
    write("nets/own.yaml", "extends: more/base.yaml\nnet: {name: own}\nrun: {epochs: 7}\n")
    write("nets/more/base.yaml", NET)

    document = read(write("x.yaml", "net: nets/own.yaml\n"))

    assert document.net().name == "own"
    assert list(document.net().blocks) == ["a", "b"]
    assert "run" not in document.values


def test_a_named_net_stands_instead_of_the_net_of_the_base(write: Write) -> None:
    write("base.yaml", NET + "run: {epochs: 1}\n")

    named = read(write("a.yaml", "extends: base.yaml\nnet: mlp\n"))
    changed = read(write("b.yaml", "extends: base.yaml\nnet: {extends: mlp, name: mine}\n"))

    assert "a" not in named.net().blocks
    assert named.net().name == "mlp"
    assert "a" not in changed.net().blocks
    assert changed.net().name == "mine"
    assert list(changed.values) == ["net", "run"]


def test_a_net_of_the_base_that_is_named_there_can_be_changed(write: Write) -> None:
    write("base.yaml", "net: lenet\n")

    net = read(write("own.yaml", "extends: base.yaml\nnet: {blocks: {fc1: {out_features: 3}}}\n")).net()

    assert net.blocks["fc1"].arguments["out_features"] == 3


def test_a_circle_is_named(write: Write) -> None:
    write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "extends: ./c.yaml\n")
    write("c.yaml", "run: {}\nextends: a.yaml\n")

    assert message_of(Path("a.yaml")) == (
        "extends: the document builds on itself: a.yaml -> b.yaml -> c.yaml -> a.yaml  [c.yaml:2]"
    )


def test_a_file_cannot_extend_itself_by_another_name(write: Write) -> None:
    own = write("a.yaml", "net: folder/../a.yaml\n")
    Path("folder").mkdir()

    assert message_of(own) == "net: the document builds on itself: a.yaml -> folder/../a.yaml  [a.yaml:1]"


def test_a_long_chain_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inheritance, "LONGEST_CHAIN", 3)
    for number in range(5):
        write(f"{number}.yaml", f"extends: {number + 1}.yaml\n")

    assert message_of(Path("0.yaml")) == "extends: more than 3 documents build on each other  [2.yaml:1]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: bsae.yaml", "extends: there is no file 'bsae.yaml'; did you mean 'base.yaml'?  [x.yaml:1]"),
        ("extends: .", "extends: '.' is a folder, not a document; in it: base.yaml, empty.yaml, x.yaml  [x.yaml:1]"),
        ("extends: empty.yaml", "the document is empty: it needs at least a net  [empty.yaml:1]"),
        ("extends: [base.yaml, 5]", "extends: must be the name of a file, or a list of them (got 5)  [x.yaml:1]"),
        ("extends: {a: 1}", "extends: must be the name of a file, or a list of them (got {'a': 1})  [x.yaml:1]"),
        ("net: lenett", "net: there is no ready net of this name (got 'lenett'); did you mean 'lenet'?  [x.yaml:1]"),
        ("net: base", "net: there is no ready net of this name (got 'base'); did you mean 'base.yaml'?  [x.yaml:1]"),
        ("net: bose.yaml", "net: there is no file 'bose.yaml'; did you mean 'base.yaml'?  [x.yaml:1]"),
        ("net: ./base.yaml", "net: there is no net in this file (got './base.yaml')  [x.yaml:1]"),
        ("net:\n  extends: [a]", "net.extends: must be the name of a ready net or of a file (got ['a'])  [x.yaml:2]"),
    ],
)
def test_faults(write: Write, text: str, message: str) -> None:
    write("base.yaml", "run: {epochs: 1}\n")
    write("empty.yaml", "")

    assert message_of(write("x.yaml", text)) == message


def test_all_ready_nets_are_named_where_none_is_near() -> None:
    with pytest.raises(
        RequestError, match=r"\(got 'zebra'\); known: alexnet, googlenet, lenet, mlp, .*vgg_a  \[<text>:1\]"
    ):
        read_text("net: zebra")


def test_faults_of_all_files_are_told_at_once(write: Write) -> None:
    write("base.yaml", "run: {epochs: 1, epochs: 2}\n")
    own = write("own.yaml", "extends: [gone.yaml, base.yaml]\nrun: {seed: !x 1}\n")

    assert message_of(own) == (
        "extends: there is no file 'gone.yaml'  [own.yaml:1]\n"
        "run.seed: the tag !x is not allowed: a document is plain data  [own.yaml:2]\n"
        "run.epochs: is given twice, first on line 1  [base.yaml:1]"
    )


def test_a_base_that_is_no_yaml_is_told_with_its_own_place(write: Write) -> None:
    write("base.yaml", "run: [1\n")

    assert message_of(write("own.yaml", "extends: base.yaml\n")).endswith("[base.yaml:2]")
