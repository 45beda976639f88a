"""The text of a file, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.errors import RequestError
from rillnet.model.frontends import files
from rillnet.model.frontends.files import documents_in, text_of


def message_of(path: Path) -> str:
    with pytest.raises(RequestError) as raised:
        text_of(path)
    return str(raised.value)


def test_text_with_and_without_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("net: Grün\n".encode())
    (tmp_path / "b.yaml").write_bytes(b"\xef\xbb\xbfnet: x\n")

    assert text_of(tmp_path / "a.yaml") == "net: Grün\n"
    assert text_of(tmp_path / "b.yaml") == "net: x\n"


def test_a_missing_file_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "lenet.yaml").touch()

    assert message_of(tmp_path / "lenet.yml") == (
        f"there is no file '{tmp_path}/lenet.yml'; did you mean 'lenet.yaml'?"
    )
    assert message_of(tmp_path / "zebra") == f"there is no file '{tmp_path}/zebra'"
    assert message_of(tmp_path / "no" / "x.yaml") == (
        f"there is no file '{tmp_path}/no/x.yaml', as there is no folder '{tmp_path}/no'"
    )


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    assert message_of(tmp_path) == f"'{tmp_path}' is a folder, not a document"
    for name in "fedcba":
        (tmp_path / f"{name}.yaml").touch()
    (tmp_path / "notes.txt").touch()

    assert message_of(tmp_path) == (
        f"'{tmp_path}' is a folder, not a document; in it: a.yaml, b.yaml, c.yaml, d.yaml, e.yaml ..."
    )


def test_a_file_within_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()

    assert message_of(tmp_path / "a.yaml" / "b.yaml").startswith(
        f"'{tmp_path}/a.yaml/b.yaml' cannot be read: not a dir"
    )


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("a: 1\nb: Grün\n".encode("latin-1"))

    assert message_of(path) == f"a document is UTF-8 text, and byte 0xfc here is not  [{path}:2]"


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_FILE", 2**20)
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (2**20 + 1))

    assert message_of(path) == f"'{path}' is too large for a document: at most 1 MB are read"
    path.write_bytes(b"#" * 2**20)
    assert len(text_of(path)) == 2**20


def test_documents_in_a_folder(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.txt"):
        (tmp_path / name).touch()

    assert documents_in(tmp_path) == ["a.yaml", "b.yml"]
    assert documents_in(tmp_path / "gone") == []
