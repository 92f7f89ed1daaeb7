"""Who gets in and whose forms are accepted, tested on a real server with raw requests."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from served import Client, serving

pytestmark = pytest.mark.process

PAGES = ("/", "/person", "/people", "/report", "/data", "/help", "/nothing")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("cache")) as served:
        served.enter()
        yield served


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_no_page_opens_without_the_cookie(client: Client, page: str) -> None:
    assert client.get(page, Cookie="idia_index_session=guess").status == 403


def test_the_link_opens_one_browser_only(client: Client) -> None:
    path = client.link.split(client.host)[1]
    reply = client.get(path, Cookie="none=1")
    assert reply.status == 422
    assert "set-cookie" not in reply.headers
    assert "was used before" in reply.text


@pytest.mark.slow
def test_the_cookie_is_strict_and_no_script_can_read_it(tmp_path: Path) -> None:
    with serving(tmp_path) as fresh:
        cookie = fresh.get(fresh.link.split(fresh.host)[1]).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "127.0.0.1:1", "localhost.evil:80"])
def test_another_host_is_refused_though_the_cookie_is_right(client: Client, host: str) -> None:
    assert client.get("/", Host=host).status == 403


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_forbids_scripts_frames_and_storing(client: Client, page: str) -> None:
    headers = client.get(page).headers
    parts = headers["content-security-policy"].split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy["default-src"] == "'none'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("page", PAGES[:-1])
def test_no_page_has_a_script_or_asks_another_host_for_anything(client: Client, page: str) -> None:
    text = client.get(page).text
    assert "<script" not in text
    assert not re.findall(r'(?:src|href|action)="(?!/|#|data:,)[^"]*"', text)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_a_form_of_another_site_is_not_obeyed(client: Client, origin: str) -> None:
    body = urlencode({"csrf": client.csrf(), "name": "Jane Doe", "basis": "self"}).encode()
    kind = "application/x-www-form-urlencoded"
    reply = client.send("POST", "/person", body, Content_Type=kind, Origin=origin)
    assert reply.status == 403


@pytest.mark.parametrize("csrf", ["", "guess"])
def test_a_form_without_its_token_is_not_obeyed(client: Client, csrf: str) -> None:
    before = client.get("/data").text
    assert client.post("/person", csrf=csrf, name="Jane Doe", basis="self").status == 422
    assert client.get("/data").text == before


def test_it_listens_on_this_machine_alone(client: Client) -> None:
    port = int(client.host.split(":")[1])
    assert client.host.startswith("127.0.0.1:")
    with socket.socket() as outside:
        outside.settimeout(5)
        with pytest.raises(OSError, match=r"refused|unreachable"):
            outside.connect((_own_address(), port))


def _own_address() -> str:
    """An address of this machine that other machines would use; 127.0.0.2 where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found = str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.2"
    return "127.0.0.2" if found.startswith("127.0.0.1") else found


def test_another_address_takes_a_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "idia_index", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--password-env" in done.stderr


@pytest.mark.slow
def test_a_password_opens_and_guesses_are_slowed(tmp_path: Path) -> None:
    arguments = ("--host", "0.0.0.0", "--password-env", "PAGES")
    with serving(tmp_path, *arguments, PAGES="right") as served:
        served.link = served.link.replace("0.0.0.0", "127.0.0.1")
        kind, origin = "application/x-www-form-urlencoded", f"http://{served.host}"

        def log_in(password: str) -> str | None:
            body = urlencode({"password": password}).encode()
            reply = served.send("POST", "/login", body, Content_Type=kind, Origin=origin)
            return reply.headers.get("set-cookie")

        assert "sent to this server" in served.get("/login").text
        first = served.get("/")
        assert (first.status, first.headers["location"]) == (303, "/login")
        assert log_in("wrong") is None
        cookie = log_in("right")
        assert cookie is not None
        served.cookie = cookie.split(";")[0]
        assert served.get("/").status == 200
        # Whoever reaches it from elsewhere may not have files of this machine read.
        assert served.upload("/people", [], path="/etc", basis="yes").status == 422
        assert "only on this machine" in served.post("/replay", path="/etc").text
        for _ in range(4):
            assert log_in("wrong") is None
        assert log_in("right") is None
