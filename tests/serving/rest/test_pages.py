from __future__ import annotations

from pathlib import Path

import pytest

from rillnet.serving.rest.pages import STATIC, Pages
from tests.serving.rest.asking import asked


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<p>page</p>")
    (static / "assets" / "main-1a2b.js").write_text("run()")
    (tmp_path / "secret.txt").write_text("secret")
    return Pages(static)


def test_the_page_and_its_parts_are_sent(pages: Pages) -> None:
    page, script = asked(pages, "GET", "/"), asked(pages, "GET", "/assets/main-1a2b.js")

    assert (page.status, page.body, page.headers["cache-control"]) == (200, b"<p>page</p>", "no-cache")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert (script.status, script.body) == (200, b"run()")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "target",
    ["/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd", "/assets", "/assets/", "/\0"],
)
def test_nothing_else_is(pages: Pages, target: str) -> None:
    found = asked(pages, "GET", target)

    assert found.status == 404
    assert found.faults()[0].startswith("there is no such page")


def test_what_has_not_changed_is_not_sent_again(pages: Pages) -> None:
    mark = asked(pages, "GET", "/").headers["etag"]

    again = asked(pages, "GET", "/", {"if-none-match": mark})
    assert (again.status, again.body) == (304, b"")
    assert asked(pages, "GET", "/", {"if-none-match": '"other"'}).status == 200


def test_nothing_can_be_sent_there(pages: Pages) -> None:
    found = asked(pages, "POST", "/")

    assert (found.status, found.headers["allow"]) == (405, "GET, HEAD")
    assert found.faults() == ["POST is not answered here; what changes a run is below /api"]


def test_where_it_is_not_built_the_page_says_how_it_is(tmp_path: Path) -> None:
    pages = Pages(tmp_path / "static")

    found = asked(pages, "GET", "/")
    assert found.status == 200
    assert b"make web" in found.body
    assert asked(pages, "GET", "/assets/main.js").status == 404

    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index.html").write_text("built")
    assert asked(pages, "GET", "/").body == b"built"


def test_the_build_lies_within_the_package() -> None:
    assert STATIC.parts[-4:] == ("rillnet", "serving", "dashboard", "static")
