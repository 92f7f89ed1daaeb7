"""Failing and malicious services: one clear error each, no request repeated, no key leaked."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from forked import begun
from hosted_server import Fault, Handler, Request, Service, enveloped, serving

from idia_index import Backend, Session, build_index, load_backend, make_subject, query
from idia_index.backends.http_identity import png
from idia_index.backends.http_probes import drawings
from idia_index.errors import IdiaIndexError, ServiceError
from idia_index.registry import backend_class

pytest.importorskip("httpx")
pytestmark = pytest.mark.filterwarnings("ignore:.* will be sent at most")
backend_class("http")

HOST = "127.0.0.1"
KEY = "s3cret-key-of-nobody"
NAMES = [f"First{i % 7} Last{i}" for i in range(40)]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setattr("idia_index.backends.http_client.BACK_OFF", 0.01)
    return Session((HOST,), (HOST,), "TEST_KEY", timeout=20.0, folder=tmp_path / "i")


def load(service: Service, session: Session, dialect: str = "infinity") -> Backend:
    return load_backend("http", model=service.spec(dialect), session=session)


def asked(spec: str, session: Session) -> object:
    """What a service says when it is first asked."""
    return load_backend("http", model=spec, session=session).fingerprint


def _envelope(service: Service, change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Answers with other rows than those of the images."""

    def fault(handler: Handler, request: Request, number: int) -> bool:
        if request.body.get("modality") != "image" or len(request.body["input"]) != 5:
            return False
        handler.send(enveloped(change(np.ones((5, 16), np.float32)), request.body))
        return True

    return fault


def _once_images(send: Callable[[Handler], None]) -> Fault:
    """Does something else in place of an answer to photos."""

    def fault(handler: Handler, request: Request, number: int) -> bool:
        if request.body.get("modality") != "image" or len(request.body["input"]) != 5:
            return False
        send(handler)
        return True

    return fault


def _broken(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _huge(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    block = b" " * (1 << 20)
    try:
        for _ in range(1 << 10):
            handler.wfile.write(block)
    except OSError:
        handler.close_connection = True


def _dribbling(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    try:
        for _ in range(20):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass
    handler.close_connection = True


def _slow(handler: Handler) -> None:
    time.sleep(2)
    handler.close_connection = True


FAULTS: dict[str, tuple[Callable[[Service], Fault], str]] = {
    "too few rows": (lambda s: _envelope(s, lambda r: r[:3]), "gave 3 embeddings for 5 images"),
    "wrong dimension": (lambda s: _envelope(s, lambda r: r[:, :9]), "of length 9, before of 16"),
    "NaN": (lambda s: _envelope(s, lambda r: r * np.nan), "zero or not finite"),
    "zero": (lambda s: _envelope(s, lambda r: r * 0), "zero or not finite"),
    "no embeddings": (
        lambda s: _once_images(lambda h: h.send({"data": "none", "model": "toy"})),
        "no embeddings in its answer",
    ),
    "deep": (lambda s: _once_images(lambda h: h.send_bytes(b"[" * 99_999)), "is not JSON"),
    "a web page": (lambda s: _once_images(lambda h: h.send_bytes(b"<html>")), "is not JSON"),
    "another model": (
        lambda s: _once_images(lambda h: h.send({"data": [], "model": "other"})),
        "answered as 'toy', then as 'other'",
    ),
    "500": (lambda s: _once_images(lambda h: h.send({"e": KEY}, 500)), "answers 500.*6 times"),
    "429": (lambda s: _once_images(lambda h: h.send({}, 429)), "answers 429.*tried 6 times"),
    "a day": (
        lambda s: _once_images(lambda h: h.send({}, 429, {"Retry-After": "86400"})),
        "asks to wait '86400'",
    ),
    "401": (lambda s: _once_images(lambda h: h.send({"key": KEY}, 401)), "check the key"),
    "400": (lambda s: _once_images(lambda h: h.send({"key": KEY}, 400)), "answers 400"),
    "redirect": (
        lambda s: _once_images(
            lambda h: h.send({}, 307, {"Location": f"https://elsewhere.example/?k={KEY}"})
        ),
        "redirects to .*elsewhere.example",
    ),
    "broken": (lambda s: _once_images(_broken), "the connection broke"),
    "slow": (lambda s: _once_images(_slow), "no complete answer in 1 seconds"),
    "dribbling": (lambda s: _once_images(_dribbling), "no complete answer in 1 seconds"),
    "1 GB": (lambda s: _once_images(_huge), "an answer of more than 1,0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_and_no_answer_is_asked_for_again(
    fault: str, service: Service, session: Session, tmp_path: Path
) -> None:
    backend = load(service, session)
    index = build_index(tmp_path / "i", backend, NAMES[:4])
    folder = make_images(tmp_path / "p", 37)  # a whole batch of 32 is answered, and then 5 fail
    make, said = FAULTS[fault]
    service.fault = make(service)
    if "1 seconds" in said:
        backend = load(service, replace(session, timeout=1.0))
    with pytest.raises(ServiceError, match=said) as caught:
        query(index, backend, make_subject("First3 Last3", [folder]))
    assert "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert f"http://{HOST}:{service.port}" in str(caught.value)
    photos = {image for image, times in service.images.items() if times == 1}
    assert len(photos) == 32
    service.fault = None
    found = query(index, load(service, session), make_subject("First3 Last3", [folder]))
    assert found.backend.service is not None and found.backend.service.remembered == 32
    assert all(service.images[image] == 1 for image in photos)  # none of them was sent again


@pytest.mark.slow
@pytest.mark.parametrize("how", ["seconds", "date", "none", "nonsense", "500"])
def test_a_service_that_asks_to_wait_is_asked_again(
    how: str, service: Service, session: Session, tmp_path: Path
) -> None:
    backend, asked = load(service, session), []
    index = build_index(tmp_path / "i", backend, NAMES[:4])
    soon = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)
    wait = {"seconds": "0.3", "date": soon, "nonsense": "soon"}.get(how)

    def fault(handler: Handler, request: Request, number: int) -> bool:
        if request.body["modality"] == "image" and len(request.body["input"]) == 5:
            asked.append(time.monotonic())
            if len(asked) <= 2:
                headers = {} if wait is None else {"Retry-After": wait}
                handler.send({}, 500 if how == "500" else 429, headers)
                return True
        return False

    service.fault = fault
    found = query(index, backend, make_subject("First3 Last3", [make_images(tmp_path / "p", 5)]))
    assert len(asked) == 3 and found.backend.service is not None
    assert found.backend.service.repeated == 2
    if how == "seconds":
        assert asked[1] - asked[0] >= 0.3


@pytest.mark.slow
def test_a_host_that_is_not_there_and_one_with_bad_tls_are_one_line(
    session: Session, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceError, match=r"cannot be reached .*tried 6 times"):
        asked(f"infinity+http://{HOST}:{port}/#m", session)
    with serving(Service()) as service:  # speaks no TLS at all
        spec = f"infinity+https://{HOST}:{service.port}/#m"
        with pytest.raises(ServiceError, match="TLS certificate is not trusted"):
            asked(spec, session)
    assert not service.requests


@pytest.mark.process
def test_a_certificate_that_nobody_signed_is_refused(session: Session, tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    service = Service()
    with serving(service, tls=context):
        spec = f"infinity+https://{HOST}:{service.port}/#m"
        with pytest.raises(ServiceError, match="TLS certificate is not trusted"):
            asked(spec, session)
    assert not service.requests


def test_max_calls_end_a_run_that_the_service_makes_longer(
    service: Service, session: Session, tmp_path: Path
) -> None:
    most = 20  # what the build is announced to take; each call past the eighth is asked again
    service.fault = lambda handler, request, number: (
        number > 8 and (handler.send({}, 429, {"Retry-After": "0"}) is None)
    )
    backend = load(service, replace(session, max_calls=most))
    with pytest.raises(IdiaIndexError, match=rf"answers 429|reached --max-calls {most}"):
        build_index(tmp_path / "i", backend, NAMES)
    assert len(service.requests) <= most


def build_and_query(spec: str, path: Path, photos: Path) -> None:
    session = Session((HOST,), (HOST,), folder=path, concurrency=1)
    backend = load_backend("http", model=spec, session=session)
    index = build_index(path, backend, NAMES[:10], ["{0}", "a photo of {0}"], resume=True)
    query(index, backend, make_subject("First1 Last1", [photos]))


DRAWN = set(map(png, drawings()))


@pytest.mark.process
def test_a_run_that_is_killed_resumes_without_a_call_twice(
    service: Service, tmp_path: Path
) -> None:
    photos = make_images(tmp_path / "p", 6)

    def run(limit: int) -> int | None:
        """A run that is killed while the request after so many prompts and photos waits."""
        pid: list[int] = []

        def fault(handler: Handler, request: Request, number: int) -> bool:
            if sum(_paid(service).values()) >= limit:
                os.kill(pid[0], signal.SIGKILL)
                return True
            return False

        service.fault = fault
        process = begun(build_and_query, service.spec("vllm"), tmp_path / "i", photos)
        assert process.pid is not None
        pid.append(process.pid)
        process.join(60)
        return process.exitcode

    for limit in (6, 23):  # among the prompts, and among the photos
        assert run(limit) == -signal.SIGKILL
    assert run(10_000) == 0
    paid = _paid(service)
    assert len(paid) == 20 + 6 and set(paid.values()) == {1}


def _paid(service: Service) -> dict[str | bytes, int]:
    """How often each prompt and each photo was answered, but for the fixed probes."""
    prompts = {text: n for text, n in service.texts.items() if re.search(r"First\d Last\d", text)}
    return {**prompts, **{image: n for image, n in service.images.items() if image not in DRAWN}}
