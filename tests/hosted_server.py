"""A service on this machine that speaks a dialect of embeddings, truly or with a fault.

It runs the toy model: what a text says, or what an image shows, decides its embedding. It notes
every request, so that tests can say what was sent and how often.
"""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image
from toy_backend import ToyBackend

from idia_index.types import Float32

CONTEXT = 40  # words that the service reads of a text


@dataclass
class Request:
    """One request: its path, its headers and the JSON of its body."""

    path: str
    headers: dict[str, str]
    body: Any


# Answers a request itself and returns True, or leaves it to the service.
Fault = Callable[["Handler", Request, int], bool]


@dataclass
class Service:
    """The service behind a server.

    Attributes:
        model: seed of the toy model; another one is another model.
        fault: what goes wrong.
        noise: length of what is added to each embedding, another each time.
        requests: everything that was asked.
        texts, images: how often each text, and each image's bytes, was answered.
    """

    model: str = "toy"
    fault: Fault | None = None
    noise: float = 0.0
    requests: list[Request] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)
    images: Counter[bytes] = field(default_factory=Counter)
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spec(self, dialect: str = "infinity") -> str:
        return f"{dialect}+http://127.0.0.1:{self.port}/#toy"

    def embed_texts(self, texts: list[str]) -> Float32:
        with self.lock:
            self.texts.update(texts)
        cut = [" ".join(text.split()[:CONTEXT]) for text in texts]
        return self._moved(ToyBackend(model=self.model).embed_texts(cut))

    def embed_images(self, images: list[bytes]) -> Float32:
        with self.lock:
            self.images.update(images)
        opened = [Image.open(io.BytesIO(data)) for data in images]
        return self._moved(ToyBackend(model=self.model).embed_images(opened))

    def _moved(self, rows: Float32) -> Float32:
        if self.model != "toy":
            rows = np.roll(rows, 1, axis=1)
        if self.noise:
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            moves = np.random.default_rng().standard_normal(rows.shape)
            rows = rows + self.noise * moves / np.linalg.norm(moves, axis=1, keepdims=True)
        return rows.astype(np.float32)

    def answer(self, request: Request) -> Any:
        """The JSON of a whole answer in the dialect that the path tells."""
        body = request.body
        if request.path.endswith("/vectorize"):
            return {
                "textVectors": self.embed_texts(body["texts"]).tolist() if body["texts"] else [],
                "imageVectors": self.embed_images(_decoded(body["images"])).tolist()
                if body["images"]
                else [],
            }
        if "messages" in body:
            (part,) = body["messages"][0]["content"]
            rows = (
                self.embed_texts([part["text"]])
                if part["type"] == "text"
                else self.embed_images(_decoded([part["image_url"]["url"]]))
            )
        elif "modality" in body:
            inputs = body["input"]
            text = body["modality"] == "text"
            rows = self.embed_texts(inputs) if text else self.embed_images(_decoded(inputs))
        else:
            rows = np.concatenate(
                [
                    self.embed_texts([item["text"]])
                    if "text" in item
                    else self.embed_images(_decoded([item["image"]]))
                    for item in body["input"]
                ]
            )
        return enveloped(rows, body)


def enveloped(rows: Float32, body: Any) -> Any:
    """Rows in the envelope of OpenAI's embeddings."""
    encoded: list[Any] = rows.tolist()
    if body.get("encoding_format") == "base64":
        encoded = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
    data = [
        {"object": "embedding", "embedding": row, "index": place}
        for place, row in enumerate(encoded)
    ]
    return {"object": "list", "data": data[::-1], "model": body["model"], "usage": {}}


def _decoded(images: list[str]) -> list[bytes]:
    return [base64.b64decode(image.rpartition(",")[2]) for image in images]


class Handler(BaseHTTPRequestHandler):
    """Answers from `server.service`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two packets
    service: Service

    def do_GET(self) -> None:
        own = {"id": "toy", "owned_by": "tests", "created": 1, "stats": {"queue": 3}}
        self.send({"data": [own]} if self.path.endswith("/models") else {"model_type": "toy"})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, dict(self.headers), json.loads(data))
        with self.service.lock:
            self.service.requests.append(request)
            number = len(self.service.requests)
        if self.service.fault is None or not self.service.fault(self, request, number):
            self.send(self.service.answer(request))

    def send(self, answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(json.dumps(answer).encode(), status, headers)

    def send_bytes(
        self, data: bytes, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing on standard error when a client hangs up."""


@contextmanager
def serving(service: Service, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """The service on a port of 127.0.0.1."""
    handler = type("Own", (Handler,), {"service": service})
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
