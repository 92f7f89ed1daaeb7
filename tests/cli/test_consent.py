"""No verb sends a byte to a service that its options do not name, watched by a socket hook."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import make_images
from hosted_server import Service, serving

from idia_index.cli.main import VERBS, run
from idia_index.errors import RefusedError
from idia_index.plugins import BackendPlugin
from idia_index.registry import backend_class
from idia_index.serve.models import Choice, Models

pytest.importorskip("httpx")
pytestmark = pytest.mark.filterwarnings("ignore:.* will be sent at most")

HOST = "127.0.0.1"
TEXTS, IMAGES = ("--send-texts-to", HOST), ("--send-images-to", HOST)
_ELSEWHERE = ("--send-texts-to", "example.org", "--send-images-to", f"{HOST}:1")
_LOCAL = {
    "demo", "members", "non-members", "plan", "remove", "compact", "info", "export", "parity",
    "backends", "doctor",
}  # fmt: skip

_watching: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching is not None and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _watching.append(f"{event} {arguments[1:]}")


sys.addaudithook(_hook)


@pytest.fixture
def tried() -> Iterator[list[str]]:
    """What was tried of the network since the test asked for it."""
    global _watching
    _watching = []
    yield _watching
    _watching = None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Service]]:
    """An index of a service, a report made with it, and photos of two people."""
    folder = tmp_path_factory.mktemp("consent")
    names = folder / "names.txt"
    names.write_text("Jane Doe\nJohn Roe\nJim Poe\n")
    (folder / "more.txt").write_text("Ann Moe\n")
    for seed, person in enumerate(("Jane_Doe", "John_Roe")):
        make_images(folder / "people" / person, 2, seed)
    with serving(Service()) as service, pytest.warns(UserWarning, match="will be sent at most"):
        said = ("--model", service.spec(), *TEXTS, *IMAGES)
        assert _run("build", folder / "i", "--names", names, *said) == 0
        out = ("--out", folder / "report")
        assert _run("audit", folder / "i", folder / "people", *out, *TEXTS, *IMAGES) == 0
        yield folder, service


def _run(*arguments: object) -> int:
    return run([str(argument) for argument in arguments], False)


def _verbs(folder: Path, spec: str) -> dict[str, tuple[object, ...]]:
    index, people = folder / "i", folder / "people"
    return {
        "build": (folder / "new", "--model", spec, "--names", folder / "names.txt"),
        "query": (index, people / "Jane_Doe", "--name", "Jane Doe"),
        "audit": (index, people),
        "evaluate": (index, people, "--min-images", 2, "--sample-sizes", "1,2"),
        "add": (index, "--names", folder / "more.txt"),
        "verify": (index,),
        "repair": (index,),
        "replay": (folder / "report",),
        "study": ("cc3m", "--dry-run", "--dry-images", 1, "--backend", "http", "--model",
                  f"75={spec}", "--out", folder / "study"),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("consent", [(), _ELSEWHERE], ids=["none", "another host"])
@pytest.mark.parametrize("verb", ["build", "query", "audit", "evaluate", "add", "verify", "repair",
                                  "replay"])  # fmt: skip
def test_no_verb_sends_a_byte_without_consent(
    verb: str, consent: tuple[str, ...], world: tuple[Path, Service], tried: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder, service = world
    before = len(service.requests)
    assert _run(verb, *_verbs(folder, service.spec())[verb], *consent) == 2
    assert tried == [] and len(service.requests) == before
    assert "nothing was sent; to send" in capsys.readouterr().err


@pytest.mark.slow
def test_a_study_sends_no_byte_without_consent(
    world: tuple[Path, Service], tried: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, service = world
    before = len(service.requests)
    assert _run("study", *_verbs(folder, service.spec())["study"]) == 1
    assert tried == [] and len(service.requests) == before
    assert "nothing was sent; to send" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "consent", "lacking"),
    [("build", IMAGES, "--send-texts-to"), ("query", TEXTS, "--send-images-to"),
     ("audit", TEXTS, "--send-images-to"), ("add", IMAGES, "--send-texts-to")],
)  # fmt: skip
def test_consent_to_the_one_is_none_to_the_other(
    verb: str, consent: tuple[str, ...], lacking: str, world: tuple[Path, Service],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder, service = world
    texts, images = dict(service.texts), dict(service.images)
    assert _run(verb, *_verbs(folder, service.spec())[verb], *consent) == 2
    assert lacking in capsys.readouterr().err
    people = [text for text in service.texts if "Doe" in text or "Moe" in text]
    assert all(service.texts[text] == texts.get(text) for text in people)
    assert len(service.images) == len(images)  # the fixed drawings alone were seen again


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["build", "query", "audit", "evaluate", "add", "verify", "repair"])
def test_every_verb_says_its_price_before_the_first_call(
    verb: str, world: tuple[Path, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, service = world
    shutil.copytree(folder / "i", tmp_path / "i")
    new = _verbs(folder, service.spec())["build"][1:]
    asked = {**_verbs(folder, service.spec()), "build": (tmp_path / "new", *new)}
    command = [tmp_path / "i" if each == folder / "i" else each for each in asked[verb]]
    told: list[int] = []
    announce = backend_class("http").announce

    def noting(self: BackendPlugin, *counts: int) -> None:
        told.append(len(service.requests))
        announce(self, *counts)

    monkeypatch.setattr(backend_class("http"), "announce", noting)
    before = len(service.requests)
    assert _run(verb, *command, *TEXTS, *IMAGES) == 0
    assert told[0] == before < len(service.requests)
    if verb == "build":
        before = len(service.requests)
        most = ("--max-calls", 3)
        assert (
            _run(verb, tmp_path / "other", *new, *TEXTS, *most) == 2
            and len(service.requests) == before
        )


def test_an_index_of_labels_sends_no_byte_without_consent(
    world: tuple[Path, Service], tried: list[str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder, service = world
    index, before = tmp_path / "labels", len(service.requests)
    spec = service.spec("zero-shot")
    said = ("--labeler", "zero-shot", "--model", spec, "--names", folder / "names.txt")
    assert _run("build", index, *said) == 2
    assert _run("build", index, *said, *TEXTS, *IMAGES) == 0  # which asks nothing
    for verb in ("query", "audit", "evaluate"):
        asked = _verbs(folder, spec)[verb][1:]
        for consent in ((), TEXTS, IMAGES, _ELSEWHERE):
            assert _run(verb, index, *asked, *consent) == 2
            assert "nothing was sent; to send" in capsys.readouterr().err
    monkeypatch.setattr("idia_index.registry.is_offline", lambda: True)
    monkeypatch.setattr("idia_index.registry.go_offline", lambda: None)
    assert _run("audit", index, folder / "people", *TEXTS, *IMAGES) == 2
    assert "offline: 'zero-shot' calls a service" in capsys.readouterr().err
    assert tried == [] and len(service.requests) == before


@pytest.mark.parametrize("verb", ["compare", "canary", "persona", "photos"])
def test_verbs_that_cannot_be_told_a_host_send_no_byte(
    verb: str, world: tuple[Path, Service], tried: list[str], tmp_path: Path
) -> None:
    folder, service = world
    people, spec, before = folder / "people", service.spec(), len(service.requests)
    command: dict[str, tuple[object, ...]] = {
        "compare": ("compare", folder / "i", spec, people),
        "canary": ("canary", "audit", spec, tmp_path / "made"),
        "persona": ("persona", "audit", spec, tmp_path / "made"),
        "photos": ("photos", people, "--model", spec),
    }
    if verb == "canary":
        make = ("--people", 10, "--images", 1, "--probes", 1, "--seed", 1)
        assert _run("canary", "make", tmp_path / "made", *make) == 0
    elif verb == "persona":
        assert _run("persona", "make", tmp_path / "made", "--people", 2) == 0
    assert _run(*command[verb]) == 2
    assert tried == [] and len(service.requests) == before


def test_the_pages_send_no_byte(
    world: tuple[Path, Service], tried: list[str], tmp_path: Path
) -> None:
    folder, service = world
    before = len(service.requests)
    with pytest.raises(RefusedError, match="nothing was sent"):
        Models(tmp_path).load(Choice(folder / "i", None), lambda *_: None)
    assert tried == [] and len(service.requests) == before


def test_every_verb_is_watched_here_or_loads_no_model_of_a_service() -> None:
    told_no_host = {"compare", "canary", "persona", "photos", "serve"}
    assert {*_verbs(Path(), "")} | told_no_host | _LOCAL >= set(VERBS)
