"""Downloads: mirrors, checksums, parts that are gone on with; from a server of the test's own."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rillnet.data import downloading
from rillnet.data.downloading import RemoteFile, fetch
from rillnet.errors import DataError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT, mtime=0)


@dataclass
class Mirror:
    """What a server holds by path, how it answers, and what it was asked."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    knows_ranges: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    held = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            held.asked.append((self.path, wanted))
            if self.path not in held.files:
                self.send_error(404)
                return
            content, start = held.files[self.path], 0
            if wanted and held.knows_ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            stop = len(content) if held.cut_after is None else start + held.cut_after
            self.wfile.write(content[start:stop])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        held.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield held
        server.shutdown()
        thread.join()


def remote(name: str = "x.bin", content: bytes = CONTENT, unpacked: bool = False) -> RemoteFile:
    return RemoteFile(name, hashlib.sha256(content).hexdigest(), unpacked)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_files_are_fetched_into_a_new_folder(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/data/x.bin": CONTENT, "/data/y.gz": PACKED}
    folder = tmp_path / "a" / "b"
    fetch([remote(), remote("y.gz", unpacked=True)], folder, [f"{mirror.address}/data/"], "Numbers")

    assert (folder / "x.bin").read_bytes() == CONTENT
    assert listing(folder) == ["x.bin", "y.gz"]


def test_files_that_are_there_are_not_fetched(tmp_path: Path, mirror: Mirror) -> None:
    (tmp_path / "x.bin").write_bytes(b"mine")
    fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert mirror.asked == []
    assert (tmp_path / "x.bin").read_bytes() == b"mine"


def test_the_next_mirror_is_tried(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/wrong/x.bin": b"another file", "/right/x.bin": CONTENT}
    mirrors = ["http://127.0.0.1:1", *(f"{mirror.address}/{name}" for name in ("absent", "wrong", "right"))]
    fetch([remote()], tmp_path, mirrors, "Numbers")

    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert [path for path, _ in mirror.asked] == ["/absent/x.bin", "/wrong/x.bin", "/right/x.bin"]


def test_a_part_is_gone_on_with(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/x.bin": CONTENT}
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:4000])
    fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert mirror.asked == [("/x.bin", "bytes=4000-")]
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert listing(tmp_path) == ["x.bin"]


def test_a_server_that_begins_anew_is_followed(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files, mirror.knows_ranges = {"/x.bin": CONTENT}, False
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:4000])
    fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert (tmp_path / "x.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"of another file", b"longer" * 9999])
def test_a_part_that_does_not_fit_is_thrown_away(tmp_path: Path, mirror: Mirror, part: bytes) -> None:
    mirror.files = {"/x.bin": CONTENT}
    (tmp_path / "x.bin.part").write_bytes(part)
    fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert len(mirror.asked) == 2
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_a_connection_that_breaks_is_taken_up_again(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files, mirror.cut_after = {"/x.bin": CONTENT}, 4000
    fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert [wanted for _, wanted in mirror.asked] == ["", "bytes=4000-", "bytes=8000-"]
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_what_is_received_stays_for_the_next_time(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files, mirror.cut_after = {"/x.bin": CONTENT}, 1000
    with pytest.raises(DataError) as raised:
        fetch([remote()], tmp_path, [mirror.address], "Numbers")

    assert str(raised.value).endswith(f"\n  {mirror.address}: the connection ended before the file did")
    assert listing(tmp_path) == ["x.bin.part"]
    mirror.cut_after = None
    fetch([remote()], tmp_path, [mirror.address], "Numbers")
    assert mirror.asked[-1] == ("/x.bin", "bytes=3000-")


def test_offline_says_which_files_go_where(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/wrong/x.bin": b"another file"}
    mirrors = ["http://127.0.0.1:1", f"{mirror.address}/absent", f"{mirror.address}/wrong"]
    with pytest.raises(DataError) as raised:
        fetch([remote(), remote("y.bin")], tmp_path / "data", mirrors, "Numbers")

    assert str(raised.value) == (
        f"Numbers is not in {tmp_path}/data, and x.bin could not be downloaded.\n"
        "Put these files there: x.bin, y.bin.\n"
        "Mirrors tried:\n"
        "  http://127.0.0.1:1: [Errno 111] Connection refused\n"
        f"  {mirror.address}/absent: 404 Not Found\n"
        f"  {mirror.address}/wrong: the file there is another one (its checksum is wrong)"
    )
    assert listing(tmp_path / "data") == []


def test_a_page_instead_of_a_packed_file_is_no_file(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/y.gz": b"<html>Please log in</html>"}
    with pytest.raises(DataError, match="its checksum is wrong"):
        fetch([remote("y.gz", unpacked=True)], tmp_path, [mirror.address], "Numbers")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError) as raised:
        fetch([remote()], tmp_path / "data", ["http://127.0.0.1:1"], "Numbers")

    assert str(raised.value) == f"{tmp_path}/data: Numbers cannot be written there: File exists"


def test_one_process_downloads_and_the_others_wait(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files = {"/x.bin": CONTENT}
    threads = [
        threading.Thread(target=fetch, args=([remote()], tmp_path, [mirror.address], "Numbers")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert mirror.asked == [("/x.bin", "")]


def test_nobody_is_waited_for_forever() -> None:
    assert 0 < downloading._TIMEOUT <= 60
