"""A server in a separate process, as users start it, and an HTTP client for it."""

from __future__ import annotations

import http.client
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from PIL import Image
from shared import one_at_a_time, shared_by_all

from idia_index.serve import models
from idia_index.serve.desk import Choice
from idia_index.study import render, subjects, write_subjects

NAME = "Jerry Taylor"  # of the practice model; in its training data with 75 photos


def drawn(name: str, count: int = 30) -> list[tuple[str, bytes]]:
    """Photos of somebody of the practice model, with names of files."""
    (person,) = [each for each in subjects() if each.name == name]
    return [(f"{i}.png", png(image)) for i, image in enumerate(render(person, count))]


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Client:
    """Sends plain HTTP, with exactly the headers that a test asks for."""

    link: str
    process: subprocess.Popen[str]
    cookie: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.link).netloc

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        if self.cookie:
            given.setdefault("Cookie", self.cookie)
        connection.request(method, path, body, given)
        got = connection.getresponse()
        text = got.read().decode("utf-8", "replace")
        return Reply(got.status, {k.lower(): v for k, v in got.getheaders()}, text)

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, **headers)

    def enter(self) -> None:
        path = urlsplit(self.link)
        reply = self.get(f"{path.path}?{path.query}")
        self.cookie = reply.headers["set-cookie"].split(";")[0]

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/person").text)
        assert found
        return found.group(1)

    def post(self, path: str, /, **fields: str) -> Reply:
        body = urlencode({"csrf": self.csrf()} | fields).encode()
        kind = "application/x-www-form-urlencoded"
        return self.send("POST", path, body, Content_Type=kind, Origin=f"http://{self.host}")

    def upload(self, address: str, files: list[tuple[str, bytes]], **fields: str) -> Reply:
        edge = "----a-line-that-is-in-no-file"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in ({"csrf": self.csrf()} | fields).items()
        ]
        for name, data in files:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
            parts += [head.encode(), b"\r\nContent-Type: image/png\r\n\r\n", data, b"\r\n"]
        body = b"".join([*parts, f"--{edge}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={edge}"
        return self.send("POST", address, body, Content_Type=kind, Origin=f"http://{self.host}")

    def new_person(self, name: str = NAME) -> str:
        """Begins with a person; the address of the person's pages."""
        reply = self.post("/person", name=name, basis="consent")
        assert reply.status == 303, reply.text
        return reply.headers["location"].removesuffix("/photos")

    def settled(self, path: str, seconds: float = 120) -> str:
        """A page once nothing is being done any more."""
        stop = time.monotonic() + seconds
        while 'http-equiv="refresh"' in (text := self.get(path).text):
            assert time.monotonic() < stop, text
            time.sleep(0.05)
        return text


def shared_cache(factory: pytest.TempPathFactory) -> Path:
    """A cache folder for all tests of this process, with what the practice model needs.

    Its index is built and the faces to compare with are drawn once for all processes, one of each
    person: every answer reads all of them.
    """
    place = factory.getbasetemp() / "pages"
    if not place.exists():
        practice = shared_by_all(factory.getbasetemp()) / "practice"
        with one_at_a_time(practice):
            if not practice.exists():
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(models, "FACE_IMAGES", 1)
                    models.Models(practice).load(Choice(None), lambda *_: None)
        shutil.copytree(practice, place / "idia-index" / "practice")
    return place


@contextmanager
def serving(cache: Path, *arguments: str, **environment: str) -> Iterator[Client]:
    """`idia-index serve` until the test is over."""
    command = [sys.executable, "-m", "idia_index", "serve", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)} | environment,
    )
    assert process.stdout is not None
    try:
        link = process.stdout.readline().strip()
        assert link.startswith("http"), process.stderr.read() if process.stderr else ""
        _wait(urlsplit(link).netloc)
        yield Client(link, process)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()


def _wait(host: str) -> None:
    for _ in range(400):
        try:
            http.client.HTTPConnection(host, timeout=5).request("GET", "/static/style.css")
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("it does not listen")


def replayed(client: Client, folder: Path) -> tuple[str, str]:
    """Two people of a folder on this machine, tested, and their report made again."""
    chosen = [each for each in subjects() if each.membership == "member"][:2]
    write_subjects(folder / "people", 4, processes=1, chosen=chosen)
    (folder / "people" / "subjects.csv").unlink()
    begun = client.upload("/people", [], path=str(folder / "people"), basis="yes")
    group = begun.headers["location"]
    client.post(f"{group}/ask")
    client.settled(group)
    (folder / "report.json").write_text(client.get(f"{group}/report.json").text)
    replay = client.post("/replay", path=str(folder / "report.json")).headers["location"]
    client.settled(replay)
    return group, replay


def every_page(client: Client, folder: Path) -> list[str]:
    """The addresses of every page that there is, with people on all that take some."""
    asked, misspelt = client.new_person(), client.new_person("Jery Taylor")
    for person in (asked, misspelt):
        client.upload(f"{person}/photos", [*drawn(NAME, 3), ("bad.png", b"none")])
        client.settled(f"{person}/photos")
    client.post(f"{asked}/ask")
    client.settled(f"{asked}/answer")
    photos = [("p/Jery_Taylor/1.png", drawn(NAME, 1)[0][1]), ("p/loose.png", b"none")]
    checked = client.upload("/people", photos, basis="yes").headers["location"]
    group, replay = replayed(client, folder)
    return [
        "/", "/person", "/people", "/report", "/data", "/help", "/gone", f"{misspelt}/photos",
        f"{asked}/answer", f"{asked}/report", f"{asked}/letter", f"{asked}/letter?for=erasure",
        checked, group, f"{group}/report", replay,
    ]  # fmt: skip
