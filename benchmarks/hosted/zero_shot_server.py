"""transformers' own zero-shot image classification behind HTTP on 127.0.0.1.

python benchmarks/hosted/zero_shot_server.py FOLDER PORT

The pipeline is transformers', unchanged; what surrounds it reads a request and writes the answer.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from PIL import Image
from transformers import pipeline

CLASSIFY = pipeline("zero-shot-image-classification", model=sys.argv[1], device="cpu")
TURN = Lock()


class Handler(BaseHTTPRequestHandler):
    """One classification a request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        image = Image.open(io.BytesIO(base64.b64decode(body["inputs"])))
        with TURN:
            found = CLASSIFY(image, **body["parameters"])
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
