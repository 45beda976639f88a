from __future__ import annotations

import socket

import pytest

from rillnet.serving.rest.security import Access, Guard, new_token
from tests.serving.rest.asking import TOKEN, asked, echo

BEARER = {"authorization": f"Bearer {TOKEN}"}


def guard(host: str = "127.0.0.1", port: int = 7440) -> Guard:
    return Guard(echo, Access(TOKEN, host, port))


def cookie(value: str = TOKEN) -> dict[str, str]:
    return {"cookie": f"other=1; {Access(TOKEN, '127.0.0.1', 7440).cookie_name}={value}"}


def test_tokens_differ_and_stand_in_urls_as_they_are() -> None:
    assert new_token() != new_token()
    assert len(new_token()) >= 40
    assert new_token().replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "headers",
    [BEARER, {"authorization": f"bearer  {TOKEN} "}, cookie()],
    ids=["header", "small letters and blanks", "cookie"],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_has_the_token_is_let_in(headers: dict[str, str], kind: str) -> None:
    assert asked(guard(), "GET", "/api/runs", headers, kind=kind).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": "Bearer \xff"},
        cookie("wrong"),
        {"cookie": f"rillnet={TOKEN}"},
        {"cookie": "=;=;\xff"},
        {**cookie(), "authorization": "Bearer wrong"},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_has_not_is_told_where_it_is(headers: dict[str, str], kind: str) -> None:
    found = asked(guard(), "GET", "/api/runs", headers, kind=kind)

    assert (found.status, found.headers["www-authenticate"]) == (401, 'Bearer realm="rillnet"')
    assert found.faults() == [
        "token: is missing, or is not that of this server; open the address that rillnet has printed, "
        "or send `Authorization: Bearer TOKEN`"
    ]


def test_health_is_told_to_anybody() -> None:
    assert asked(guard(), "GET", "/api/health").status == 200
    assert asked(guard(), "GET", "/api/health/").status == 401


def test_a_page_that_is_opened_with_the_token_sets_a_cookie() -> None:
    found = asked(guard(), "GET", f"/?token={TOKEN}")

    name = Access(TOKEN, "127.0.0.1", 7440).cookie_name
    assert found.status == 200
    assert found.headers["set-cookie"] == f"{name}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("target", ["/?token=wrong", f"/?token={TOKEN}&token={TOKEN}", f"/api/runs?token={TOKEN}", "/"])
def test_a_token_elsewhere_opens_nothing(target: str) -> None:
    found = asked(guard(), "GET", target)

    assert found.status == 401
    assert "set-cookie" not in found.headers


def test_a_token_in_the_address_does_not_open_what_changes() -> None:
    assert asked(guard(), "POST", f"/?token={TOKEN}").status == 401


def test_servers_on_other_ports_have_cookies_of_their_own() -> None:
    names = {Access(TOKEN, "127.0.0.1", port).cookie_name for port in range(7440, 7450)}

    assert len(names) == 10


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7440", "LOCALHOST:9000", "[::1]:7440", socket.gethostname()])
def test_it_answers_to_its_own_names(host: str) -> None:
    assert asked(guard(), "GET", "/", {**BEARER, "host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7440", "localhost.evil.example", "10.0.0.1", "", "[", "a:b:c"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_name_that_was_made_to_point_here_is_refused(host: str, kind: str) -> None:
    found = asked(guard(), "GET", "/", {**BEARER, "host": host}, kind=kind)

    assert found.status == 403
    assert found.faults()[0].startswith("Host: is no name of this server")


def test_a_server_for_other_machines_answers_to_addresses_but_not_to_names() -> None:
    app = guard("0.0.0.0")

    assert asked(app, "GET", "/", {**BEARER, "host": "10.0.0.1:7440"}).status == 200
    assert asked(app, "GET", "/", {**BEARER, "host": "evil.example:7440"}).status == 403


@pytest.mark.parametrize(("origin", "status"), [("http://localhost", 200), ("https://LOCALHOST", 200)])
def test_its_own_pages_may_ask(origin: str, status: int) -> None:
    assert asked(guard(), "POST", "/api/runs", {**BEARER, "origin": origin}).status == status


@pytest.mark.parametrize(
    "origin", ["null", "", "http://evil.example", "http://localhost:9000", "file://localhost", "http://[", "localhost"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_pages_of_other_sites_may_not(origin: str, kind: str) -> None:
    found = asked(guard(), "GET", "/api/runs", {**cookie(), "origin": origin}, kind=kind)

    assert found.status == 403
    assert found.faults()[0].startswith("Origin: pages of other sites may not ask this server")


def test_no_site_is_told_that_it_may_ask() -> None:
    found = asked(guard(), "OPTIONS", "/api/runs", {**BEARER, "origin": "http://evil.example"})

    assert found.status == 403
    assert not [name for name in found.headers if name.startswith("access-control")]


def test_every_answer_says_what_browsers_are_to_hold_to() -> None:
    for found in (asked(guard(), "GET", "/", BEARER), asked(guard(), "GET", "/")):
        assert "default-src 'self'" in found.headers["content-security-policy"]
        assert "unsafe" not in found.headers["content-security-policy"]
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["x-frame-options"] == "DENY"
        assert found.headers["referrer-policy"] == "no-referrer"
    assert asked(guard(), "GET", "/api/runs", BEARER).headers["cache-control"] == "no-store"


def test_who_tries_tokens_has_to_wait_and_nobody_else() -> None:
    app = guard()
    found = [asked(app, "GET", "/api/runs", {"authorization": "Bearer wrong"}).status for _ in range(100)]

    assert set(found) == {401, 429}
    assert asked(app, "GET", "/api/runs", BEARER).status == 200
